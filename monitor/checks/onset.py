"""Onset: the row of a window at which a column began to look otherwise."""

import numpy as np
import numpy.typing as npt

from monitor.columns import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]

MIN_ROWS = 30
"""Fewer rows than this say too little of a distribution: what began later is found in the next
window."""

LEAST_SPREAD = 0.05
"""A share that never varied is not infinitely sure to stay."""


def level_onset(shares: FloatArray, current: IntArray) -> int:
    """Find the row from which levels come in other shares.

    Parameters
    ----------
    shares : ndarray, shape (n_levels,)
        Before.
    current : ndarray, shape (n_rows,)
        Number of each row's level, in the order of time.

    Examples
    --------
    >>> level_onset(np.array([0.5, 0.5, 0.0]), np.array([0, 1] * 30 + [2, 1] * 30))
    60
    """
    is_level = (current[:, None] == np.arange(shares.size)).astype(np.float64)
    spread = np.sqrt(np.maximum(shares * (1 - shares), LEAST_SPREAD**2))
    return _cut(is_level - shares, spread)


def sign_onset(is_it: BoolArray, usual: float) -> int:
    """Find the row from which something comes more often than usual.

    Parameters
    ----------
    is_it : ndarray of bool, shape (n_rows,)
        Where it comes, in the order of time.
    usual : float
        Its share before, 0-1.

    Examples
    --------
    >>> sign_onset(np.arange(100) >= 70, 0.0)
    70
    """
    spread = max((usual * (1 - usual)) ** 0.5, LEAST_SPREAD)
    sums = np.cumsum(((is_it - usual) / spread)[::-1])[::-1]
    return int(np.argmax(sums / np.sqrt(np.arange(is_it.size, 0, -1))))


def _cut(deviations: FloatArray, spread: FloatArray) -> int:
    n_rows = len(deviations)
    sums = np.cumsum((deviations / spread)[::-1], axis=0)[::-1]
    n_after = np.arange(n_rows, 0, -1)
    stands_out = np.abs(sums).max(axis=1) / np.sqrt(n_after)
    return int(np.argmax(stands_out[: max(1, n_rows - MIN_ROWS + 1)]))
