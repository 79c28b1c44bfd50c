"""Season: the cycles of the calendar that windows follow, where the reference proves them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from scipy import stats

from monitor.columns import FloatArray
from monitor.window import MONDAY

CYCLES = (timedelta(days=1), timedelta(days=7), timedelta(days=365.25))
N_HARMONICS = 2
"""A sine and a cosine of a cycle, and of half of it."""

WINDOWS_A_CYCLE = 4
"""A cycle is looked for when at least so many windows fall into it, and two cycles are there."""

N_CYCLES = 2
N_BLOCKS = 5
MAX_ERROR = 0.9
"""Terms are taken when, on blocks of windows left out, they bring the error below this share."""

LEVEL, MAX_BEYOND = 0.01, 0.02
"""... and when not more than the second share of windows is beyond the limit of the first."""


def design(starts: Sequence[datetime], periods: Sequence[timedelta]) -> FloatArray:
    """Return the terms of a linear model of windows: a constant, and waves of each period.

    Returns
    -------
    ndarray, shape (n_windows, 1 + 2 * N_HARMONICS * n_periods)

    Examples
    --------
    >>> design([MONDAY, MONDAY + timedelta(hours=6)], [timedelta(days=1)]).round(2)
    array([[ 1.,  0.,  1.,  0.,  1.],
           [ 1.,  1.,  0.,  0., -1.]])
    """
    terms = [np.ones(len(starts))]
    for period in periods:
        angle = 2 * np.pi * np.array([(start - MONDAY) / period for start in starts])
        for harmonic in range(1, N_HARMONICS + 1):
            terms += [np.sin(harmonic * angle), np.cos(harmonic * angle)]
    return np.stack(terms, axis=1)


def chosen_periods(
    values: Sequence[FloatArray], starts: Sequence[datetime], every: timedelta | None
) -> tuple[timedelta, ...]:
    """Choose the cycles that foretell windows they have not seen.

    A cycle that is only imagined, or a clock that is wrong, would make every window look odd. So
    the reference's windows are left out in contiguous blocks and foretold from the others: terms
    that do not help there, or whose limits do not hold there, are not taken.

    Parameters
    ----------
    values : sequence of ndarray, shape (n_windows, n_contrasts)
        The contrasts, column by column.
    starts : sequence of datetime
        Where each window begins.
    every : timedelta or None
        Length of a window; windows by count have no cycle.
    """
    if every is None or not values:
        return ()
    stacked = np.concatenate(values, axis=1)
    usable = np.isfinite(stacked).all(axis=0) & (np.ptp(stacked, axis=0) > 0)
    stacked = stacked[:, usable]
    if not stacked.shape[1]:
        return ()
    chosen: tuple[timedelta, ...] = ()
    error, _ = _foretold(stacked, design(starts, chosen))
    for period in CYCLES:
        if not _is_possible(period, starts, every, len(chosen) + 1):
            continue
        candidate = (*chosen, period)
        with_it, beyond = _foretold(stacked, design(starts, candidate))
        if np.log(with_it / error).mean() <= np.log(MAX_ERROR) and beyond <= MAX_BEYOND:
            chosen, error = candidate, with_it
    return chosen


def _is_possible(
    period: timedelta, starts: Sequence[datetime], every: timedelta, n_periods: int
) -> bool:
    n_terms = 1 + 2 * N_HARMONICS * n_periods
    enough = len(starts) * (1 - 1 / N_BLOCKS) >= 2 * n_terms
    spanned = starts[-1] - starts[0] + every
    return enough and period >= WINDOWS_A_CYCLE * every and spanned >= N_CYCLES * period


def _foretold(values: FloatArray, terms: FloatArray) -> tuple[FloatArray, float]:
    """Foretell blocks of windows from the others.

    Returns
    -------
    errors : ndarray, shape (n_contrasts,)
        Mean squared errors.
    beyond : float
        Share of windows, over all contrasts, beyond the limit that `LEVEL` gives.
    """
    errors = np.zeros(values.shape[1])
    n_beyond = 0
    for block in np.array_split(np.arange(len(values)), N_BLOCKS):
        others = np.setdiff1d(np.arange(len(values)), block)
        x = terms[others]
        leverage = np.linalg.pinv(x.T @ x)
        fitted = leverage @ x.T @ values[others]
        df = len(others) - x.shape[1]
        variance = ((values[others] - x @ fitted) ** 2).sum(axis=0) / df
        missed = (values[block] - terms[block] @ fitted) ** 2
        hat = np.einsum("ij,jk,ik->i", terms[block], leverage, terms[block])[:, None]
        n_beyond += int((missed > stats.t.isf(LEVEL / 2, df) ** 2 * variance * (1 + hat)).sum())
        errors += missed.sum(axis=0)
    return errors / len(values), n_beyond / values.size
