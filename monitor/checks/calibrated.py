"""Calibrated: drift beyond the wobble that the reference's own windows show.

The window is the unit: a week is compared with weeks, not its rows with rows. `docs/methods.md`
explains the method, and where it fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from monitor.calibration import MIN_WINDOWS, Calibration
from monitor.checks.score import BreachWhen, Check, Score
from monitor.checks.surprise import Surprise, adjusted, column_p, material, surprise
from monitor.columns import FloatArray
from monitor.contrast import Contrasted, contrasted, contrasts_of
from monitor.profile import Profile, whole
from monitor.reference import Reference
from monitor.season import design
from monitor.window import Window, WindowPolicy

METHOD = "calibrated"
"""Method of a column's score: its p-value, adjusted for all columns and contrasts."""

MAX_WATCH = 0.10
"""Never watch for more than this share of false discoveries."""


DEFAULT_TIME, DEFAULT_WINDOWS = timedelta(days=30), 50
"""What a budget's alerts are counted in by default: windows where rows are cut by count."""


@dataclass(frozen=True)
class AlertBudget:
    """How many alerts without a cause a person accepts.

    Parameters
    ----------
    alerts : float
        So many ...
    per : timedelta or int
        ... in this time, or in so many windows.
    materiality : float, 0 to .5
        Least `|AUC - .5|` between window and reference: what is less is seen and does not matter.
    """

    alerts: float = 1.0
    per: timedelta | int = DEFAULT_TIME
    materiality: float = 0.02


@dataclass(frozen=True)
class Limits:
    """What a budget comes to for one window.

    Parameters
    ----------
    once : float
        A column whose adjusted p-value is at most this has moved.
    watch : float
        So has one that is at most this, and was in one of the two windows before.
    """

    once: float
    watch: float


def limits(budget: AlertBudget, policy: WindowPolicy) -> Limits:
    """Spend a budget: a quarter on what is seen once, the rest on what is seen again.

    With q alerts expected a window, a column is false at once with q/4, and twice in three windows
    with at most two times sqrt(q/4)² = q/2.

    Parameters
    ----------
    budget : AlertBudget
        What a person accepts.
    policy : WindowPolicy
        How rows are cut: how many windows its time has. For windows by count the budget counts
        windows.

    Examples
    --------
    >>> limits(AlertBudget(), WindowPolicy(every=timedelta(days=1)))
    Limits(once=0.008333333333333333, watch=0.09128709291752768)
    >>> limits(AlertBudget(per=50), WindowPolicy(rows=500))
    Limits(once=0.005, watch=0.07071067811865475)
    """
    if isinstance(budget.per, int):
        expected = budget.alerts / budget.per
    else:
        assert policy.every is not None
        expected = budget.alerts * (policy.every / budget.per)
    once = min(expected, 1.0) / 4
    return Limits(once, max(once, min(MAX_WATCH, once**0.5)))


def calibrated_scores(
    reference: Reference,
    counted: Profile,
    window: Window,
    policy: WindowPolicy,
    budget: AlertBudget,
) -> list[Score]:
    """Score a window's columns against the wobble of the reference's windows.

    Parameters
    ----------
    reference : Reference
        With its calibration, or without.
    counted : Profile
        The window's features and prediction, over the reference's bins.
    window : Window
        The window.
    policy : WindowPolicy
        How rows are cut now.
    budget : AlertBudget
        What a person accepts.

    Returns
    -------
    list of Score
        One a column: the adjusted p-value of what is material. Where the reference is not
        calibrated a single one, of no column, that says why. Not judged yet.
    """
    why_not = uncalibrated(reference.calibration, policy)
    if reference.calibration is None or why_not:
        return [replace(_unscored(None, 0, counted), detail=why_not)]
    calibration = reference.calibration
    one = replace(whole(counted), starts=(window.start,))
    terms = design(one.starts, calibration.periods)
    found = {
        name: _beyond(name, reference, calibration, one, terms) for name in calibration.columns
    }
    matters = {
        name: material(each.surprise, each.contrasted, budget.materiality)
        for name, each in found.items()
    }
    told = adjusted(np.array([column_p(p)[0] for p in matters.values()]))
    seen = adjusted(np.array([column_p(each.surprise.p)[0] for each in found.values()]))
    watch = limits(budget, policy).watch
    return [
        replace(
            _unscored(name, calibration.n_windows, one),
            value=None if np.isnan(told[at]) else float(told[at]),
            threshold=watch,
            detail=_detail(each, matters[name], hidden=bool(seen[at] <= watch < told[at])),
        )
        for at, (name, each) in enumerate(found.items())
    ]


