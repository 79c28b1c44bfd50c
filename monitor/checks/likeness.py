"""Likeness: how far numbers lie from clean ones, beside how far clean ones lie from each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from monitor.checks.onset import MIN_ROWS
from monitor.columns import FloatArray

N_QUANTILES = 32
BLOCKS = 4
MAX_BLOCKS = 12

Rows = TypeVar("Rows", bound=np.ndarray)


def distance(one: FloatArray, other: FloatArray) -> float:
    """Return the mean distance of the quantiles, in mean absolute deviations of the other.

    Examples
    --------
    >>> round(distance(np.arange(100.0) + 25, np.arange(100.0)), 1)
    1.0
    """
    return _in(gap(one, other), [other])


def far_distance(one: FloatArray, other: FloatArray, clean: FloatArray) -> float:
    """Return the mean distance of the quantiles of two, in the lesser deviation of one and clean.

    Numbers that were divided thus lie as far off as numbers that were multiplied.
    """
    return _in(gap(one, other), [one, clean])


def gap(one: FloatArray, other: FloatArray) -> float:
    """Return the mean distance of the quantiles, in the unit of the values."""
    return float(np.mean(np.abs(quantiles(one) - quantiles(other))))


def _in(apart: float, measures: Sequence[FloatArray]) -> float:
    if not apart:
        return 0.0
    # A stretch of one value is no measure.
    return apart / min((s for s in map(spread, measures) if s > 0), default=apart)


def spread(values: FloatArray) -> float:
    """Return the mean absolute deviation of the quantiles from their median."""
    found = quantiles(values)
    return float(np.mean(np.abs(found - np.median(found))))


def quantiles(values: FloatArray) -> FloatArray:
    """Return the quantiles that are compared."""
    ordered = np.sort(values)
    places = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES * (ordered.size - 1)
    low = places.astype(np.int64)
    high = np.minimum(low + 1, ordered.size - 1)
    found: FloatArray = ordered[low] + (places - low) * (ordered[high] - ordered[low])
    return found


def null_distance(
    clean: Rows, n_after: int, between: Callable[[Rows, Rows], float]
) -> float | None:
    """Return how far a stretch of clean rows lies from the other clean rows, at the most.

    Parameters
    ----------
    clean : ndarray, shape (n_clean, ...)
        In the order of time.
    n_after : int
        Rows that will be held against them; a stretch is as long, if there are four of them.
    between : callable
        The distance of two sets of rows.

    Returns
    -------
    float or None
        None where there are too few rows.

    Examples
    --------
    >>> clean = np.random.default_rng(0).normal(size=1000)
    >>> null_distance(clean, 200, distance) < 0.3
    True
    """
    length = min(n_after, len(clean) // BLOCKS)
    if length < MIN_ROWS:
        return None
    n_blocks = min(MAX_BLOCKS, len(clean) // length)
    found = []
    for number in range(n_blocks):
        end = len(clean) - number * length
        rest = np.concatenate([clean[: end - length], clean[end:]])
        found.append(between(clean[end - length : end], rest))  # type: ignore[arg-type]
    return max(found)


@dataclass(frozen=True)
class Likeness:
    """How a column's rows after a cut stand to those before.

    Parameters
    ----------
    null : float
        Distance between clean stretches.
    apart : float
        Distance of the rows as they came.
    """

    null: float
    apart: float

    def restores(self, mended: float) -> bool:
        """Say whether mended rows lie as near as clean ones do, and those that came do not.

        Rows that are only three times nearer may be so by luck. Where hardly anything of a long
        way is left, that may be a little more than clean stretches differ by: few were seen.
        """
        if not np.isfinite(self.null) or self.apart < FAR * self.null:
            return False
        is_near = mended <= NEAR * self.null and mended <= self.apart / FAR
        return is_near or (mended <= FAR * self.null and mended <= self.apart / HARDLY)


NEAR = 1.3
"""Mended rows lie within so many times the distance of clean stretches."""

FAR = 3.0
"""Broken rows lie beyond so many times that distance."""

HARDLY = 30.0
"""Hardly anything is left of a distance that was so many times as long."""
