"""Trial: the evidence of a window for or against a champion on probation."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from monitor.batch import CHANCES, LABEL
from monitor.chances import chances_of, of_all
from monitor.columns import FloatArray
from monitor.losses import Pairs
from monitor.ports import SHADOW, SHADOW_CHANCES, Champion, Log, Store
from monitor.probation import Evidence, Judgement, ProbationPolicy, weigh
from monitor.verdict import VerdictPolicy
from monitor.window import Window

_REGRESSION_UNIT = "mae"


@dataclass(frozen=True)
class Tried:
    """What a trial rests on, by the model's name and policies.

    Parameters
    ----------
    model : str
        The model.
    probation : ProbationPolicy
        How long it is watched.
    verdict : VerdictPolicy
        The metric that decides, and how long labels are waited for.
    """

    model: str
    probation: ProbationPolicy
    verdict: VerdictPolicy


@dataclass(frozen=True)
class Tested:
    """A window as a trial sees it.

    Parameters
    ----------
    window : Window
        The window.
    incident : bool
        A broken feed says nothing of the champion: it has no part in the evidence.
    at : datetime
        The present.
    """

    window: Window
    incident: bool
    at: datetime


def try_champion(
    tried: Tried, tested: Tested, champion: Champion, *, log: Log, store: Store
) -> Judgement | None:
    """Judge a champion on probation with what a window adds; None when it is on none."""
    if champion.probation is None or not tried.probation.rows:
        return None
    trial, window = store.trial(champion.probation), tested.window
    if trial is None:
        return None
    if window.end > champion.probation.since:
        found = None if tested.incident else _evidence(tried, window, champion, log)
        trial = trial.with_window(window.key, found)
    horizon = tried.verdict.labels.horizon
    status = trial.status(tried.probation, now=tested.at, horizon=horizon)
    task = champion.reference.schema.task
    return Judgement(trial, status, trial.sentence(task, tried.verdict.performance.metric))


def _evidence(tried: Tried, window: Window, champion: Champion, log: Log) -> Evidence:
    assert champion.probation is not None
    reference, horizon = champion.reference, tried.verdict.labels.horizon
    prediction = reference.schema.prediction
    versions = champion.version, champion.probation.predecessor
    mine = log.pairs(tried.model, window, prediction, versions, horizon=horizon)
    mine = mine.slice(0, tried.probation.rows)  # enough, and each costs time
    unit = reference.performance.get(_REGRESSION_UNIT)
    labels, made, shadow = (mine.column(name).to_numpy() for name in (LABEL, prediction, SHADOW))
    return weigh(
        Pairs(labels, made, shadow, _chances(mine, len(reference.schema.classes))),
        reference.schema,
        tried.verdict.performance.metric,
        unit=unit.value if unit else 0.0,
        margin=tried.probation.margin,
    )


def _chances(rows: pa.Table, n_classes: int) -> tuple[FloatArray, FloatArray] | None:
    """Return what both versions gave each class; None where one of them has not said it of all."""
    mine, its = (
        of_all(chances_of(rows.column(name), n_classes)) for name in (CHANCES, SHADOW_CHANCES)
    )
    return None if mine is None or its is None else (mine, its)
