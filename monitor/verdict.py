"""Verdict: all scores of one window, judged. The only place a breach is decided."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.checks.calibrated import METHOD, Limits, limits
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy
from monitor.checks.methods import OTHERWISE_AT_THRESHOLD
from monitor.checks.quality import OUT_OF_RANGE, REFUSED
from monitor.checks.score import BreachWhen, Check, Score, Status, worst
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from monitor.reference import Reference
from monitor.window import LabelPolicy, WindowPolicy

MAX_MIN_ROWS = 500
"""Windows with at least this many rows are judged, however large a typical one is."""


@dataclass(frozen=True)
class VerdictPolicy:
    """Everything the judgement of a window rests on besides its scores."""

    window: WindowPolicy
    labels: LabelPolicy
    drift: DriftPolicy
    performance: PerformancePolicy


@dataclass(frozen=True)
class Basis:
    """What a window is judged on besides its scores.

    Parameters
    ----------
    n_rows : int
        Its rows.
    enough_rows : int
        Fewer rows than this are no data; see `min_rows`.
    provisional : bool
        Labels are still waited for; see `monitor.maturity`.
    moved_before : collection of str
        Columns that had moved, by their calibrated score, in one of the two windows before.
    """

    n_rows: int
    enough_rows: int
    provisional: bool
    moved_before: Collection[str] = ()


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
        """Return the check's scores beyond their threshold, the furthest first.

        Where they are ranked, that which matters most comes first.
        """
        found = [s for s in self.scores if s.check is check and s.status is Status.BREACH]
        return sorted(found, key=lambda score: (score.rank or len(found), -excess(score)))


def excess(score: Score) -> float:
    """Say how many times its threshold a score reaches, in the bad direction; from 1 it breaches.

    A score without a number or a threshold has 0.
    """
    if score.value is None or score.threshold is None:
        return 0.0
    if score.breach_when is BreachWhen.ABOVE:
        return score.value / max(score.threshold, 1e-12)
    return score.threshold / max(score.value, 1e-300)


def judge(scores: Sequence[Score], basis: Basis, policy: VerdictPolicy, *, target: str) -> Verdict:
    """Judge a window.

    Parameters
    ----------
    scores : sequence of Score
        What the checks found.
    basis : Basis
        What is known of the window besides.
    policy : VerdictPolicy
        The limits.
    target : str
        The label column. Its drift is shown, but left out of the share: labels come late, and the
        share must not change with them.

    Returns
    -------
    Verdict
        NO_DATA when the window has too few rows, unless rows were refused.
    """
    if basis.n_rows < basis.enough_rows:
        return _without_data(scores, basis.provisional)
    scored = tuple(_with_status(score, scores, policy, basis.moved_before) for score in scores)
    provisional = basis.provisional
    drift = _deciding(scored, target)
    share = share_drifted(drift)
    checks = {
        Check.DRIFT: _drift_status(scored, drift, policy.drift),
        Check.QUALITY: _quality_status(scored),
        Check.PERFORMANCE: _performance_status(scored, policy.performance, provisional),
        Check.ESTIMATE: _estimate_status(scored, provisional),
        Check.MULTIVARIATE: worst(_statuses(scored, Check.MULTIVARIATE)),
    }
    status = worst([s for s in checks.values() if s is not Status.NO_DATA])
    return Verdict(status, checks, scored, share, provisional)


def _without_data(scores: Sequence[Score], provisional: bool) -> Verdict:  # noqa: FBT001
    """Judge nothing but what was refused: it may be why there are so few rows."""
    scored = tuple(
        replace(s, status=score_status(s) if s.method == REFUSED else Status.NO_DATA)
        for s in scores
    )
    quality = worst(_statuses(scored, Check.QUALITY))
    checks = {**dict.fromkeys(Check, Status.NO_DATA), Check.QUALITY: quality}
    return Verdict(quality, checks, scored, None, provisional)


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
        beyond = above is bool(score.value > score.threshold)  # of NumPy's there is more than one
    return Status.BREACH if beyond else Status.OK


def share_drifted(scores: Sequence[Score]) -> float | None:
    """Return drifted columns over compared columns; None when nothing was compared."""
    drift = [s for s in scores if s.check is Check.DRIFT and s.value is not None]
    return sum(s.status is Status.BREACH for s in drift) / len(drift) if drift else None


def _statuses(scores: Sequence[Score], check: Check) -> list[Status]:
    return [s.status for s in scores if s.check is check and s.status is not None]


def _with_status(
    score: Score, scores: Sequence[Score], policy: VerdictPolicy, moved_before: Collection[str]
) -> Score:
    """Judge a score; where there is a budget it decides on drift, and other limits only warn.

    Also that of numbers far out of range: how far a column moves by itself, the budget knows.
    """
    status, budget = score_status(score), policy.drift.budget
    is_far_out = score.method == OUT_OF_RANGE and is_calibrated(scores)
    if score.check is Check.MULTIVARIATE or is_far_out:
        return replace(score, status=Status.WARNING if status is Status.BREACH else status)
    if budget is None or score.check is not Check.DRIFT or not is_calibrated(scores):
        return replace(score, status=status)
    if score.method != METHOD:
        return replace(score, status=Status.WARNING if status is Status.BREACH else status)
    if score.value is not None:
        before = score.column in moved_before
        status = drift_status(score.value, limits(budget, policy.window), before=before)
    return replace(score, status=status)


def drift_status(p: float, allowed: Limits, *, before: bool) -> Status:
    """Judge a column by its calibrated score.

    Parameters
    ----------
    p : float
        The adjusted p-value.
    allowed : Limits
        What the alert budget comes to.
    before : bool
        The column had moved in one of the two windows before.

    Examples
    --------
    >>> allowed = Limits(once=0.05, watch=0.1)
    >>> drift_status(0.07, allowed, before=False), drift_status(0.07, allowed, before=True)
    (<Status.WARNING: 'WARNING'>, <Status.BREACH: 'BREACH'>)
    """
    if p <= allowed.once or (p <= allowed.watch and before):
        return Status.BREACH
    return Status.WARNING if p <= allowed.watch else Status.OK


def is_calibrated(scores: Iterable[Score]) -> bool:
    """Say whether drift was held against the wobble of the reference's windows."""
    return any(map(decides_by_wobble, scores))


