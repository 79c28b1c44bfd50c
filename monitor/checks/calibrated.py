"""Calibrated: drift beyond the wobble that the reference's own windows show.

The window is the unit: a week is compared with weeks, not its rows with rows. `docs/methods.md`
explains the method, and where it fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy import stats

from monitor.calibration import Calibration, ColumnCalibration
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import FloatArray
from monitor.contrast import Contrasted, Contrasts, contrasted
from monitor.profile import Profile
from monitor.season import design
from monitor.window import WindowPolicy

METHOD = "calibrated"
"""Method of a column's score: its p-value, adjusted for all columns and contrasts."""

MAX_WATCH = 0.10
"""Never watch for more than this share of false discoveries."""


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
    per: timedelta | int = timedelta(days=30)
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


@dataclass(frozen=True)
class Surprise:
    """How surprising some windows of a column are.

    Parameters
    ----------
    t : ndarray, shape (n_windows, n_contrasts)
        Signed distance from what is expected, in standard errors.
    p : ndarray, shape (n_windows, n_contrasts)
        Two-sided p-values; NaN where there is no value.
    """

    t: FloatArray
    p: FloatArray


def surprise(fitted: ColumnCalibration, one: Contrasted, terms: FloatArray) -> Surprise:
    """Say how surprising windows are, given how much the reference's windows wobble.

    The prediction interval of a linear model: a window differs from the expected by its own
    wobble, by the sampling of its own rows, and because the expected is itself uncertain.

    Parameters
    ----------
    fitted : ColumnCalibration
        From the reference.
    one : Contrasted, n_windows windows
        The windows' contrasts.
    terms : ndarray, shape (n_windows, n_terms)
        Their terms, see `monitor.season.design`.

    Examples
    --------
    >>> fitted = ColumnCalibration(
    ...     coefficients=np.array([[0.0]]), variance=np.array([0.04]), sampling=np.array([0.01]),
    ...     per_row=np.array([1.0]), df=np.array([25.0]), leverage=np.array([[1 / 26]]),
    ... )
    >>> window = Contrasted(np.array([[0.5]]), np.array([[100.0]]), np.array([[0.1]]))
    >>> found = surprise(fitted, window, np.ones((1, 1)))
    >>> round(float(found.t[0, 0]), 2), round(float(found.p[0, 0]), 3)
    (2.45, 0.021)
    """
    hat = np.einsum("ij,jk,ik->i", terms, fitted.leverage, terms)[:, None]
    wobble = fitted.variance - fitted.sampling
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = wobble + fitted.per_row / one.n + fitted.variance * hat
        t = (one.values - terms @ fitted.coefficients.T) / np.sqrt(variance)
    return Surprise(t, 2 * stats.t.sf(np.abs(t), fitted.df))


def column_p(p: FloatArray) -> FloatArray:
    """Combine the p-values of a column's contrasts, shape (n_windows, n_contrasts), by Bonferroni.

    Examples
    --------
    >>> column_p(np.array([[0.01, 0.5, 0.9], [0.9, np.nan, np.nan]])).tolist()
    [0.03, 0.9]
    """
    n = np.isfinite(p).sum(axis=1)
    least = np.min(np.where(np.isfinite(p), p, np.inf), axis=1, initial=np.inf)
    return np.where(n > 0, np.minimum(1.0, n * least), np.nan)


def material(found: Surprise, one: Contrasted, materiality: float) -> FloatArray:
    """Return the p-values, 1 where the contrast is told from the reference's by less than matters.

    Each contrast by its own effect: a spread that has moved a hair, seen in 50 000 rows, must not
    borrow the size of a location that moved within its wobble.
    """
    return np.where(np.isfinite(found.p) & (one.effects < materiality), 1.0, found.p)


def adjusted(p: FloatArray) -> FloatArray:
    """Adjust the p-values of a window's columns, shape (n_columns,), by Benjamini and Hochberg.

    A level of the false discovery rate rejects the columns whose adjusted p-value is at most it.

    References
    ----------
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, np.nan, 0.02])).tolist()
    [0.03, 0.04, nan, 0.03]
    """
    found = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known])]
    scaled = p[order] * known.size / np.arange(1, known.size + 1)
    found[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return found


def calibrated_scores(
    calibration: Calibration,
    made: Mapping[str, Contrasts],
    window: Profile,
    *,
    budget: AlertBudget,
    policy: WindowPolicy,
) -> list[Score]:
    """Score a window's columns against the wobble of the reference's windows.

    Parameters
    ----------
    calibration : Calibration
        The reference's.
    made : mapping of str to Contrasts
        The reference's contrasts, of the columns to score.
    window : Profile, one cell
        The window.
    budget : AlertBudget
        What a person accepts.
    policy : WindowPolicy
        How rows are cut.

    Returns
    -------
    list of Score
        One a column: the adjusted p-value of what is material; not judged yet.
    """
    terms = design(window.starts, calibration.periods)
    watch = limits(budget, policy).watch
    names = [name for name in made if name in calibration.columns]
    ones = {name: contrasted(made[name], window.columns[name]) for name in names}
    found = {name: surprise(calibration.columns[name], ones[name], terms) for name in names}
    by_column = {n: material(found[n], ones[n], budget.materiality) for n in names}
    told = adjusted(np.array([column_p(by_column[name])[0] for name in names]))
    seen = adjusted(np.array([column_p(found[name].p)[0] for name in names]))
    return [
        Score(
            check=Check.DRIFT,
            column=name,
            method=METHOD,
            value=None if np.isnan(told[at]) else float(told[at]),
            threshold=watch,
            breach_when=BreachWhen.BELOW,
            n_reference=calibration.n_windows,
            n_current=int(window.n_rows[0]),
            detail=_detail(
                made[name], found[name], ones[name], hidden=seen[at] <= watch < told[at]
            ),
        )
        for at, name in enumerate(names)
    ]


def _detail(made: Contrasts, found: Surprise, one: Contrasted, *, hidden: bool) -> str:
    """Say what moved most, by how many standard errors of the reference's windows."""
    t = np.abs(found.t[0])
    if not np.isfinite(t).any():
        return "the window has no values"
    at = int(np.nanargmax(t))
    what = made.names[at] if at < made.basis.shape[1] else f"share of {made.names[at]!r}"
    size = f"|AUC - .5| {one.effects[0, at]:.3f}"
    moved = f"{what} is {found.t[0, at]:+.1f} standard errors from its usual, {size}"
    return f"detectable, immaterial: {moved}" if hidden else moved
