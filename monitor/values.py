"""Values: one column, read once: numbers in order, or levels counted."""

import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.columns import Columns, FloatArray, IntArray, numbers, texts
from monitor.schema import Kind

PIECE_ROWS = 1 << 17
"""Rows looked at together: what is made on the way stays small beside the column."""


@dataclass(frozen=True)
class NumericValues:
    """A numeric column.

    Parameters
    ----------
    values : ndarray, shape (n_values,), sorted ascending
        The finite values; null, NaN and ±inf are left out, as Evidently does.
    n_rows : int
        Rows, the missing ones included.
    n_null : int
        Missing rows (null or NaN).
    whole : bool
        The column came as whole numbers, none of them missing.
    """

    values: FloatArray
    n_rows: int
    n_null: int
    whole: bool
    kind: Kind = field(default=Kind.NUMERIC, init=False)

    @property
    def n_values(self) -> int:
        """Values that are compared."""
        return self.values.size


@dataclass(frozen=True)
class CategoricalValues:
    """A categorical column.

    Parameters
    ----------
    levels : tuple of str, sorted
        The levels as text.
    counts : ndarray, shape (n_levels,)
        Rows of each level.
    n_rows : int
        Rows, the missing ones included.
    n_null : int
        Missing rows.
    """

    levels: tuple[str, ...]
    counts: IntArray
    n_rows: int
    n_null: int
    kind: Kind = field(default=Kind.CATEGORICAL, init=False)

    @property
    def n_values(self) -> int:
        """Values that are compared."""
        return self.n_rows - self.n_null


Values = NumericValues | CategoricalValues

NO_NUMBERS = NumericValues(np.empty(0), 0, 0, whole=False)
NO_LEVELS = CategoricalValues((), np.empty(0, dtype=np.int64), 0, 0)
"""What a column that is not there has."""


def read_values(columns: Columns, name: str, kind: Kind) -> Values:
    """Read one column; nothing but its values is in memory afterwards.

    Parameters
    ----------
    columns : Columns, n_rows rows
        Where it is.
    name : str
        Which one.
    kind : Kind
        How it is compared.

    Raises
    ------
    KeyError
        If there is no such column.
    pyarrow.ArrowException
        If it cannot be read as this kind.

    Examples
    --------
    >>> from monitor.columns import TableColumns
    >>> rows = TableColumns(pa.table({"x": [3.0, None, 1.0], "g": ["b", None, "b"]}))
    >>> read_values(rows, "x", Kind.NUMERIC).values.tolist()
    [1.0, 3.0]
    >>> read_values(rows, "g", Kind.CATEGORICAL).levels
    ('b',)
    """
    pieces = pieces_of(columns, name)
    if kind is Kind.CATEGORICAL:
        return _count_levels(pieces, columns.n_rows)
    return _sort_numbers(pieces, columns.n_rows)


def pieces_of(columns: Columns, name: str) -> Iterator[pa.Array]:
    """Read one column in pieces of at most `PIECE_ROWS` rows."""
    for chunk in columns.chunks(name):
        for start in range(0, len(chunk), PIECE_ROWS):
            yield chunk.slice(start, PIECE_ROWS)


def _sort_numbers(pieces: Iterator[pa.Array], n_rows: int) -> NumericValues:
    values = np.empty(n_rows)
    n_values = n_null = 0
    whole = True
    for piece in pieces:
        whole &= pa.types.is_integer(piece.type) and not piece.null_count
        found = numbers(piece)
        is_number = np.isfinite(found)
        if not is_number.all():
            n_null += int(np.isnan(found).sum())
            found = found[is_number]
        values[n_values : n_values + found.size] = found
        n_values += found.size
    ordered = values[:n_values]
    ordered.sort()
    return NumericValues(ordered, n_rows, n_null, whole)


def _count_levels(pieces: Iterator[pa.Array], n_rows: int) -> CategoricalValues:
    counted: Counter[str] = Counter()
    for piece in pieces:
        found = pc.value_counts(piece)
        # Named after they are counted: of a million rows only the few levels become text.
        names, counts = texts(found.field("values")), found.field("counts")
        for name, count in zip(names.to_pylist(), counts.to_pylist(), strict=True):
            if name is not None:
                counted[name] += count
    levels = tuple(sorted(counted))
    counts = np.array([counted[level] for level in levels], dtype=np.int64)
    return CategoricalValues(levels, counts, n_rows, n_rows - int(counts.sum()))


def only_value(values: Values) -> float | str | None:
    """Return the value that all rows with a value have; None when there are several, or none."""
    if isinstance(values, CategoricalValues):
        return values.levels[0] if len(values.levels) == 1 else None
    ordered = values.values
    return float(ordered[0]) if ordered.size and ordered[0] == ordered[-1] else None


def share_of(values: Values, value: float | str) -> float:
    """Return the share of the values, 0-1, that are this one."""
    if not values.n_values:
        return 0.0
    if isinstance(values, CategoricalValues):
        known = dict(zip(values.levels, values.counts.tolist(), strict=True))
        return float(known.get(str(value), 0) / values.n_values)
    first, end = (np.searchsorted(values.values, value, side) for side in ("left", "right"))
    return float((end - first) / values.n_values)


def let_go(values: FloatArray) -> None:
    """Let the system take back the pages of a memory-mapped column; any other stays as it is.

    What was read remains in the system's cache and is mapped again when it is wanted.
    """
    mapped = getattr(values.base, "_mmap", None)
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)
