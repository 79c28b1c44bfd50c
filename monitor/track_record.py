"""Track record: what was estimated without labels, held against what the labels said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Document = Mapping[str, Any]


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


def track_record(windows: Iterable[Document]) -> TrackRecord | None:
    """Hold estimates against what was measured; None while there is nothing to compare.

    Parameters
    ----------
    windows : iterable of mapping
        Windows with ``estimate``, ``metrics`` and ``provisional``, as the store has them.

    Examples
    --------
    >>> told = {"metric": "mae", "value": 2.0, "lower": 1.5, "upper": 2.5}
    >>> track_record([
    ...     {"estimate": told, "metrics": {"mae": 2.4}, "provisional": False},
    ...     {"estimate": told, "metrics": {"mae": 2.6}, "provisional": False},
    ...     {"estimate": told, "metrics": {"mae": 9.9}, "provisional": True},
    ... ])
    TrackRecord(n_windows=2, n_inside=1, mean_absolute_error=0.5)
    """
    return record_of(
        Compared(told["value"], told["lower"], told["upper"], window["metrics"][told["metric"]])
        for window in windows
        if not window["provisional"]
        and (told := window["estimate"])
        and told["value"] is not None
        and told["metric"] in window["metrics"]
    )


def record_of(compared: Iterable[Compared]) -> TrackRecord | None:
    """Add up windows; None without any."""
    found = list(compared)
    if not found:
        return None
    inside = sum(one.lower <= one.measured <= one.upper for one in found)
    off = sum(abs(one.value - one.measured) for one in found)
    return TrackRecord(len(found), inside, off / len(found))
