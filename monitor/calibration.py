"""Calibration: how much each contrast wobbles from one reference window to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from monitor.columns import FloatArray
from monitor.contrast import Contrasted, Contrasts
from monitor.season import chosen_periods, design
from monitor.window import WindowPolicy

MIN_WINDOWS = 8
"""With fewer reference windows their scatter says too little: uncalibrated."""

FEW_WINDOWS = 13
"""Up to so many, the scatter of one column is drawn towards that of all."""

MAX_PRIOR_DF = 60.0

OUTLIER_T = 5.0
OUTLIER_P = 0.01
"""A reference window is left out of a column whose leave-one-out |t| is beyond the first, and that
by chance would be there less often than the second."""

MAX_LEFT_OUT = 4
"""At most one window in so many is left out: beyond that the reference is what it is."""


@dataclass(frozen=True)
class ColumnCalibration:
    """What a column's contrasts are expected to be, and how surely.

    Parameters
    ----------
    coefficients : ndarray, shape (n_contrasts, n_terms)
        Linear model of each contrast.
    variance : ndarray, shape (n_contrasts,)
        Variance of a reference window around it, at least `sampling`.
    sampling : ndarray, shape (n_contrasts,)
        The part of it that a window's number of rows explains.
    per_row : ndarray, shape (n_contrasts,)
        Sampling variance of one row.
    df : ndarray, shape (n_contrasts,)
        Degrees of freedom that `variance` rests on.
    leverage : ndarray, shape (n_terms, n_terms)
        Inverse of the terms' cross products.
    left_out : tuple of datetime
        Reference windows that stood out and were left out.
    """

    coefficients: FloatArray
    variance: FloatArray
    sampling: FloatArray
    per_row: FloatArray
    df: FloatArray
    leverage: FloatArray
    left_out: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """The reference's windows, as the alert budget needs them.

    Parameters
    ----------
    every : timedelta or None
    rows : int or None
        How windows are cut; others cannot be held against these.
    n_windows : int
        Reference windows.
    periods : tuple of timedelta
        Cycles that the reference follows.
    columns : mapping of str to ColumnCalibration
        By column.
    """

    every: timedelta | None
    rows: int | None
    n_windows: int
    periods: tuple[timedelta, ...]
    columns: Mapping[str, ColumnCalibration]


def calibrate(
    found: Mapping[str, tuple[Contrasts, Contrasted]],
    starts: Sequence[datetime],
    policy: WindowPolicy,
) -> Calibration:
    """Learn the scatter of every column's contrasts over the reference's windows.

    Parameters
    ----------
    found : mapping of str to (Contrasts, Contrasted)
        What each column shows in each of the reference's windows.
    starts : sequence of datetime, n_windows of them
        Where each window begins.
    policy : WindowPolicy
        How they were cut.

    Returns
    -------
    Calibration
        Of the columns that have values in at least `MIN_WINDOWS` windows.

    References
    ----------
    The variance of few windows: Smyth (2004), "Linear models and empirical Bayes methods for
    assessing differential expression in microarray experiments" (limma).
    """
    found = {name: (made, one) for name, (made, one) in found.items() if _is_enough(one)}
    if not found:
        return Calibration(policy.every, policy.rows, len(starts), (), {})
    periods = chosen_periods([one.values for _, one in found.values()], starts, policy.every)
    terms = design(starts, periods)
    columns = {
        name: _fit_clean(one, made.per_row, terms, starts) for name, (made, one) in found.items()
    }
    if len(starts) <= FEW_WINDOWS:
        columns = _shrunk(columns)
    floored = {name: _floored(one) for name, one in columns.items()}
    return Calibration(policy.every, policy.rows, len(starts), periods, floored)


def _is_enough(one: Contrasted) -> bool:
    """Say whether a column has something to look at, in windows enough to know its wobble."""
    has_values = np.isfinite(one.values).all(axis=1)
    return bool(one.values.shape[1] and has_values.sum() >= MIN_WINDOWS)


def _fit_clean(
    one: Contrasted, per_row: FloatArray, terms: FloatArray, starts: Sequence[datetime]
) -> ColumnCalibration:
    """Fit a column, leaving out windows that stand out, the worst first."""
    kept = np.array(np.isfinite(one.values).all(axis=1))
    left_out: list[datetime] = []
    while True:
        fitted = _fit(one, per_row, terms, kept)
        if len(left_out) >= len(starts) // MAX_LEFT_OUT or not per_row.size:
            break
        worst = _outlier(one.values[kept], terms[kept], fitted)
        if worst is None:
            break
        at = np.flatnonzero(kept)[worst]
        kept[at] = False
        left_out.append(starts[at])
    return replace(fitted, left_out=tuple(sorted(left_out)))


def _fit(
    one: Contrasted, per_row: FloatArray, terms: FloatArray, kept: npt.NDArray[np.bool_]
) -> ColumnCalibration:
    values, x = one.values[kept], terms[kept]
    leverage: FloatArray = np.linalg.pinv(x.T @ x).astype(np.float64)
    coefficients = (leverage @ x.T @ values).T
    df = max(1, len(values) - x.shape[1])
    residuals = values - x @ coefficients.T
    tail = _tail_df(residuals) if len(values) > FEW_WINDOWS else np.inf
    return ColumnCalibration(
        coefficients=coefficients,
        variance=(residuals**2).sum(axis=0) / df,
        sampling=(per_row / np.maximum(one.n[kept], 1)).mean(axis=0),
        per_row=per_row,
        df=np.minimum(tail, np.full(per_row.size, float(df))),
        leverage=leverage,
    )


def _tail_df(residuals: FloatArray) -> FloatArray:
    """Return the degrees of freedom of a t distribution with tails as heavy as those seen.

    Its excess kurtosis is 6 / (df - 4). What chance adds to that of normal residuals, by a
    standard error, is left out.
    """
    n = len(residuals)
    squares = (residuals**2).mean(axis=0)
    kurtosis = (residuals**4).mean(axis=0) / np.maximum(squares**2, 1e-300) - 3
    beyond = kurtosis - np.sqrt(24 / n)
    df: FloatArray = np.where(beyond > 0, 4 + 6 / np.maximum(beyond, 1e-9), np.inf)
    return df


def _outlier(values: FloatArray, x: FloatArray, fitted: ColumnCalibration) -> int | None:
    """Return the window that the others expect least, if by chance there would be none such."""
    hat = np.einsum("ij,jk,ik->i", x, fitted.leverage, x)
    room = np.maximum(1 - hat, 1e-9)[:, None]
    squares = (values - x @ fitted.coefficients.T) ** 2 / room
    df = len(values) - x.shape[1] - 1
    if df < 1:
        return None
    others = np.maximum((fitted.variance * (df + 1) - squares) / df, fitted.sampling)
    t = np.sqrt(squares / others)
    worst = int(t.max(axis=1).argmax())
    rest = np.delete(values - x @ fitted.coefficients.T, worst, axis=0)
    by_chance = 2 * stats.t.sf(t[worst], np.minimum(df, _tail_df(rest))) * len(values)
    stands_out = (t[worst] > OUTLIER_T) & (by_chance < OUTLIER_P)
    return worst if stands_out.any() else None


def _shrunk(columns: Mapping[str, ColumnCalibration]) -> dict[str, ColumnCalibration]:
    """Draw each variance towards the typical one, in units of what sampling explains.

    In these units a rank and a share are comparable, and so are columns with other numbers of
    values.
    """
    ratios = np.concatenate([one.variance / one.sampling for one in columns.values()])
    df = np.concatenate([one.df for one in columns.values()])
    seen = ratios > 0
    if seen.sum() < 2:  # noqa: PLR2004 - no scatter of one
        return dict(columns)
    half = df[seen] / 2
    e = np.log(ratios[seen]) - special.digamma(half) + np.log(half)
    beyond = float(np.var(e, ddof=1) - special.polygamma(1, half).mean())
    prior_df = min(MAX_PRIOR_DF, 2 * _inverse_trigamma(beyond)) if beyond > 0 else MAX_PRIOR_DF
    prior = np.exp(e.mean() + special.digamma(prior_df / 2) - np.log(prior_df / 2))
    return {
        name: replace(
            one,
            variance=np.where(
                one.variance > 0,
                (prior_df * prior * one.sampling + one.df * one.variance) / (prior_df + one.df),
                0.0,
            ),
            df=one.df + prior_df,
        )
        for name, one in columns.items()
    }


def _inverse_trigamma(value: float) -> float:
    """Solve ``trigamma(x) = value`` by Newton's method (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        now = float(special.polygamma(1, x))
        step = now * (1 - now / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-8 * x:
            break
    return x


def _floored(one: ColumnCalibration) -> ColumnCalibration:
    """Keep a variance from being less than sampling alone: that was luck."""
    return replace(one, variance=np.maximum(one.variance, one.sampling))
