"""Feed: what was done to the columns of a window on their way, and since when."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import EVENT_AT
from monitor.cells import TimeArray
from monitor.checks.broken import Break
from monitor.checks.clock import shift
from monitor.checks.company import Company, company
from monitor.checks.ensemble import Ensemble, Thinning, mended, surprising
from monitor.checks.permuting import permuting
from monitor.checks.recurrence import recurring
from monitor.checks.renaming import Renamed, recoding, renaming, spelling
from monitor.checks.side import STEP_ROWS, Side
from monitor.checks.signs import Signs
from monitor.checks.stuck import stuck
from monitor.columns import FloatArray, IntArray, numbers, texts
from monitor.reference import NumericReference, Reference
from monitor.schema import Kind
from monitor.values import CategoricalValues

MOST_ROWS = 3000
"""A sample of so many rows of a column is searched."""

COMPARED = frozenset({"scale", "units", "sign", "swap", "fill", "collapse"})
MIN_STRETCH = 0.1
"""Of a window's rows. What is told by comparing values must hold for so many: rows of one evening
share its weather, and a fog or a rain makes them look like anything. What begins later in the
window, the next one shows whole."""


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
    signs : tuple of (str, str)
        Column and method of the quality scores that alarm; without a column it is of whole rows.
    gaps : collection of str
        Columns that have lost values.
    """

    moved: tuple[str, ...]
    clocks: tuple[str, ...] = ()
    signs: tuple[tuple[str, str], ...] = ()
    gaps: Collection[str] = ()

    @property
    def of_rows(self) -> bool:
        """Whether there is a sign of whole rows: it may be news of rows that were sound."""
        return any(not column for column, _ in self.signs)


def search(
    rows: pa.Table, windows: Sequence[pa.Table], reference: Reference, suspects: Suspects
) -> list[Break]:
    """Find what was done to the columns of a window, and since when.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        The window's rows, with ``_event_at``.
    windows : sequence of pyarrow.Table
        Those of the last windows that were clean, oldest first; without any the reference stands
        for them.
    reference : Reference
        The champion's.
    suspects : Suspects
        What to look at.
    """
    rows = rows.sort_by(EVENT_AT)
    before = pa.concat_tables(windows).sort_by(EVENT_AT) if windows else None
    found = _breaks(rows, before, reference, suspects.moved)
    if before is not None:
        found += _shifts(rows, before, reference, suspects.clocks)
    signs = Signs(rows, reference, windows[-1] if windows else None, suspects.gaps)
    for name, sign in suspects.signs:
        first = signs.first(name, sign)
        if first is not None:
            found.append(Break(name, sign, "", first, rows.num_rows - first))
    times, least = rows.column(EVENT_AT), MIN_STRETCH * rows.num_rows
    found = [one for one in found if one.sign not in COMPARED or one.n_rows >= least]
    return [replace(one, since=times[one.first].as_py()) for one in found]


def _breaks(
    rows: pa.Table, before: pa.Table | None, reference: Reference, columns: Collection[str]
) -> list[Break]:
    thin, thin_before = _thinned(rows), _thinned(before) if before is not None else None
    met = company(thin_before, thin, _known(reference)) if thin_before is not None else None
    step = -(-rows.num_rows // max(thin.num_rows, 1))
    sides: dict[str, Side] = {}
    at: dict[str, IntArray] = {}
    at_before: dict[str, IntArray] = {}
    found: dict[str, Break] = {}
    for name in dict.fromkeys([*columns, *(surprising(met) if met else ())]):
        known = reference.columns[name]
        if isinstance(known, NumericReference):
            broken = _stuck(name, known, before, rows) if name in columns else None
            found |= {name: broken} if broken else {}
            then, now = _before(thin_before, name, known), _side(thin, name)
            at[name], at_before[name] = now.rows, then.rows
            between = known.low, known.high
            day, again = _a_day(now.event_at), recurring(known.values)
            sides[name] = Side(name, then.values, now.values, between, day, again)
        else:
            found |= {one.column: one for one in _levels(name, known, before, rows)}
    whole = Ensemble(sides, at, at_before, Thinning(rows.num_rows, step), met)
    still = [name for name, one in found.items() if one.sign in ("frozen", "fill")]
    found |= mended(whole, still)
    return [*found.values(), *(_permuted(met, thin, step, found) if met is not None else [])]


def _permuted(met: Company, thin: pa.Table, step: int, found: Mapping[str, Break]) -> list[Break]:
    """Find levels that have changed places: to their shares that may be nothing at all.

    What comes with a level may be what is broken, and make it look so: it is told without that.
    """
    known = met.without(found.keys() & met.blocks.keys())
    told = {
        name: one
        for name in met.levels
        if name not in found and (one := permuting(known, name, thin.column(name))) is not None
    }
    return [
        Break(name, one.sign, one.name, one.first * step, (thin.num_rows - one.first) * step)
        for name, one in told.items()
        if thin.num_rows - one.first >= MIN_STRETCH * thin.num_rows
    ]


def _known(reference: Reference) -> dict[str, Kind]:
    features = reference.schema.features
    return {name: kind for name, kind in features.items() if name in reference.columns}


def _a_day(event_at: TimeArray) -> int:
    """Return how many values a day has, at least `STEP_ROWS`."""
    days = (event_at[-1] - event_at[0]) / np.timedelta64(1, "D") if event_at.size else 0.0
    return max(STEP_ROWS, int(event_at.size / max(days, 1.0)))


def _thinned(rows: pa.Table) -> pa.Table:
    """Leave a sample of many rows, evenly over time: a break of few rows is none to find here."""
    step = 1 + rows.num_rows // MOST_ROWS
    return rows.take(np.arange(0, rows.num_rows, step)) if step > 1 else rows


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
    name: str, known: NumericReference, before: pa.Table | None, rows: pa.Table
) -> Break | None:
    now = _side(rows, name)
    then = _side(before, name).values if before is not None else now.values[:0]
    one = stuck(then, now.values, known.values) if now.values.size else None
    if one is None:
        return None
    first = int(now.rows[one.first])
    return Break(name, one.sign, one.name, first, rows.num_rows - first)


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
