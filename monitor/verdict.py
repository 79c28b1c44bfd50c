"""Verdict: all scores of one window, judged. The only place a breach is decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.checks.drift import DriftPolicy
from monitor.checks.methods import OTHERWISE_AT_THRESHOLD
from monitor.checks.performance import METRICS
from monitor.checks.quality import REFUSED
from monitor.checks.score import BreachWhen, Check, Score, Status, worst
from monitor.checks.segments import Segments
from monitor.reference import Estimate, Reference
from monitor.window import Counts, LabelPolicy, WindowPolicy

SAMPLING_ERRORS = 3.0
"""A drop within this many standard errors is not told apart from chance."""

MAX_MIN_ROWS = 500
"""Windows with at least this many rows are judged, however large a typical one is."""


@dataclass(frozen=True)
class PerformancePolicy:
    """When a metric has fallen too far.

    Parameters
    ----------
    metric : str
        A name of `monitor.checks.performance.METRICS`.
    max_drop : float
        Allowed fall below the reference: absolute for metrics within 0-1, relative for losses.
    segments : tuple of str
        Features whose levels are also looked at one by one.
    """

    metric: str
    max_drop: float = 0.03
    segments: tuple[str, ...] = ()


@dataclass(frozen=True)
class VerdictPolicy:
    """Everything the judgement of a window rests on besides its scores."""

    window: WindowPolicy
    labels: LabelPolicy
    drift: DriftPolicy
    performance: PerformancePolicy


@dataclass(frozen=True)
class Verdict:
    """The judgement of one window.

    Parameters
    ----------
    status : Status
        The weightiest of the checks' statuses.
    checks : mapping of Check to Status
        One status a check.
    scores : tuple of Score
        Every score, with its status.
    share_drifted : float or None
        Drifted columns over compared columns, in 0-1; None when nothing was compared.
    provisional : bool
        True while too few labels have come for performance to be final.
    """

    status: Status
    checks: Mapping[Check, Status]
    scores: tuple[Score, ...]
    share_drifted: float | None
    provisional: bool

    def breached(self, check: Check) -> list[Score]:
        """Return the check's scores beyond their threshold, the furthest first."""
        found = [s for s in self.scores if s.check is check and s.status is Status.BREACH]
        return sorted(found, key=excess, reverse=True)


def excess(score: Score) -> float:
    """Say how many times its threshold a score reaches, in the bad direction; from 1 it breaches.

    A score without a number or a threshold has 0.
    """
    if score.value is None or score.threshold is None:
        return 0.0
    if score.breach_when is BreachWhen.ABOVE:
        return score.value / max(score.threshold, 1e-12)
    return score.threshold / max(score.value, 1e-300)


def performance_scores(
    estimates: Mapping[str, Estimate],
    reference: Mapping[str, Estimate],
    policy: PerformancePolicy,
) -> list[Score]:
    """Hold a window's metrics against the reference's.

    Only the policy's metric has a threshold: the reference value less the allowed drop, or less
    three sampling errors of the difference where that is more.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        The window's metrics; empty while no label has come.
    reference : mapping of str to Estimate
        The same metrics on the reference.
    policy : PerformancePolicy
        The metric that decides, and its allowed drop.
    """
    return [
        _performance_score(name, estimate, reference.get(name), policy)
        for name, estimate in estimates.items()
    ]


def segment_scores(
    estimates: Segments, reference: Segments, policy: PerformancePolicy
) -> list[Score]:
    """Show a window's metric on each segment beside the reference's.

    Without a threshold: among many segments one looks bad by chance in every window.

    Parameters
    ----------
    estimates : mapping of str to mapping of str to Estimate
        The deciding metric on the window, by segment column and level.
    reference : mapping of str to mapping of str to Estimate
        The same on the reference.
    policy : PerformancePolicy
        The metric that decides.
    """
    return [
        replace(
            _performance_score(
                policy.metric, estimate, reference.get(column, {}).get(level), policy
            ),
            column=column,
            level=level,
            threshold=None,
        )
        for column, levels in estimates.items()
        for level, estimate in levels.items()
    ]


def _performance_score(
    name: str, now: Estimate, before: Estimate | None, policy: PerformancePolicy
) -> Score:
    metric = METRICS[name]
    threshold = None
    if before is not None and name == policy.metric:
        scale = 1.0 if metric.bounded else abs(before.value)
        error = float(np.hypot(now.standard_error, before.standard_error))
        drop = max(policy.max_drop * scale, SAMPLING_ERRORS * error)
        threshold = before.value - drop if metric.bigger_is_better else before.value + drop
    return Score(
        check=Check.PERFORMANCE,
        column=None,
        method=name,
        value=now.value,
        threshold=threshold,
        breach_when=BreachWhen.BELOW if metric.bigger_is_better else BreachWhen.ABOVE,
        n_reference=before.n if before else 0,
        n_current=now.n,
        standard_error=now.standard_error,
        reference_value=before.value if before else None,
    )


