"""Track record: what was estimated without labels, held against what the labels said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class TrackRecord:
    """How good a model's estimates were.

    Parameters
    ----------
    n_windows : int
        Windows with an estimate, whose performance is final.
    n_inside : int
        Those in which what was measured lay inside the estimate's 95 % band.
    mean_absolute_error : float
        How far estimates were from what was measured, in the metric's unit.
    """

    n_windows: int
    n_inside: int
    mean_absolute_error: float


class Compared(NamedTuple):
    """An estimate with its 95 % band, and what was measured on the same window."""

    value: float
    lower: float
    upper: float
    measured: float


def record_of(compared: Sequence[Compared]) -> TrackRecord:
    """Add up windows; at least one.

    Examples
    --------
    >>> record_of([Compared(2.0, 1.5, 2.5, measured=2.4), Compared(2.0, 1.5, 2.5, measured=2.6)])
    TrackRecord(n_windows=2, n_inside=1, mean_absolute_error=0.5)
    """
    inside = sum(one.lower <= one.measured <= one.upper for one in compared)
    off = sum(abs(one.value - one.measured) for one in compared)
    return TrackRecord(len(compared), inside, off / len(compared))
