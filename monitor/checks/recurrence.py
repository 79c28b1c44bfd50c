"""Recurrence: values that come again and again, and whether numbers hit them only when mended."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.checks.onset import BoolArray
from monitor.columns import FloatArray

SAME = 3e-7
"""Two numbers that differ by less, relative to their size, are one: floats of 32 bits came apart by
being multiplied and divided."""

LEAST = 0.05
"""Where so few clean values recur, they tell nothing."""

SUREST = 0.001
"""Neither hitting nor missing a value that recurs is ever surer than this."""

TELLING = 3.0
"""What tells less than this, in nats, is left out: over many rows a season brings it together."""

N_CLEAN = 1000
"""So many clean values, evenly over time, say how often they recur."""


@dataclass(frozen=True)
class Recurrence:
    """The values that a column takes again and again.

    Most numbers are written with a few digits: whole degrees, tenths, steps of a sensor. What
    drifts keeps to them; what is multiplied by 1.609 leaves them all at one row, and dividing by it
    brings all of them back.

    Parameters
    ----------
    known : ndarray, sorted
        Values that more than one row of the reference has.
    before : ndarray
        Clean values.
    """

    known: FloatArray
    before: FloatArray

    def hits(self, values: FloatArray) -> BoolArray:
        """Say which values are among those that recur."""
        if not self.known.size:
            return np.zeros(values.shape, dtype=np.bool_)
        at = np.clip(np.searchsorted(self.known, values), 1, max(self.known.size - 1, 1))
        nearest = np.minimum(
            np.abs(values - self.known[at - 1]),
            np.abs(values - self.known[np.minimum(at, self.known.size - 1)]),
        )
        return np.asarray(nearest <= SAME * np.abs(values), dtype=np.bool_)

    @cached_property
    def sample(self) -> FloatArray:
        """A sample of the clean values, evenly over time."""
        return self.before[:: 1 + self.before.size // N_CLEAN]

    @cached_property
    def usual(self) -> float:
        """Share of clean values that recur."""
        return float(self.hits(self.sample).mean()) if self.sample.size else 0.0

    def weight(self, otherwise: FloatArray) -> float:
        """Return what it tells, in nats, that a value recurs which else would not.

        Parameters
        ----------
        otherwise : ndarray
            Clean values that something was done to; by how many of them recur chance is known.
        """
        if self.usual < LEAST:
            return 0.0
        chance = float(self.hits(otherwise).mean()) if otherwise.size else 0.0
        found = _logit(self.usual) - _logit(chance)
        return found if found >= TELLING else 0.0


def _logit(share: float) -> float:
    share = min(max(share, SUREST), 1 - SUREST)
    return float(np.log(share / (1 - share)))


def recurring(ordered: FloatArray) -> FloatArray:
    """Return the values that sorted ones have more than once.

    Examples
    --------
    >>> recurring(np.array([1.0, 1.5, 1.5, 2.0, 3.0, 3.0, 3.0])).tolist()
    [1.5, 3.0]
    """
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.asarray(again[np.concatenate([[True], np.diff(again) > 0])] if again.size else again)
