"""Chart: a model's metric, window by window, with its reference value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dashboards.pages.bands import Bands, bands, reach
from dashboards.pages.phrase import day, metric_title, number, stretch
from dashboards.pages.timeline import LEAST_PER_ROW, SLOT
from monitor.checks.performance import METRICS
from monitor.checks.score import Check, Status

Document = Mapping[str, Any]
Point = tuple[float, float]

HEIGHT = 100.0
"""Height of the drawing: y is a percentage from the top."""

MARGIN = 0.12
"""Room above the highest and below the lowest value, as a share of their distance."""

LEAST_SPAN = 0.1
"""The y axis spans at least this share of the values, or noise would look like trouble."""

APART = 16.0
"""Labels nearer than this, in percent of the height, would touch."""

DENSE = 120
"""With more windows than this, dots would hide the line; values that stand alone keep theirs."""

MARKS_APART = 4.0
"""Marks nearer than this, in percent of the width, share one label."""


@dataclass(frozen=True)
class Mark:
    """Where another version begins to serve.

    Parameters
    ----------
    x : float
        Its place, in units of the drawing.
    percent : float
        The same, in percent of the width.
    label : str
        A few letters, empty where they would touch another mark's.
    title : str
        What happened, in words.
    """

    x: float
    percent: float
    label: str
    title: str


@dataclass(frozen=True)
class Label:
    """A value on the y axis: its place in percent from the top, and its text."""

    percent: float
    text: str
    kind: str


@dataclass(frozen=True)
class Chart:
    """The metric over time.

    Parameters
    ----------
    width : float
        Width of the drawing, in its units; the height is 100.
    line, dots, breaches, beside : str
        SVG paths: the metric, a dot for each value, a dot for each breach, and another model's
        metric.
    dense : bool
        Whether there are too many windows for dots and long marks.
    early : str
        SVG path: a ring for each value that is provisional.
    bands : Bands
        How sure the values are, and what was estimated beside them.
    reference_y : float or None
        Where the reference value lies.
    marks : tuple of Mark
        Changes of version.
    labels : tuple of Label
        Values on the y axis.
    brief, title : str
        The newest value in a few words, and what the chart shows.
    """

    width: float
    line: str
    dots: str
    breaches: str
    beside: str
    dense: bool
    early: str
    bands: Bands
    reference_y: float | None
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]
    brief: str
    title: str


def chart(
    windows: Sequence[Document],
    metric: str,
    reference: float | None,
    champion: int | None = None,
    beside: Sequence[Document] = (),
    others: Sequence[Sequence[Document]] = (),
) -> Chart | None:
    """Lay out the metric of consecutive windows; None where none of them has it.

    A window stands at the same place as its cell in a timeline of one row. The line breaks where
    a window has no labels.

    Parameters
    ----------
    windows : sequence of mapping
        Windows, oldest first.
    metric : str
        The metric's name.
    reference : float or None
        Its value on the reference.
    champion : int or None
        The version that serves now; a mark at the edge when no window has seen it yet.
    beside : sequence of mapping
        The same windows under another policy, whose metric is drawn beside.
    others : sequence of sequences of mapping
        The same windows under other policies: all have room, so that charts can be compared, and
        bands would be too much. They fill the width.

    Examples
    --------
    >>> windows = [{"metrics": {"mae": v}, "champion": 1, "checks": {}} for v in (1.0, 3.0)]
    >>> windows += [{"metrics": {}, "champion": 2, "checks": {}}]
    >>> import datetime as dt
    >>> windows = [{**w, "id": "w", "start": dt.datetime(2013, 1, 7 + i),
    ...             "end": dt.datetime(2013, 1, 8 + i)} for i, w in enumerate(windows)]
    >>> found = chart(windows, "mae", reference=2.0)
    >>> found.line, found.reference_y, [mark.label for mark in found.marks]
    ('M5 90.3L15 9.7', 50.0, ['v2'])
    """
    values = _values(windows, metric)
    known = [value for value in values if value is not None]
    if not known:
        return None
    room = [value for one in others for value in _values(one, metric) if value is not None]
    room += [] if others else reach(windows, metric)
    low, high = _domain([*known, *room] if reference is None else [*known, *room, reference])
    least = 1 if others else LEAST_PER_ROW  # a replay is at its end: no window will follow
    width, dense = max(len(windows), least) * SLOT, len(windows) > DENSE

    def y(value: float) -> float:
        return round((high - value) / (high - low) * HEIGHT, 1)

    def places(found: Sequence[float | None]) -> list[Point | None]:
        return [None if v is None else (SLOT * (i + 0.5), y(v)) for i, v in enumerate(found)]

    at = places(values)
    around = Bands() if others else bands(windows, metric, y)
    fell = [
        point
        for point, window in zip(at, windows, strict=True)
        if window["checks"].get(Check.PERFORMANCE) == Status.BREACH
    ]
    return Chart(
        width=width,
        line=_line(at),
        dots=_dots(_alone(at) if dense else at),
        early=_dots([] if dense else [at[place] for place in around.early]),
        bands=around,
        breaches=_dots(fell),
        beside=_line(places(_values(beside, metric))),
        dense=dense,
        reference_y=None if reference is None else y(reference),
        marks=_marks(windows, champion, width),
        labels=_labels(max(known), min(known), reference, y),
        brief=f"{metric_title(metric)} {number(known[-1])}, reference {number(reference)}",
        title=_title(windows, metric, reference),
    )


def _values(windows: Sequence[Document], metric: str) -> list[float | None]:
    return [window["metrics"].get(metric) for window in windows]


def _domain(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    least = LEAST_SPAN * max(abs(low), abs(high)) or 1.0
    room = max((high - low) * MARGIN, (least - (high - low)) / 2)
    return low - room, high + room


def _line(points: Sequence[Point | None]) -> str:
    path, pen = "", "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path += f"{pen}{point[0]:g} {point[1]:g}"
        pen = "L"
    return path


def _alone(points: Sequence[Point | None]) -> list[Point | None]:
    """Keep the points that no line reaches."""
    beside = zip([None, *points], [*points[1:], None], strict=False)
    return [
        point if before is None and after is None else None
        for point, (before, after) in zip(points, beside, strict=False)
    ]


def _dots(points: Sequence[Point | None]) -> str:
    # A line of no length with round ends is a dot that stays round when the drawing is stretched.
    return "".join(f"M{point[0]:g} {point[1]:g}h0" for point in points if point is not None)


def _marks(windows: Sequence[Document], champion: int | None, width: float) -> tuple[Mark, ...]:
    versions = [window["champion"] for window in windows]
    versions += [champion] if champion is not None else []
    marks: list[Mark] = []
    labelled = -MARKS_APART
    for slot, (before, after) in enumerate(pairwise(versions), start=1):
        if before == after:
            continue
        x = slot * SLOT
        percent = round(x / width * 100, 2)
        fits = percent - labelled >= MARKS_APART
        labelled = percent if fits else labelled
        since = f"from {day(windows[slot]['start'])} on" if slot < len(windows) else "now"
        back = "back to version" if after < before else "version"
        label = f"v{after}" if fits else ""
        marks.append(Mark(x, percent, label, f"{back} {after} serves {since}"))
    return tuple(marks)


def _labels(highest: float, lowest: float, reference: float | None, y: Any) -> tuple[Label, ...]:
    labels: list[Label] = []
    if reference is not None:
        labels.append(Label(y(reference), f"{number(reference)} reference", "reference"))
    for value in (highest, lowest):
        if all(abs(label.percent - y(value)) >= APART for label in labels):
            labels.append(Label(y(value), number(value), "value"))
    return tuple(labels)


def _title(windows: Sequence[Document], metric: str, reference: float | None) -> str:
    newest = next(window for window in reversed(windows) if metric in window["metrics"])
    better = "lower" if metric in METRICS and not METRICS[metric].bigger_is_better else "higher"
    held = "" if reference is None else f", on the reference {number(reference)}"
    return (
        f"{metric_title(metric)} ({better} is better): {number(newest['metrics'][metric])} in the "
        f"window {stretch(newest)} UTC{held}"
    )
