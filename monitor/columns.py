"""Columns: a table as the checks want it, one column at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


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

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column; raises KeyError when there is none of this name."""
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

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column."""
        return self.table.column(name)


def numbers(column: pa.ChunkedArray) -> FloatArray:
    """Return a column as float64, null as NaN.

    Examples
    --------
    >>> numbers(pa.chunked_array([[1, None, 3]])).tolist()
    [1.0, nan, 3.0]
    """
    # Unsafe: whole numbers beyond 2**53 are rounded, which no score can tell.
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def finite(values: FloatArray) -> FloatArray:
    """Return the values that are numbers: NaN and ±inf are left out, as Evidently does."""
    return values[np.isfinite(values)]


def texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as strings, so that levels compare alike whatever type they came in.

    Examples
    --------
    >>> texts(pa.chunked_array([[1.0, None, 2.0]])).to_pylist()
    ['1', None, '2']
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
        # Whole numbers become floats as soon as one is missing.
        whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
        column = pc.cast(column, pa.int64()) if whole else column
    return pc.cast(column, pa.string())


def level_counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Count each level of a categorical column; nulls are left out.

    Examples
    --------
    >>> level_counts(pa.chunked_array([["b", "a", None, "b"]]))
    {'a': 1, 'b': 2}
    """
    counted = pc.value_counts(texts(column).drop_null())
    names, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    return dict(sorted(zip(names, counts, strict=True)))
