"""Bands: how sure a chart's values are, and what was estimated beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dashboards.pages.timeline import SLOT

Document = Mapping[str, Any]
Range = tuple[float, float, float]
"""A value with the ends of its 95 % band."""


@dataclass(frozen=True)
class Bands:
    """What is drawn around and beside a metric's line.

    Parameters
    ----------
    whiskers : str
        SVG path: the band of each value that was measured.
    band, estimate : str
        SVG paths: the band of what was estimated, as an area, and its middle.
    early : tuple of int
        Places of the values that are provisional.
    """

    whiskers: str = ""
    band: str = ""
    estimate: str = ""
    early: tuple[int, ...] = ()


def measured_band(window: Document, metric: str) -> Range | None:
    """Return what was measured of a window, with its band.

    Examples
    --------
    >>> found = {"metrics": {"mae": 2.0}, "bands": {"mae": {"lower": 1.5, "upper": 2.5}}}
    >>> measured_band(found, "mae"), measured_band(found, "rmse")
    ((2.0, 1.5, 2.5), None)
    """
    band = window.get("bands", {}).get(metric)
    return band and (window["metrics"][metric], band["lower"], band["upper"])


def estimated_band(window: Document, metric: str) -> Range | None:
    """Return what was estimated of a window, with its band."""
    told = window.get("estimate")
    if not told or told["metric"] != metric or told["value"] is None:
        return None
    return told["value"], told["lower"], told["upper"]


def reach(windows: Sequence[Document], metric: str) -> list[float]:
    """Return the values for which a chart needs room besides the metric's."""
    ranges = [read(one, metric) for one in windows for read in (measured_band, estimated_band)]
    return [value for found in ranges if found for value in found]


def bands(windows: Sequence[Document], metric: str, y: Callable[[float], float]) -> Bands:
    """Lay out the bands of consecutive windows.

    Parameters
    ----------
    windows : sequence of mapping
        Windows, oldest first.
    metric : str
        The metric's name.
    y : callable
        The height at which a value is drawn.
    """
    measured = [measured_band(window, metric) for window in windows]
    estimated = [estimated_band(window, metric) for window in windows]
    known = list(enumerate(estimated))
    stretches = [
        list(one) for there, one in groupby(known, key=lambda pair: bool(pair[1])) if there
    ]
    return Bands(
        whiskers="".join(
            f"M{_x(at):g} {y(one[2]):g}V{y(one[1]):g}" for at, one in enumerate(measured) if one
        ),
        band="".join(_area([(at, one) for at, one in run if one], y) for run in stretches),
        estimate="".join(_middle([(at, one) for at, one in run if one], y) for run in stretches),
        early=tuple(
            at for at, one in enumerate(windows) if one.get("provisional") and measured[at]
        ),
    )


def _x(at: int) -> float:
    return SLOT * (at + 0.5)


def _area(run: Sequence[tuple[int, Range]], y: Callable[[float], float]) -> str:
    """Go along the upper ends and back along the lower; one window alone is as wide as a cell."""
    if len(run) == 1:
        (at, (_, lower, upper)) = run[0]
        left, right = _x(at) - SLOT / 4, _x(at) + SLOT / 4
        return f"M{left:g} {y(upper):g}H{right:g}V{y(lower):g}H{left:g}Z"
    there = [(_x(at), y(upper)) for at, (_, _, upper) in run]
    back = [(_x(at), y(lower)) for at, (_, lower, _) in reversed(run)]
    return "M" + "L".join(f"{x:g} {height:g}" for x, height in [*there, *back]) + "Z"


def _middle(run: Sequence[tuple[int, Range]], y: Callable[[float], float]) -> str:
    if len(run) == 1:
        (at, (value, _, _)) = run[0]
        return f"M{_x(at) - SLOT / 4:g} {y(value):g}h{SLOT / 2:g}"
    return "M" + "L".join(f"{_x(at):g} {y(value):g}" for at, (value, _, _) in run)
