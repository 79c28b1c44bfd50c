"""Feed: what was done to the columns of a window on their way, and since when."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import EVENT_AT
from monitor.cells import TimeArray
from monitor.checks.clock import shift
from monitor.checks.mending import GROSS, STEP_ROWS, Mended, Side, mend
from monitor.checks.outage import outage
from monitor.checks.recurrence import recurring
from monitor.checks.renaming import Renamed, recoding, renaming, spelling
from monitor.checks.stuck import stuck
from monitor.checks.swapping import swaps
from monitor.columns import FloatArray, IntArray, numbers, texts
from monitor.reference import NumericReference, Reference
from monitor.values import CategoricalValues

MOST_SWAPPED = 12
"""Of so many columns each pair is tried: more would cost too much."""

MOST_UNITS = 2
"""So many units are changed at a time, ..."""

MOST_OPEN = 0.1
"""... and at most this share of the columns looked at moves for no reason that is found."""

MOST_ROWS = 5000
"""A sample of so many rows of a column is searched."""


@dataclass(frozen=True)
class Break:
    """What was done to one column.

    Parameters
    ----------
    column : str
        The column.
    sign : str
        Which kind: scale, units, sign, swap, shift, spelling, renamed, frozen, fill, collapse.
    name : str
        What was done, in words.
    first : int
        The row, in the order of time, from which on.
    n_rows : int
        Rows from there on.
    since : datetime or None
        Event time of the first of them.
    ratio : float or None
        Distance of the mended rows from clean ones, in that of clean stretches; None where nothing
        is mended.
    """

    column: str
    sign: str
    name: str
    first: int
    n_rows: int
    ratio: float | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class _Side:
    """The values of one column in the order of time, and the rows that have them."""

    values: FloatArray
    rows: IntArray
    event_at: TimeArray


@dataclass(frozen=True)
class Suspects:
    """What is looked at.

    Parameters
    ----------
    moved : tuple of str
        Features that alarm.
    clocks : tuple of str
        Features that may tell the time of day: a shift of it moves no distribution.
    outages : tuple of (str, str)
        Column and sign of what is missing, unseen or far out of range.
    """

    moved: tuple[str, ...]
    clocks: tuple[str, ...] = ()
    outages: tuple[tuple[str, str], ...] = ()


def search(
    rows: pa.Table, before: pa.Table | None, reference: Reference, suspects: Suspects
) -> list[Break]:
    """Find what was done to the columns of a window, and since when.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        The window's rows, with ``_event_at``.
    before : pyarrow.Table or None
        Those of the last windows that were clean; without any the reference stands for them.
    reference : Reference
        The champion's.
    suspects : Suspects
        What to look at.
    """
    rows = rows.sort_by(EVENT_AT)
    before = before.sort_by(EVENT_AT) if before is not None else None
    found = _breaks(rows, before, reference, suspects.moved)
    if before is not None:
        found += _shifts(rows, before, reference, suspects.clocks)
    for name, sign in suspects.outages:
        first = outage(rows.column(name), reference.columns[name], sign)
        found.append(Break(name, sign, "", first, rows.num_rows - first))
    times = rows.column(EVENT_AT)
    return [replace(one, since=times[one.first].as_py()) for one in found]


def _breaks(
    rows: pa.Table, before: pa.Table | None, reference: Reference, columns: Collection[str]
) -> list[Break]:
    sides: dict[str, Side] = {}
    at: dict[str, _Side] = {}
    found: dict[str, Break] = {}
    for name in columns:
        known = reference.columns[name]
        if isinstance(known, NumericReference):
            then, now = _before(before, name, known), _side(rows, name)
            ordered = then.values if before is not None else then.values[:0]
            broken = _stuck(name, known, ordered, now, rows.num_rows)
            found |= {name: broken} if broken else {}
            at[name] = now = _thinned(now)
            sides[name] = Side(
                name,
                _thinned(then).values,
                now.values,
                (known.low, known.high),
                _a_day(now.event_at),
                recurring(known.values),
            )
        else:
            found |= {one.column: one for one in _levels(name, known, before, rows)}
    stuck_ones = [name for name, one in found.items() if one.sign in ("frozen", "fill")]
    return list({**found, **_mended(_Window(sides, at, rows.num_rows), stuck_ones)}.values())


def _a_day(event_at: TimeArray) -> int:
    """Return how many values a day has, at least `STEP_ROWS`."""
    days = (event_at[-1] - event_at[0]) / np.timedelta64(1, "D") if event_at.size else 0.0
    return max(STEP_ROWS, int(event_at.size / max(days, 1.0)))


def _thinned(side: _Side) -> _Side:
    """Leave a sample of many rows, evenly over time: a break of few rows is none to find here."""
    step = 1 + side.values.size // MOST_ROWS
    return _Side(side.values[::step], side.rows[::step], side.event_at[::step])


def _shifts(
    rows: pa.Table, before: pa.Table, reference: Reference, columns: Sequence[str]
) -> list[Break]:
    """Find columns that tell the time of day, and no longer the right one."""
    found = []
    for name in columns:
        known = reference.columns[name]
        assert isinstance(known, NumericReference)
        then, now = _side(before, name), _side(rows, name)
        one = shift(known.values, (then.values, then.event_at), (now.values, now.event_at))
        if one is not None:
            first = int(now.rows[one.first])
            what = f"{abs(one.hours):g} hours {'ahead' if one.hours > 0 else 'behind'}"
            found.append(Break(name, "shift", what, first, rows.num_rows - first))
    return found


def _side(rows: pa.Table, name: str) -> _Side:
    values = numbers(rows.column(name))
    at = np.flatnonzero(np.isfinite(values))
    event_at = rows.column(EVENT_AT).cast(pa.timestamp("us")).to_numpy()
    return _Side(values[at], at, event_at[at])


def _before(before: pa.Table | None, name: str, known: NumericReference) -> _Side:
    if before is not None:
        found = _side(before, name)
        if found.values.size:
            return found
    # In no order of time: its stretches are alike, and little passes for as near as they are.
    sample = known.values[:: 1 + known.values.size // 5000]
    values = np.random.default_rng(0).permutation(sample)
    return _Side(values, np.arange(values.size), np.zeros(values.size, "datetime64[us]"))


def _stuck(
    name: str, known: NumericReference, then: FloatArray, now: _Side, n_rows: int
) -> Break | None:
    if not now.values.size:
        return None
    one = stuck(then, now.values, known.values)
    if one is None:
        return None
    first = int(now.rows[one.first])
    return Break(name, one.sign, one.name, first, n_rows - first)


def _levels(
    name: str, known: CategoricalValues, before: pa.Table | None, rows: pa.Table
) -> list[Break]:
    now = texts(rows.column(name)).combine_chunks()
    then = texts(before.column(name)).combine_chunks() if before is not None else now.slice(0, 0)
    levels = pc.unique(pa.chunked_array([then, now]).drop_null())
    codes_now, codes_then = (
        np.asarray(pc.fill_null(pc.index_in(one, levels), -1)) for one in (now, then)
    )
    at = np.flatnonzero(codes_now >= 0)
    names = levels.to_pylist()
    current = codes_now[at].astype(np.int64)
    one: Renamed | None = spelling(known.levels, current, names)
    if one is None:
        one = renaming(codes_then[codes_then >= 0].astype(np.int64), current, names)
    if one is None:
        clean = {names[at] for at in np.unique(codes_then[codes_then >= 0])}
        one = recoding([*known.levels, *clean], current, names)
    if one is None:
        return []
    first = int(at[one.first])
    return [Break(name, one.sign, one.name, first, rows.num_rows - first, one.ratio)]


@dataclass(frozen=True)
class _Window:
    """The numeric columns of a window that are looked at, and the rows of their values."""

    sides: Mapping[str, Side]
    at: Mapping[str, _Side]
    n_rows: int

    def row(self, name: str, first: int) -> int:
        """Return the row of a column's value."""
        return int(self.at[name].rows[first])

    def moves_alone(self, row: int, names: Collection[str]) -> bool:
        """Say whether hardly any other column moves at the row at which some do."""
        others = (side for name, side in self.sides.items() if name not in names)
        moving = (
            side
            for side in others
            if side.has_moved(int(np.searchsorted(self.at[side.name].rows, row)))
        )
        most = int(MOST_OPEN * len(self.sides))
        return sum(1 for _ in islice(moving, most + 1)) <= most


