"""Log rows: tables of Arrow as the log numbers, describes, encodes and puts them together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from monitor.adapters.log_tables import micros
from monitor.batch import (
    EVENT_AT,
    FUTURE_TOLERANCE,
    PREDICTION_ID,
    RECEIVED_AT,
    ROW,
    TIMESTAMP,
)
from monitor.errors import BatchRefusedError
from monitor.window import Window

OWN = pa.schema(
    [
        (PREDICTION_ID, pa.string()),
        (EVENT_AT, TIMESTAMP),
        (RECEIVED_AT, TIMESTAMP),
        (ROW, pa.int64()),
    ]
)
"""The columns that every stored row has."""

_REQUIRED = {PREDICTION_ID: "bad_id", EVENT_AT: "bad_time", RECEIVED_AT: "bad_time"}

# What Python's datetime can hold; Arrow's reaches much further.
_FIRST_MICROS = micros(datetime.min.replace(tzinfo=UTC))
_LAST_MICROS = micros(datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True)
class Stretch:
    """Values of one of the log's own columns, ``[start, end)``.

    Parameters
    ----------
    column : str
        ``_row``, ``_event_at`` or ``_received_at``.
    start, end : int
        Row numbers, or microseconds of Unix time.
    """

    column: str
    start: int
    end: int

    def overlaps(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Return the condition that stored rows may lie in the stretch."""
        # The bounds of `_event_at` are `first_event_at` and `last_event_at`.
        first, last = table.c[f"first{self.column}"], table.c[f"last{self.column}"]
        return sa.and_(first < self.end, last >= self.start)

    def covers(self, first: int, last: int) -> bool:
        """Say whether all stored rows between these bounds lie in the stretch."""
        return self.start <= first and last < self.end

    def holds(self) -> pc.Expression:
        """Return the condition that a row lies in the stretch."""
        dtype = pa.int64() if self.column == ROW else TIMESTAMP
        start, end = (pa.scalar(value, pa.int64()).cast(dtype) for value in (self.start, self.end))
        return (pc.field(self.column) >= start) & (pc.field(self.column) < end)


def window_stretch(window: Window) -> Stretch:
    """Return the stretch of a window's rows."""
    if window.rows is not None:
        return Stretch(ROW, *window.rows)
    return Stretch(EVENT_AT, micros(window.start), micros(window.end))


def label_stretch(window: Window, horizon: timedelta) -> Stretch:
    """Return the times at which the labels of a window's rows may come."""
    # Nobody knows a label before the event; clocks may differ as much as event times may.
    start = micros(window.start - FUTURE_TOLERANCE)
    return Stretch(RECEIVED_AT, start, micros(window.end + horizon))


def fitted(rows: pa.Table) -> pa.Table:
    """Return rows with plain, nullable columns, as the log stores them.

    Raises
    ------
    BatchRefusedError
        When a row has no prediction id, no event time that can be read, or no time of receipt.
    """
    for name, reason in _REQUIRED.items():
        if name not in rows.schema.names or rows.column(name).null_count:
            raise BatchRefusedError("must be given in every row", field=name, reason=reason)
    first, last = bounds(rows.column(EVENT_AT))
    if rows.num_rows and not _FIRST_MICROS <= first <= last <= _LAST_MICROS:
        raise BatchRefusedError(
            "must lie in the years 1 to 9999", field=EVENT_AT, reason="bad_time"
        )
    plain = _plain(rows.schema)
    return rows if plain is None else rows.cast(plain)


@lru_cache(maxsize=1_000)
def _plain(schema: pa.Schema) -> pa.Schema | None:
    """Return a schema that can take the nulls of other batches; None when this one can."""
    dtypes = (
        field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        for field in schema
    )
    plain = pa.schema(list(zip(schema.names, dtypes, strict=True)))
    return None if schema.equals(plain, check_metadata=True) else plain


def numbered(rows: pa.Table, first_row: int) -> pa.Table:
    """Return rows with their places in the order of acknowledgement.

    Examples
    --------
    >>> numbered(pa.table({"x": [0.5, 0.7]}), 40).column("_row").to_pylist()
    [40, 41]
    """
    places = np.arange(first_row, first_row + rows.num_rows, dtype=np.int64)
    return rows.append_column(ROW, pa.array(places))


def describe(rows: pa.Table) -> dict[str, int]:
    """Return the number of rows and the ranges of their own columns, as the catalog keeps them."""
    described = {"n_rows": rows.num_rows}
    for name in (ROW, EVENT_AT, RECEIVED_AT):
        described[f"first{name}"], described[f"last{name}"] = bounds(rows.column(name))
    return described


def integers(column: pa.ChunkedArray) -> np.ndarray:
    """Return row numbers, or times in microseconds of Unix time."""
    if pa.types.is_timestamp(column.type) and column.type != TIMESTAMP:
        column = column.cast(TIMESTAMP)
    return np.asarray(column.cast(pa.int64()).to_numpy())


def bounds(column: pa.ChunkedArray) -> tuple[int, int]:
    """Return the least and the greatest of row numbers or times; None of no rows."""
    if pa.types.is_timestamp(column.type) and column.type != TIMESTAMP:
        column = column.cast(TIMESTAMP)
    found = pc.min_max(column)
    if pa.types.is_timestamp(column.type):
        return found["min"].value, found["max"].value
    return found["min"].as_py(), found["max"].as_py()


def unify(tables: Sequence[pa.Table]) -> pa.Table:
    """Put tables together by the names of their columns; what is missing is null.

    Numbers are widened; columns whose types have nothing in common become text.

    Examples
    --------
    >>> unify([pa.table({"x": [1]}), pa.table({"x": ["b"], "y": [True]})]).to_pylist()
    [{'x': '1', 'y': None}, {'x': 'b', 'y': True}]
    """
    schema = tables[0].schema
    if all(table.schema.equals(schema) for table in tables):
        return pa.concat_tables(tables)
    try:
        return _concatenate(tables)
    except pa.ArrowException:
        names = dict.fromkeys(name for table in tables for name in table.column_names)
        odd = {name for name in names if not _agree(name, tables)}
        return _concatenate([_with_text(table, odd) for table in tables])


def _concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive")


def _agree(name: str, tables: Sequence[pa.Table]) -> bool:
    try:
        _concatenate([table.select([name]) for table in tables if name in table.column_names])
    except pa.ArrowException:
        return False
    return True


def _with_text(table: pa.Table, names: set[str]) -> pa.Table:
    for name in names.intersection(table.column_names):
        index = table.column_names.index(name)
        table = table.set_column(index, name, _as_text(table.column(name)))
    return table


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structs, bytes
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def encode(rows: pa.Table) -> pa.Buffer:
    """Return rows as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue()


def decode(payload: bytes | pa.Buffer, names: Iterable[str] | None = None) -> pa.Table:
    """Return the rows of an Arrow IPC stream, or those of some columns that it has."""
    rows = pa.ipc.open_stream(payload).read_all()
    if names is None:
        return rows
    return rows.select([name for name in names if name in rows.column_names])
