"""Profile: the counts that stay of rows, over bins that are frozen with the reference.

Cells, stretches of rows, are counted apart and added up later: hours give a day, and two files a
window, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.cells import Cells
from monitor.columns import Columns, FloatArray, IntArray, numbers, texts
from monitor.grid import Grid, LevelGrid, NumericGrid
from monitor.values import pieces_of


@dataclass(frozen=True)
class ColumnProfile:
    """What is counted of one column, cell by cell.

    Parameters
    ----------
    counts : ndarray, shape (n_cells, n_bins)
        Values in each bin of the grid.
    n_null : ndarray, shape (n_cells,)
        Missing rows (null or NaN).
    n_strange : ndarray, shape (n_cells,)
        Infinite values and those far out of range, or of unseen levels.
    total, squares : ndarray, shape (n_cells,)
        Sum of the scaled values, and of their squares; 0 for levels.
    """

    counts: IntArray
    n_null: IntArray
    n_strange: IntArray
    total: FloatArray
    squares: FloatArray

    @property
    def n_values(self) -> IntArray:
        """Values that are compared, shape (n_cells,)."""
        found: IntArray = self.counts.sum(axis=1)
        return found


@dataclass(frozen=True)
class Profile:
    """What is counted of rows.

    Parameters
    ----------
    starts : tuple of datetime, n_cells of them, ascending
        Where each cell begins.
    n_rows : ndarray, shape (n_cells,)
        Rows of each cell.
    columns : mapping of str to ColumnProfile
        The columns.
    """

    starts: tuple[datetime, ...]
    n_rows: IntArray
    columns: Mapping[str, ColumnProfile]


def profile(
    columns: Columns,
    grids: Mapping[str, Grid],
    *,
    cells: IntArray,
    starts: Sequence[datetime],
) -> Profile:
    """Count rows, one column at a time.

    Parameters
    ----------
    columns : Columns, n_rows rows
        The rows; a column that they lack has no value in any of them.
    grids : mapping of str to Grid
        The bins of each column.
    cells : ndarray, shape (n_rows,)
        Number of each row's cell, from 0.
    starts : sequence of datetime
        Where each cell begins.

    Raises
    ------
    pyarrow.ArrowException
        If a column cannot be read as its kind.

    Examples
    --------
    >>> from datetime import UTC
    >>> from monitor.columns import TableColumns
    >>> rows = TableColumns(pa.table({"x": [1.0, 2.0, None, 9.0]}))
    >>> hours = [datetime(2026, 1, 5, hour, tzinfo=UTC) for hour in (0, 1)]
    >>> grid = NumericGrid(np.array([1.0, 2.0]), 0.0, 3.0, 1.5, 1.0)
    >>> found = profile(rows, {"x": grid}, cells=np.array([0, 0, 0, 1]), starts=hours).columns["x"]
    >>> found.counts.tolist(), found.n_null.tolist(), found.n_strange.tolist()
    ([[0, 1, 1], [0, 0, 1]], [1, 0], [0, 1])
    """
    n_cells, present = len(starts), set(columns.names)
    n_rows = np.bincount(cells, minlength=n_cells)
    counted = {
        name: _count_column(columns, name, grid, cells, n_cells)
        if name in present
        else _nothing(grid, n_rows)
        for name, grid in grids.items()
    }
    return Profile(tuple(starts), n_rows, counted)


def _nothing(grid: Grid, n_rows: IntArray) -> ColumnProfile:
    zeros = np.zeros(n_rows.size, dtype=np.int64)
    counts = np.zeros((n_rows.size, grid.n_bins), dtype=np.int64)
    return ColumnProfile(counts, n_rows, zeros, zeros.astype(float), zeros.astype(float))


def _count_column(
    columns: Columns, name: str, grid: Grid, cells: IntArray, n_cells: int
) -> ColumnProfile:
    found = _nothing(grid, np.zeros(n_cells, dtype=np.int64))
    first = 0
    for piece in pieces_of(columns, name):
        mine = cells[first : first + len(piece)]
        count = _count_numbers if isinstance(grid, NumericGrid) else _count_levels
        found = _added(found, count(piece, grid, mine, n_cells))  # type: ignore[arg-type]
        first += len(piece)
    return found


def _count_numbers(
    piece: pa.Array, grid: NumericGrid, cells: IntArray, n_cells: int
) -> ColumnProfile:
    values = numbers(piece)
    is_null, is_number = np.isnan(values), np.isfinite(values)
    far_out = ~is_null & ~((values >= grid.low) & (values <= grid.high))
    scaled = np.where(is_number, (values - grid.centre) / grid.scale, 0.0)
    bins = np.searchsorted(grid.edges, values[is_number], side="right")
    with np.errstate(over="ignore"):
        squares = np.bincount(cells, scaled**2, n_cells).astype(np.float64)
    return ColumnProfile(
        _cross_counts(cells[is_number], bins, n_cells, grid.n_bins),
        np.bincount(cells[is_null], minlength=n_cells),
        np.bincount(cells[far_out], minlength=n_cells),
        np.bincount(cells, scaled, n_cells).astype(np.float64),
        squares,
    )


def _count_levels(piece: pa.Array, grid: LevelGrid, cells: IntArray, n_cells: int) -> ColumnProfile:
    coded = pc.dictionary_encode(piece)
    known = {level: at for at, level in enumerate(grid.levels)}
    rarer, unseen = len(grid.levels), len(grid.levels) + 1
    # Named after they are coded: of a million rows only the few levels become text.
    of_code = np.array(
        [
            known.get(level, rarer if level in grid.rarer else unseen) if level is not None else -1
            for level in texts(coded.dictionary).to_pylist()
        ]
        + [-1],
        dtype=np.int64,
    )
    bins = of_code[np.asarray(pc.fill_null(coded.indices, -1))]
    is_null = bins < 0
    counts = _cross_counts(cells[~is_null], bins[~is_null], n_cells, grid.n_bins)
    zeros = np.zeros(n_cells)
    n_null = np.bincount(cells[is_null], minlength=n_cells)
    return ColumnProfile(counts, n_null, counts[:, unseen], zeros, zeros)


def _cross_counts(cells: IntArray, bins: IntArray, n_cells: int, n_bins: int) -> IntArray:
    flat = np.bincount(cells * n_bins + bins, minlength=n_cells * n_bins)
    return flat.reshape(n_cells, n_bins)


def _added(one: ColumnProfile, other: ColumnProfile) -> ColumnProfile:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return ColumnProfile(*(mine + theirs for mine, theirs in pairs))


def merge(profiles: Sequence[Profile]) -> Profile:
    """Add profiles over the same grids up: cells that begin at the same time become one.

    Counts are exact, whatever the order; sums of values are so up to rounding.
    """
    starts = tuple(sorted({start for one in profiles for start in one.starts}))
    at = np.array([starts.index(start) for one in profiles for start in one.starts], np.int64)
    return _gathered(profiles, at, starts)


def grouped(found: Profile, cells: Cells) -> Profile:
    """Add the cells of a profile up to longer ones."""
    return _gathered([found], cells.of_row, tuple(cells.starts))


def whole(found: Profile) -> Profile:
    """Add all cells of a profile up to one."""
    return _gathered([found], np.zeros(len(found.starts), np.int64), found.starts[:1])


def _gathered(profiles: Sequence[Profile], at: IntArray, starts: tuple[datetime, ...]) -> Profile:
    def gather(parts: Sequence[Any]) -> Any:
        stacked = np.concatenate(parts)
        summed = np.zeros((len(starts), *stacked.shape[1:]), dtype=stacked.dtype)
        np.add.at(summed, at, stacked)
        return summed

    names = profiles[0].columns
    columns = {
        name: ColumnProfile(
            *(
                gather(fields)
                for fields in zip(
                    *(vars(one.columns[name]).values() for one in profiles), strict=True
                )
            )
        )
        for name in names
    }
    return Profile(starts, gather([one.n_rows for one in profiles]), columns)
