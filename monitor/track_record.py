"""Track record: what was estimated without labels, held against what the labels said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
    pairs = [
        (window["estimate"], window["metrics"][window["estimate"]["metric"]])
        for window in windows
        if not window["provisional"]
        and window["estimate"]
        and window["estimate"]["value"] is not None
        and window["estimate"]["metric"] in window["metrics"]
    ]
    if not pairs:
        return None
    errors = [abs(told["value"] - real) for told, real in pairs]
    inside = [told["lower"] <= real <= told["upper"] for told, real in pairs]
    return TrackRecord(len(pairs), sum(inside), sum(errors) / len(pairs))
