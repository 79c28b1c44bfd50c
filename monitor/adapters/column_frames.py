"""Column frames: tables in memory as columns: pandas, polars, and whatever speaks Arrow."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.columns import ArrowColumn, class_name
from monitor.errors import SchemaError

UNREAD = pa.string()
"""Type of a column that cannot be converted: the attempt to read it says why."""


@dataclass(frozen=True)
class FrameColumns:
    """Columns of a frame, each converted when it is asked for.

    Parameters
    ----------
    names : sequence of str
        The columns.
    n_rows : int
        Number of rows.
    read : callable
        Converts the column at a position.
    known : callable
        Type of the column at a position where that needs no conversion, else None.
    """

    names: Sequence[str]
    n_rows: int
    read: Callable[[int], ArrowColumn]
    known: Callable[[int], pa.DataType | None]

    def dtype(self, name: str) -> pa.DataType:
        """Return the type of one column."""
        at = self._position(name)
        try:
            return self.known(at) or self.read(at).type
        except Exception:  # noqa: BLE001 - a value of any type may fail in any way
            return UNREAD

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """Convert one column."""
        column = self.read(self._position(name))
        return iter(column.chunks if isinstance(column, pa.ChunkedArray) else [column])

    def _position(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(name) from None


def frame_columns(frame: object) -> FrameColumns:
    """Take a frame for columns; nothing is copied before a column is asked for.

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame, pyarrow.Table or other Arrow stream
        The rows.

    Raises
    ------
    SchemaError
        If it is none of these.

    Examples
    --------
    >>> import pandas as pd
    >>> columns = frame_columns(pd.DataFrame({"x": [1.5, None], "mixed": [1, "a"]}))
    >>> columns.n_rows, columns.dtype("x"), [piece.to_pylist() for piece in columns.chunks("mixed")]
    (2, DataType(double), [['1', 'a']])
    """
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    pandas = sys.modules.get("pandas")  # whoever has such a frame has imported it
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        return _pandas(frame)
    if type(frame).__module__.startswith("polars.") and hasattr(frame, "__arrow_c_stream__"):
        return _polars(frame)
    if hasattr(frame, "__arrow_c_stream__"):
        return _arrow(pa.RecordBatchReader.from_stream(frame).read_all())
    raise SchemaError(
        f"{type(frame).__name__} cannot be compared: give a frame of pandas or polars, an Arrow "
        "table, or the path of a file; collect() a lazy frame first"
    )


def _arrow(table: pa.Table) -> FrameColumns:
    types = table.schema.types
    return FrameColumns(table.column_names, table.num_rows, table.column, types.__getitem__)


def _polars(frame: Any) -> FrameColumns:
    # Column by column: one that Arrow has no type for does not cost the others.
    columns = frame.get_columns()
    return FrameColumns(
        list(frame.columns), frame.height, lambda at: pa.chunked_array(columns[at]), lambda _: None
    )


def _pandas(frame: Any) -> FrameColumns:
    return FrameColumns(
        [str(name) for name in frame.columns],
        len(frame),
        lambda at: _pandas_column(frame.iloc[:, at]),
        lambda at: _numpy_type(frame.dtypes.iloc[at]),
    )


def _numpy_type(dtype: object) -> pa.DataType | None:
    is_plain = isinstance(dtype, np.dtype) and dtype.kind in "biuf"
    return pa.from_numpy_dtype(dtype) if is_plain else None


def _pandas_column(series: Any) -> ArrowColumn:
    """Convert a pandas column; what Arrow has no type for becomes text, value by value."""
    try:
        return pa.Array.from_pandas(series)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        missing = series.isna().to_numpy(dtype=bool)
        pairs = zip(series.astype(object), missing, strict=True)
        return pa.array([None if gone else _text(value) for value, gone in pairs], pa.string())


def _text(value: object) -> str:
    # JSON may hold half a character, which is no UTF-8.
    return class_name(value).encode("utf-8", "backslashreplace").decode()
