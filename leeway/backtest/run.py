"""Run: a history replayed under each policy, two at a time, each on a deployment of its own."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import yaml

from leeway.backtest.facts import compared_with, gain
from leeway.backtest.home import (
    FIRST,
    claim_folder,
    copied,
    kept_in,
    question,
    steps_done,
    usual_folder,
)
from leeway.backtest.outcome import Replayed, deployed, read_back
from leeway.backtest.past import Past, cut
from leeway.backtest.policy import Policy
from leeway.backtest.replay import Replay
from leeway.config import Config
from leeway.config_file import load_config
from leeway.deployment import ensure_first_versions
from leeway.policies import watched
from monitor.checks.performance import METRICS
from monitor.inferred import infer
from retrain.adapters.labelled_rows import read_table
from retrain.worker import parent_is_gone

Document = dict[str, Any]
Progress = Callable[[float, str], None]

DEFAULT_POLICIES = "never,always,configured"

N_AT_ONCE = 2
"""Policies replayed at once: one keeps one core busy."""

LOOK_SECONDS = 0.2
"""How often the replays are asked how far they are."""

FIRST_SHARE = 0.1
"""Part of the progress that training version 1 is."""


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


@dataclass(frozen=True)
class Backtest:
    """What a backtest has found.

    Parameters
    ----------
    document : dict
        ``metric``, ``bigger_is_better``, ``notes``, ``compared_with``, and ``policies``: for each
        its mean and worst metric over labelled windows, its gain over the policy that all are
        compared with, what it cost, its windows, and the alerts it opened.
    replays : sequence of Replayed
        The same and more, a policy each.
    """

    document: Document
    replays: Sequence[Replayed]


def backtest(asked: Asked, progress: Progress, folder: Path | None = None) -> Backtest:
    """Replay a history under each policy.

    Parameters
    ----------
    asked : Asked
        What is replayed.
    progress : callable
        Told the share done, in 0-1, and what is going on.
    folder : Path or None
        Where the replays are kept for good. By default it is beside leeway.yaml, and goes when the
        backtest has ended. After a stop the same backtest goes on there.

    Raises
    ------
    ConfigError, SchemaError
        If the configuration or the history cannot be used, or the folder holds something else.
    StoppedError
        If it is interrupted.
    """
    config = load_config(asked.config_file)
    past, metric = _past(config, asked)
    asks = _question(config, asked)
    kept = folder or usual_folder(asked.config_file, asks)
    claim_folder(kept, asks)
    with kept_in(kept, for_good=folder is not None):
        first = kept / FIRST
        _prepare_first(config, asked, past, first, progress)
        homes = [kept / policy.name.replace(":", "-") for policy in asked.policies]
        for home, policy in zip(homes, asked.policies, strict=True):
            if not home.exists():
                copied(first, home)
            _write_config(config, asked, home, when=None if policy.configured else ())
        _replay_all(asked, homes, len(past.steps), progress)
        replays = [
            read_back(home, past, policy.name, asked.model, metric)
            for home, policy in zip(homes, asked.policies, strict=True)
        ]
    better = METRICS[metric].bigger_is_better
    facts = [one.facts for one in replays]
    over = compared_with(facts)
    for one in facts:
        one["gain"] = gain(one, over, bigger_is_better=better)
    document = {
        "metric": metric,
        "bigger_is_better": better,
        "notes": list(past.notes),
        "compared_with": over["name"],
        "policies": facts,
    }
    return Backtest(document, replays)


def _question(config: Config, asked: Asked) -> Mapping[str, Any]:
    model = config.models[asked.model]
    facts = {
        "model": asked.model,
        "configuration": model.model_dump(mode="json", exclude_unset=True),
        "label lag": asked.label_lag.total_seconds(),
    }
    return question(facts, {"reference": model.reference, "history": asked.data})


def _past(config: Config, asked: Asked) -> tuple[Past, str]:
    """Return the history, and the metric that decides."""
    model = config.models[asked.model]
    reference = read_table(model.reference)
    schema = infer(reference, model.roles()).schema
    policy = watched(asked.model, model, schema).verdict
    past = cut(read_table(asked.data), reference, schema, policy.window)
    return past, policy.performance.metric


def _prepare_first(
    config: Config, asked: Asked, past: Past, first: Path, progress: Progress
) -> None:
    """Train version 1, with which every policy begins; it is there wholly or not at all."""
    if first.exists():
        return
    aside = first.with_name(".first")
    shutil.rmtree(aside, ignore_errors=True)
    _write_config(config, asked, aside, when=())
    with deployed(aside, past) as deployment:
        ensure_first_versions(deployment, lambda share, text: progress(FIRST_SHARE * share, text))
    aside.rename(first)


def _replay_all(asked: Asked, homes: Sequence[Path], n_steps: int, progress: Progress) -> None:
    """Replay every policy that is not at its end, and tell how far all are together."""
    left = [
        (home, policy)
        for home, policy in zip(homes, asked.policies, strict=True)
        if steps_done(home) <= n_steps
    ]
    told = -1

    def tell() -> None:
        nonlocal told
        done = sum(min(steps_done(home), n_steps) for home in homes)
        if done != told:
            going = ", ".join(policy.name for home, policy in left if steps_done(home) < n_steps)
            share = done / (n_steps * len(homes))
            progress(FIRST_SHARE + (1 - FIRST_SHARE) * share, going)
        told = done

    # Spawned: a copy of this process would have its locks without the threads that hold them.
    spawning = get_context("spawn")
    stopped = spawning.Event()
    with ProcessPoolExecutor(
        N_AT_ONCE, spawning, initializer=_end_with, initargs=(os.getpid(), stopped)
    ) as pool:
        going: list[Future[None]] = [pool.submit(replay, asked, *one) for one in left]
        try:
            while wait(going, timeout=LOOK_SECONDS).not_done:
                tell()
            for one in going:
                one.result()
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    tell()


def _end_with(parent: int, stopped: Event) -> None:
    """End this process when the one that started it stops, or is gone: nobody else would.

    A terminal interrupts this process, too; it leaves to the other what to say of that.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    is_gone = parent_is_gone(parent)

    def watch() -> None:
        while not stopped.wait(LOOK_SECONDS) and not is_gone():
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def replay(asked: Asked, home: Path, policy: Policy) -> None:
    """Replay one policy to its end, in a process of its own.

    Parameters
    ----------
    asked : Asked
        What is replayed.
    home : Path
        Its folder, with version 1 in it, or with the steps that are done.
    policy : Policy
        Which policy.
    """
    past, _ = _past(load_config(asked.config_file), asked)
    with deployed(home, past) as deployment:
        Replay(deployment, asked.model, asked.label_lag, policy.every).run(past, home)


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
    # A drift method of one's own is known by the module that registers it.
    imports = list(config.imports)
    document = {"models": {asked.model: model}, "data": "data", "imports": imports}
    (home / "leeway.yaml").write_text(yaml.safe_dump(document))
