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
    mean_absolute_error : float
        How far estimates were from what was measured, in the metric's unit.
    inside_ratio : float
        Share of what was measured that was inside the 95 % band, 0-1.
    """

    n_windows: int
    mean_absolute_error: float
    inside_ratio: float


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
    TrackRecord(n_windows=2, mean_absolute_error=0.5, inside_ratio=0.5)
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
    n_windows = len(pairs)
    return TrackRecord(n_windows, sum(errors) / n_windows, sum(inside) / n_windows)
