"""Columns: a table as the checks want it, one column at a time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ArrowColumn: TypeAlias = pa.Array | pa.ChunkedArray

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""Names under which pandas keeps a nameless index in a file."""

INT64_END = 2.0**63
"""The first whole number that 64 bits do not hold."""


class Columns(Protocol):
    """Named columns of equal length; a column is read when it is asked for."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The columns there are."""
        ...

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """Read one column in pieces, in order; raises KeyError when there is none of this name."""
        ...


@dataclass(frozen=True)
class TableColumns:
    """Columns of an Arrow table in memory."""

    table: pa.Table

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    @property
    def names(self) -> Sequence[str]:
        """The columns there are."""
        return list(self.table.column_names)

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """Return one column's pieces."""
        return iter(self.table.column(name).chunks)


def without_index(table: pa.Table) -> pa.Table:
    """Leave out the row numbers that pandas keeps in a file: they are no column of anybody's.

    Examples
    --------
    >>> without_index(pa.table({"x": [1], "__index_level_0__": [7]})).column_names
    ['x']
    """
    return table.select([name for name in table.column_names if not PANDAS_INDEX.fullmatch(name)])


def numbers(column: ArrowColumn) -> FloatArray:
    """Return a column as float64, null as NaN.

    Examples
    --------
    >>> numbers(pa.chunked_array([[1, None, 3]])).tolist()
    [1.0, nan, 3.0]
    """
    # Unsafe: whole numbers beyond 2**53 are rounded, which no score can tell.
    return np.asarray(pc.cast(column, pa.float64(), safe=False), dtype=np.float64)


def texts(column: ArrowColumn) -> ArrowColumn:
    """Return a column as strings, so that levels compare alike whatever type they came in.

    Examples
    --------
    >>> texts(pa.chunked_array([[1.0, None, 2.5, 3e15]])).to_pylist()
    ['1', None, '2.5', '3000000000000000']
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
        # Whole numbers become floats as soon as one is missing. Value by value, so that a level
        # has one name whatever other values came with it.
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), INT64_END))
        integers = pc.cast(pc.if_else(whole, column, None), pa.int64())
        return pc.coalesce(pc.cast(integers, pa.string()), pc.cast(column, pa.string()))
    return pc.cast(column, pa.string())


def class_name(value: object) -> str:
    """Name one level or class as `texts` does a column: 1 and 1.0 are ``"1"``.

    Examples
    --------
    >>> [class_name(value) for value in (True, 1, 1.0, "late")]
    ['true', '1', '1', 'late']
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    # Beyond 64 bits Arrow writes a power of ten, as str does.
    if isinstance(value, float) and value.is_integer() and abs(value) < INT64_END:
        return str(int(value))
    return str(value)
