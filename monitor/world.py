"""World: everything outside that a cycle touches, and what it watches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from monitor.checks.calibrated import uncalibrated
from monitor.checks.quality import QualityPolicy
from monitor.decision import RetrainPolicy
from monitor.maturity import Maturity, maturity, teachers
from monitor.ports import Clock, Log, Notifier, References, Store
from monitor.probation import ProbationPolicy
from monitor.verdict import VerdictPolicy


@dataclass(frozen=True)
class Watched:
    """One model, and all policies of its watch.

    Parameters
    ----------
    name : str
        The model.
    verdict : VerdictPolicy
        When a window breaches.
    quality : QualityPolicy
        When a column counts as broken.
    retrain : RetrainPolicy
        When a breach opens a run.
    probation : ProbationPolicy
        How a new champion is watched.
    """

    name: str
    verdict: VerdictPolicy
    quality: QualityPolicy
    retrain: RetrainPolicy
    probation: ProbationPolicy


@dataclass(frozen=True)
class World:
    """Everything outside that the cycle touches.

    Parameters
    ----------
    log, store, references, clock
        The ports of `monitor.ports`.
    notifiers : sequence of Notifier
        Where messages about alerts go.
    url : str
        Address of Leeway's own pages.
    monotonic : callable
        A stopwatch in seconds.
    repeat : timedelta
        How long an alert that goes on is not told again.
    hooks : sequence of Notifier
        Where the news that a version was promoted or rolled back goes.
    """

    log: Log
    store: Store
    references: References
    clock: Clock
    notifiers: Sequence[Notifier]
    url: str
    monotonic: Callable[[], float]
    repeat: timedelta = timedelta(days=1)
    hooks: Sequence[Notifier] = ()


def known_maturity(watched: Watched, world: World) -> Maturity:
    """Return what makes performance final, as the windows so far teach it."""
    policy, now = watched.verdict, world.clock.now()
    judged = world.store.judged(watched.name).values()
    arrivals = world.store.arrivals(watched.name, teachers(judged, policy.labels, now))
    return maturity(arrivals, policy.labels, policy.window, now)


def uncalibrated_now(watched: Watched, world: World) -> str:
    """Say why Evidently's thresholds judge a model's drift though it has an alert budget.

    Empty where the budget judges, and where a person wants none.
    """
    if watched.verdict.drift.budget is None:
        return ""
    champion = world.references.at(watched.name, world.clock.now())
    return uncalibrated(champion.reference.calibration, watched.verdict.window)
