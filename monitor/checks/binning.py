"""Binning: how many values lie in each bin, of columns in ascending order."""

import numpy as np

from monitor.columns import FloatArray, IntArray


def sturges_edges(low: float, high: float, n_values: int, *, whole: bool) -> FloatArray:
    """Return the edges that ``np.histogram_bin_edges(bins="sturges")`` cuts.

    Parameters
    ----------
    low, high : float
        The least and the greatest value.
    n_values : int
        How many values there are.
    whole : bool
        They are integers, for which NumPy cuts no bin narrower than 1.

    Examples
    --------
    >>> sturges_edges(0.0, 6.0, 4, whole=False).tolist()
    [0.0, 2.0, 4.0, 6.0]
    """
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    width = (high - low) / (np.log2(n_values) + 1)
    if whole:
        width = max(width, 1.0)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)


def bin_counts(ordered: FloatArray, edges: FloatArray) -> IntArray:
    """Count values, shape (n_values,), between edges; only the last bin is closed on the right.

    Examples
    --------
    >>> bin_counts(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [1, 2]
    """
    inner = np.searchsorted(ordered, edges[1:-1], side="left")
    return np.diff(inner, prepend=0, append=ordered.size)


def value_counts(ordered: FloatArray, values: FloatArray) -> IntArray:
    """Count how often each of some ascending values occurs, among which all values are."""
    ends = np.searchsorted(ordered, values, side="right")
    return np.diff(ends, prepend=0)


def distinct(ordered: FloatArray) -> FloatArray:
    """Return each value once; unlike ``np.unique`` it makes no copy of all of them.

    Examples
    --------
    >>> distinct(np.array([1.0, 1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    is_first = np.ones(ordered.size, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def first_distinct(ordered: FloatArray, limit: int) -> FloatArray:
    """Find up to `limit` distinct values from the start by jumping over repeats.

    Examples
    --------
    >>> first_distinct(np.array([1.0, 1.0, 2.0, 3.0]), 2).tolist()
    [1.0, 2.0]
    """
    found: list[float] = []
    at = 0
    while at < ordered.size and len(found) < limit:
        found.append(ordered[at])
        at = int(np.searchsorted(ordered, ordered[at], side="right"))
    return np.array(found)