def uncalibrated(calibration: Calibration | None, policy: WindowPolicy) -> str:
    """Say why a reference has no wobble to hold windows against; nothing where it has.

    Examples
    --------
    >>> uncalibrated(Calibration(timedelta(days=7), None, 4, (), {}), WindowPolicy(rows=500))
    'uncalibrated: the reference was cut into other windows than now'
    >>> uncalibrated(Calibration(None, 500, 4, (), {}), WindowPolicy(rows=500))
    'uncalibrated: the reference has 4 windows, 8 are needed'
    """
    if calibration is None:
        return "uncalibrated: the reference was never cut into windows"
    if (calibration.every, calibration.rows) != (policy.every, policy.rows):
        return "uncalibrated: the reference was cut into other windows than now"
    if calibration.n_windows < MIN_WINDOWS:
        n = calibration.n_windows
        return f"uncalibrated: the reference has {n} windows, {MIN_WINDOWS} are needed"
    if not calibration.columns:
        return f"uncalibrated: no column has values in {MIN_WINDOWS} windows of the reference"
    return ""


@dataclass(frozen=True)
class _Beyond:
    """One column of a window beside its reference's windows."""

    names: tuple[str, ...]
    contrasted: Contrasted
    surprise: Surprise
    left_out: tuple[datetime, ...]


def _beyond(
    name: str, reference: Reference, calibration: Calibration, window: Profile, terms: FloatArray
) -> _Beyond:
    feature = name in reference.schema.features
    made = contrasts_of(reference.columns[name], calibration.n_windows, feature=feature)
    one = contrasted(made, window.columns[name])
    n_moments = made.basis.shape[1]
    shares = (f"share of {level}" for level in made.names[n_moments:])
    names = (*made.names[:n_moments], *shares)
    fitted = calibration.columns[name]
    return _Beyond(names, one, surprise(fitted, one, terms), fitted.left_out)


def _unscored(column: str | None, n_reference: int, window: Profile) -> Score:
    return Score(
        check=Check.DRIFT,
        column=column,
        method=METHOD,
        value=None,
        threshold=None,
        breach_when=BreachWhen.BELOW,
        n_reference=n_reference,
        n_current=int(window.n_rows.sum()),
    )


def _detail(found: _Beyond, p: FloatArray, *, hidden: bool) -> str:
    """Say what moved most, by how many standard errors of the reference's windows."""
    deciding = found.surprise.p if hidden or np.nanmin(p, initial=1.0) >= 1 else p
    if not np.isfinite(deciding).any():
        return "the window has no values"
    at = int(np.nanargmin(deciding[0]))
    moved = f"{found.names[at]} {found.surprise.t[0, at]:+.1f} standard errors from its usual"
    return f"{'detectable, immaterial: ' if hidden else ''}{moved}{_left_out(found.left_out)}"


def _left_out(starts: Sequence[datetime]) -> str:
    """Say which reference windows were too odd to learn from: someone may know why."""
    if not starts:
        return ""
    named = ", ".join(f"{start:%Y-%m-%d %H:%M}" for start in starts)
    return f"; reference windows left out as incidents: {named}"