def decides_by_wobble(score: Score) -> bool:
    """Say whether a score is a column's calibrated one; one of no column says why there are none.

    Examples
    --------
    >>> decides_by_wobble(Score(Check.DRIFT, "x", METHOD, 0.5, 0.1, BreachWhen.BELOW, 8, 100))
    True
    """
    return score.check is Check.DRIFT and score.method == METHOD and score.column is not None


def _deciding(scores: Sequence[Score], target: str) -> list[Score]:
    """Return the drift scores that decide: the calibrated ones where there are any."""
    drift = [s for s in scores if s.check is Check.DRIFT and s.column != target]
    calibrated = [score for score in drift if decides_by_wobble(score)]
    return calibrated or drift


def _drift_status(
    scores: Sequence[Score], deciding: Sequence[Score], policy: DriftPolicy
) -> Status:
    share = share_drifted(deciding)
    if share is None:
        return worst(_statuses(scores, Check.DRIFT))
    if share and (is_calibrated(deciding) or share >= policy.share_drifted):
        return Status.BREACH
    if Status.ERROR in _statuses(scores, Check.DRIFT):
        return Status.ERROR
    unconfirmed = share or Status.WARNING in _statuses(deciding, Check.DRIFT)
    return Status.WARNING if unconfirmed else Status.OK


def _quality_status(scores: Sequence[Score]) -> Status:
    """Judge what there was to judge: of a column without a value nothing but that can be said."""
    return worst([s for s in _statuses(scores, Check.QUALITY) if s is not Status.NO_DATA])


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
        and (s.failed or (s.method in (policy.metric, SLOW_FALL) and s.threshold is not None))
    ]
    status = worst([s.status for s in found if s.status is not None])
    # Labels that come early are not a fair sample of all: a breach among them is shown only.
    return Status.WARNING if status is Status.BREACH and provisional else status


def _estimate_status(scores: Sequence[Score], provisional: bool) -> Status:  # noqa: FBT001
    status = worst(_statuses(scores, Check.ESTIMATE))
    # What has been measured stands: an estimate is shown beside it, and decides nothing any more.
    return Status.OK if status is Status.BREACH and not provisional else status
