"""Backtest: one history, replayed under several policies before a model goes live."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from leeway.config import Config, Environment
from leeway.config_file import load_config
from leeway.deployment import Deployment, ensure_first_versions, opened
from leeway.past import Past, cut
from leeway.policies import watched
from leeway.replay import Replay
from leeway.replay_facts import n_fits, policy_facts, window_facts
from monitor.adapters.clocks import FileClock
from monitor.adapters.history import History
from monitor.checks.performance import METRICS
from monitor.errors import ConfigError
from monitor.inferred import infer
from retrain.adapters.labelled_rows import read_table
from retrain.adapters.sql_runs import SqlRuns

Document = dict[str, Any]
Progress = Callable[[float, str], None]

DEFAULT_POLICIES = "never,always,configured"


@dataclass(frozen=True)
class Policy:
    """When a replay retrains.

    Parameters
    ----------
    name : str
        What it was asked for by.
    every : int or None
        Replace the champion after this many windows, without a gate; None never does.
    configured : bool
        Do what leeway.yaml says instead.
    """

    name: str
    every: int | None = None
    configured: bool = False


def policies(text: str) -> tuple[Policy, ...]:
    """Read the policies to compare.

    Raises
    ------
    ConfigError
        If one of them is none of never, always, every:N and configured.

    Examples
    --------
    >>> [(policy.name, policy.every) for policy in policies("never, every:4")]
    [('never', None), ('every:4', 4)]
    """
    return tuple(_policy(name.strip()) for name in text.split(","))


def _policy(name: str) -> Policy:
    fixed = {
        "never": Policy(name),
        "always": Policy(name, every=1),
        "configured": Policy(name, configured=True),
    }
    counted = re.fullmatch(r"every:([1-9]\d*)", name)
    if counted:
        return Policy(name, every=int(counted[1]))
    if name not in fixed:
        expected = f"expected never, always, every:N or configured (found {name!r})"
        raise ConfigError("command line", "--compare", expected)
    return fixed[name]


@dataclass(frozen=True)
class Asked:
    """What is replayed.

    Parameters
    ----------
    config_file : Path
        leeway.yaml; what it says of data, database and notifications is not used.
    model : str
        The model.
    data : Path
        The history, labelled: Parquet or CSV.
    policies : sequence of Policy
        What is compared.
    label_lag : timedelta
        How long after a window's end its labels come.
    """

    config_file: Path
    model: str
    data: Path
    policies: Sequence[Policy]
    label_lag: timedelta = timedelta(0)


def backtest(asked: Asked, progress: Progress) -> Document:
    """Replay a history under each policy, in temporary folders.

    Returns
    -------
    dict
        ``metric``, ``bigger_is_better``, ``notes``, and ``policies``: for each its mean and worst
        metric over labelled windows, what it cost, and its windows.

    Raises
    ------
    ConfigError, SchemaError
        If the configuration or the history cannot be used.
    """
    config = load_config(asked.config_file)
    past, metric = _past(config, asked)
    found = []
    with tempfile.TemporaryDirectory(prefix="leeway-backtest-") as folder:
        first = Path(folder) / "first"
        _write_config(config, asked, first, when=())
        with _deployment(first, past) as deployment:
            ensure_first_versions(deployment, lambda share, text: progress(0.1 * share, text))
        for index, policy in enumerate(asked.policies):
            home = Path(folder) / str(index)
            shutil.copytree(first, home)
            _write_config(config, asked, home, when=None if policy.configured else ())
            with _deployment(home, past) as deployment:
                told = _scaled(progress, index, len(asked.policies), policy.name)
                Replay(deployment, asked.model, asked.label_lag, policy.every).run(past, told)
                found.append(outcome(policy.name, deployment, asked.model, metric))
    return {
        "metric": metric,
        "bigger_is_better": METRICS[metric].bigger_is_better,
        "notes": list(past.notes),
        "policies": found,
    }


def _past(config: Config, asked: Asked) -> tuple[Past, str]:
    """Return the history, and the metric that decides."""
    model = config.models[asked.model]
    reference = read_table(model.reference)
    schema = infer(reference, model.roles()).schema
    policy = watched(asked.model, model, schema).verdict
    past = cut(read_table(asked.data), reference, schema, policy.window)
    return past, policy.performance.metric


def _scaled(progress: Progress, index: int, n_policies: int, name: str) -> Callable[[float], None]:
    return lambda share: progress(0.1 + 0.9 * (index + share) / n_policies, name)


def _write_config(
    config: Config, asked: Asked, home: Path, *, when: tuple[str, ...] | None
) -> None:
    """Write leeway.yaml for one replay: the model alone, and nobody is notified."""
    model = config.models[asked.model].model_dump(mode="json", exclude_unset=True)
    model["reference"] = str(config.models[asked.model].reference)
    model.pop("source", None)
    if when is not None:
        model.setdefault("retrain", {}).update({"when": list(when), "probation": {"rows": 0}})
    home.mkdir(exist_ok=True)
    document = {"models": {asked.model: model}, "data": "data"}
    (home / "leeway.yaml").write_text(yaml.safe_dump(document))


@contextmanager
def _deployment(home: Path, past: Past) -> Iterator[Deployment]:
    clock = home / "clock"
    FileClock(clock).set(past.begins_at)
    environment = Environment(api_key=None, clock_file=clock)
    with opened(home / "leeway.yaml", environment) as deployment:
        yield deployment


def outcome(name: str, deployment: Deployment, model: str, metric: str) -> Document:
    """Return what a policy reached and what it cost."""
    history = History(deployment.engine)
    runs = SqlRuns(deployment.engine)
    ended, trials = runs.runs(model), runs.trials(model)
    outcomes = [one["outcome"] for one in ended]
    windows = [window_facts(window, metric) for window in history.windows(model)]
    costs = {
        "alerts": len(history.alerts(model)),
        "fits": n_fits(ended) + sum(one["n_fits"] for one in trials),
        "promotions": outcomes.count("promoted"),
        "rollbacks": deployment.registry.n_rollbacks(model),
    }
    bigger = METRICS[metric].bigger_is_better
    return policy_facts(name, windows, costs, bigger_is_better=bigger)
