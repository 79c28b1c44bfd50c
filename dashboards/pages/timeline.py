"""Timeline: the windows of a model as rows of cells, one cell a window.

A cell tells its status by its height and fill, so that nobody needs the colour: low is fine,
half is a warning, full is a breach, hatched is an error, hollow is no data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from dashboards.pages.phrase import counted, day, stretch
from monitor.checks.score import Status

Document = Mapping[str, Any]

SLOT, GAP, HEIGHT = 10.0, 2.0, 24.0
"""Width of a cell with its gap, the gap, and the height of a row, in units of the drawing."""

PER_ROW = 52
"""Cells in a row: a year of weeks."""

LEAST_PER_ROW = 16
"""A row is at least this many cells wide, so that a young model's are no walls."""

_LOW, _HALF = HEIGHT / 4, HEIGHT / 2
_HEIGHTS = {Status.OK: _LOW, Status.NO_DATA: _LOW, Status.WARNING: _HALF}


@dataclass(frozen=True)
class Cell:
    """One window in the drawing.

    Parameters
    ----------
    window : str
        Its id.
    status : Status
        Its status.
    x, y, width, height : float
        The mark, in units of the drawing; the cell's slot is as high as the row.
    title : str
        What it shows, in words.
    """

    window: str
    status: Status
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Strip:
    """One row of cells.

    Parameters
    ----------
    cells : tuple of Cell
        Its cells, oldest first.
    n_slots : int
        Cells that would fit: every strip of a timeline has as many.
    start, end : datetime
        Start of its first window and end of its last.
    """

    cells: tuple[Cell, ...]
    n_slots: int
    start: datetime
    end: datetime

    @property
    def width(self) -> float:
        """Width of the drawing, in its units."""
        return self.n_slots * SLOT


def timeline(windows: Sequence[Document], per_row: int = PER_ROW) -> tuple[Strip, ...]:
    """Lay out windows in rows, oldest first; no window makes no row.

    Examples
    --------
    >>> from datetime import timedelta
    >>> start = datetime(2013, 1, 7)
    >>> week = {"id": "w", "start": start, "end": start + timedelta(days=7), "status": "OK",
    ...         "n_rows": 500, "champion": 1, "sentence": "nothing stands out"}
    >>> [(len(strip.cells), strip.n_slots) for strip in timeline([week] * 60)]
    [(52, 52), (8, 52)]
    """
    # A row that is asked for as long as the windows are is a history at its end: none will follow.
    n_slots = per_row if len(windows) >= per_row else max(len(windows), LEAST_PER_ROW)
    edges = [*range(0, len(windows), per_row), len(windows)]
    rows = [windows[first:last] for first, last in pairwise(edges)]
    return tuple(
        Strip(
            tuple(_cell(window, slot) for slot, window in enumerate(row)),
            n_slots,
            row[0]["start"],
            row[-1]["end"],
        )
        for row in rows
    )


def summary(windows: Sequence[Document]) -> str:
    """Count the windows by status, for those who cannot see the drawing.

    Examples
    --------
    >>> monday = datetime(2013, 1, 7)
    >>> summary([{"status": status, "start": monday} for status in ("OK", "BREACH", "OK")])
    '3 windows from 2013-01-07 on: 2 OK, 1 BREACH'
    """
    statuses = [Status(window["status"]) for window in windows]
    counts = [f"{statuses.count(status)} {status}" for status in Status if status in statuses]
    since = f" from {day(windows[0]['start'])} on" if windows else ""
    return f"{counted(len(windows), 'window')}{since}: {', '.join(counts)}"


def _cell(window: Document, slot: int) -> Cell:
    status = Status(window["status"])
    height = _HEIGHTS.get(status, HEIGHT)
    title = (
        f"{stretch(window)} UTC: {status}, {counted(window['n_rows'], 'row')}, "
        f"version {window['champion']}; {window['sentence']}"
    )
    x = slot * SLOT + GAP / 2
    return Cell(window["id"], status, x, HEIGHT - height, SLOT - GAP, height, title)