def _mended(window: _Window, frozen: Collection[str]) -> dict[str, Break]:
    """Name what mends columns: what the world never does, then exchanges, then other units."""
    sides = [side for name, side in window.sides.items() if name not in frozen]
    mended = {side.name: one for side in sides if (one := mend(side)) is not None}
    rare = [one for one in mended.values() if one.undoing.size >= GROSS]
    found = {one.name: _undone(window, one) for one in rare}
    for pair in swaps(list(window.sides.values())[:MOST_SWAPPED]):
        row = window.row(pair.names[0], pair.first)
        apart = sum(mended[name].evidence for name in pair.names if name in mended)
        is_told = pair.is_proven or window.moves_alone(row, pair.names)
        if pair.evidence >= apart and is_told:
            for name, other in (pair.names, pair.names[::-1]):
                n_after = window.n_rows - row
                what = f"the values of {other}"
                found[name] = Break(name, "swap", what, row, n_after, pair.ratio)
    found |= {
        n: _undone(window, one) for n, one in mended.items() if one.is_proven and n not in found
    }
    small = [one for name, one in mended.items() if name not in found]
    if small and not _is_chance(window, small):
        found |= {one.name: _undone(window, one) for one in small}
    return found


def _undone(window: _Window, one: Mended) -> Break:
    row = window.row(one.name, one.first)
    undoing = one.undoing
    return Break(one.name, undoing.sign, undoing.name, row, window.n_rows - row, one.ratio)


def _is_chance(window: _Window, small: Sequence[Mended]) -> bool:
    """Say whether small factors fit by chance: there are many of them, and many columns.

    A table that changes its units changes miles and Fahrenheit. Where each column is mended by
    something else, or columns move at the same row that nothing mends, the world has changed.
    """
    if len({one.undoing.name for one in small}) > MOST_UNITS:
        return True
    row = min(window.row(one.name, one.first) for one in small)
    return not window.moves_alone(row, [one.name for one in small])