def judge(
    scores: Sequence[Score],
    counts: Counts,
    policy: VerdictPolicy,
    *,
    target: str,
    enough_rows: int,
) -> Verdict:
    """Judge a window.

    Parameters
    ----------
    scores : sequence of Score
        What the checks found.
    counts : Counts
        Rows and labels of the window.
    policy : VerdictPolicy
        The limits.
    target : str
        The label column. Its drift is shown, but left out of the share: labels come late, and the
        share must not change with them.
    enough_rows : int
        Fewer rows than this are no data; see `min_rows`.

    Returns
    -------
    Verdict
        NO_DATA when the window has too few rows, unless rows were refused.
    """
    if counts.n_rows < enough_rows:
        return _without_data(scores)
    scored = tuple(replace(score, status=score_status(score)) for score in scores)
    provisional = counts.maturity < policy.labels.mature
    share = share_drifted([score for score in scored if score.column != target])
    checks = {
        Check.DRIFT: _drift_status(scored, share, policy.drift),
        Check.QUALITY: worst(_statuses(scored, Check.QUALITY)),
        Check.PERFORMANCE: _performance_status(scored, policy.performance, provisional),
    }
    status = worst([s for s in checks.values() if s is not Status.NO_DATA])
    return Verdict(status, checks, scored, share, provisional)


def _without_data(scores: Sequence[Score]) -> Verdict:
    """Judge nothing but what was refused: it may be why there are so few rows."""
    scored = tuple(
        replace(s, status=score_status(s) if s.method == REFUSED else Status.NO_DATA)
        for s in scores
    )
    quality = worst(_statuses(scored, Check.QUALITY))
    checks = {**dict.fromkeys(Check, Status.NO_DATA), Check.QUALITY: quality}
    return Verdict(quality, checks, scored, None, provisional=True)


def min_rows(policy: WindowPolicy, reference: Reference) -> int:
    """Return the rows below which a window has no data: half a typical window, at most 500."""
    if policy.min_rows is not None:
        return policy.min_rows
    typical = policy.rows or MAX_MIN_ROWS
    if policy.every and reference.start and reference.end:
        n_windows = max(1.0, (reference.end - reference.start) / policy.every)
        typical = int(reference.n_rows / n_windows)
    return max(1, min(MAX_MIN_ROWS, typical // 2))


def score_status(score: Score) -> Status:
    """Hold one score against its own threshold."""
    if score.failed:
        return Status.ERROR
    if score.value is None:
        return Status.NO_DATA
    if score.threshold is None:
        return Status.OK
    above = score.breach_when is BreachWhen.ABOVE
    if score.value == score.threshold:
        beyond = above is not (score.method in OTHERWISE_AT_THRESHOLD)
    else:
        beyond = above is (score.value > score.threshold)
    return Status.BREACH if beyond else Status.OK


def share_drifted(scores: Sequence[Score]) -> float | None:
    """Return drifted columns over compared columns; None when nothing was compared."""
    drift = [s for s in scores if s.check is Check.DRIFT and s.value is not None]
    return sum(s.status is Status.BREACH for s in drift) / len(drift) if drift else None


def _statuses(scores: Sequence[Score], check: Check) -> list[Status]:
    return [s.status for s in scores if s.check is check and s.status is not None]


def _drift_status(scores: Sequence[Score], share: float | None, policy: DriftPolicy) -> Status:
    if share is None:
        return worst(_statuses(scores, Check.DRIFT))
    if share >= policy.share_drifted:
        return Status.BREACH
    failed = Status.ERROR in _statuses(scores, Check.DRIFT)
    return Status.ERROR if failed else (Status.WARNING if share else Status.OK)


def _performance_status(
    scores: Sequence[Score],
    policy: PerformancePolicy,
    provisional: bool,  # noqa: FBT001
) -> Status:
    found = [
        s
        for s in scores
        if s.check is Check.PERFORMANCE
        # Without a reference value there is no threshold, and nothing that could be well or not.
        and (s.failed or (s.method == policy.metric and s.threshold is not None))
    ]
    status = worst([s.status for s in found if s.status is not None])
    # Labels that come early are not a fair sample of all: a breach among them is shown only.
    return Status.WARNING if status is Status.BREACH and provisional else status
