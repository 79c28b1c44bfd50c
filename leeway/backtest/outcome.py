"""Outcome: what became of a history under one policy, read from its deployment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leeway.backtest.facts import n_fits, opening_facts, policy_facts, window_facts
from leeway.backtest.home import done_of
from leeway.backtest.past import Past
from leeway.config import Environment
from leeway.deployment import Deployment, opened
from monitor.adapters.clocks import FileClock
from monitor.adapters.history import History
from monitor.checks.performance import METRICS

Document = dict[str, Any]


@dataclass(frozen=True)
class Replayed:
    """What became of a history under one policy.

    Parameters
    ----------
    facts : dict
        What `leeway.backtest.facts.policy_facts` returns, ``retrain_cpu_seconds``, and
        ``openings``, its alerts.
    windows, alerts, runs : sequence of mapping
        As the HTTP API shows them.
    """

    facts: Document
    windows: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    runs: Sequence[Mapping[str, Any]]


@contextmanager
def deployed(home: Path, past: Past) -> Iterator[Deployment]:
    """Open the deployment of one replay, on a clock that is set."""
    clock = home / "clock"
    if not clock.exists():
        FileClock(clock).set(past.begins_at)
    environment = Environment(api_key=None, clock_file=clock)
    with opened(home / "leeway.yaml", environment) as deployment:
        yield deployment


def read_back(home: Path, past: Past, name: str, model: str, metric: str) -> Replayed:
    """Return what a policy reached and what it cost.

    Parameters
    ----------
    home : Path
        Its folder.
    past : Past
        The history.
    name : str
        The policy.
    model : str
        The model.
    metric : str
        The metric that decides.
    """
    with deployed(home, past) as deployment:
        history, runs = History(deployment.engine), deployment.runs
        ended, trials = runs.runs(model), runs.trials(model)
        windows, alerts = history.windows(model), history.alerts(model)
        costs = {
            "alerts": len(alerts),
            "fits": n_fits(ended) + sum(one["n_fits"] for one in trials),
            "promotions": [one["outcome"] for one in ended].count("promoted"),
            "rollbacks": deployment.registry.n_rollbacks(model),
        }
    facts = policy_facts(
        name,
        [window_facts(window, metric) for window in windows],
        costs,
        bigger_is_better=METRICS[metric].bigger_is_better,
    )
    facts["retrain_cpu_seconds"] = round(done_of(home).retrain_cpu_seconds, 1)
    facts["openings"] = [opening_facts(one) for one in alerts]
    return Replayed(facts, windows, alerts, ended)
