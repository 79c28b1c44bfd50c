"""Fitting: a raw column cast to what the schema says; what cannot be cast is kept raw."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import ChangeKind, SchemaChange
from monitor.body import ABSENT, Body, RawColumn
from monitor.classes import as_class
from monitor.columns import class_name, texts
from monitor.schema import Kind, Schema, Task


@dataclass
class Misfits:
    """What did not fit, while a body is gone through."""

    raw: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[SchemaChange] = field(default_factory=list)

    def keep(self, name: str, change: ChangeKind, values: Iterable[tuple[int, Any]]) -> None:
        """Keep the raw values of some rows of a column, and count the rows."""
        n_rows = 0
        for n_rows, (row, value) in enumerate(values, start=1):  # noqa: B007 - the count is used
            self.raw.setdefault(row, {})[name] = value
        self.count(name, change, n_rows)

    def count(self, name: str, change: ChangeKind, n_rows: int) -> None:
        """Count rows of a column that came otherwise than the schema says."""
        if n_rows:
            self.changes.append(SchemaChange(name, change, n_rows))

    def column(self, n_rows: int) -> pa.Array:
        """Return the raw values as one JSON text a row, null where all fitted."""
        if not self.raw:
            return pa.nulls(n_rows, pa.string())
        kept = (self.raw.get(row) for row in range(n_rows))
        return pa.array([raw and json.dumps(raw, default=str) for raw in kept], pa.string())


def values_of(column: RawColumn) -> list[Any]:
    """Return a raw column as Python values."""
    if isinstance(column, list):
        return column
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        # Python's times end with the year 9999, Arrow's do not.
        return list(pc.cast(column, pa.int64()).to_pylist())


def fit_column(
    body: Body, name: str, kind: Kind, schema: Schema, misfits: Misfits
) -> pa.Array | pa.ChunkedArray:
    """Cast one column of a body; missing and misfitting values become null and are counted."""
    dtype = pa.float64() if kind is Kind.NUMERIC else pa.string()
    raw = body.columns.get(name)
    if raw is None:
        misfits.count(name, ChangeKind.MISSING, body.n_rows)
        return pa.nulls(body.n_rows, dtype)
    if isinstance(raw, list):
        misfits.count(name, ChangeKind.MISSING, sum(value is ABSENT for value in raw))
        raw = [None if value is ABSENT else value for value in raw]
    if name == schema.prediction and schema.task is Task.BINARY:
        raw = _probabilities(raw, schema)
    return _fast(raw, kind) or _slowly(values_of(raw), name, kind, misfits)


def _probabilities(raw: RawColumn, schema: Schema) -> RawColumn:
    """Take a predicted class for a probability of 0 or 1."""
    if not isinstance(raw, list) and (
        pa.types.is_floating(raw.type) or pa.types.is_integer(raw.type)
    ):
        return raw
    named = {schema.positive: 1.0, schema.classes[0]: 0.0}
    return [
        named.get(as_class(value, schema.classes), value)
        if isinstance(value, str | bool)
        else value
        for value in values_of(raw)
    ]


def _fast(raw: RawColumn, kind: Kind) -> pa.ChunkedArray | None:
    """Cast a whole column at once; None where a value does not fit."""
    try:
        if isinstance(raw, list):
            dtype = pa.float64() if kind is Kind.NUMERIC else pa.string()
            return pa.chunked_array([pa.array(raw, dtype)])
        if kind is Kind.CATEGORICAL:
            return None if pa.types.is_nested(raw.type) else texts(raw)
        if pa.types.is_temporal(raw.type):
            return None
        return pc.cast(raw, pa.float64())
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return None


def is_storable(text: str) -> bool:
    """Say whether a text can be written as UTF-8; JSON may hold half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _slowly(values: list[Any], name: str, kind: Kind, misfits: Misfits) -> pa.Array:
    fitted: list[float | str | None] = []
    odd: list[tuple[int, Any]] = []
    for row, value in enumerate(values):
        one = None if value is None else fit_value(value, kind)
        if one is None and value is not None:
            odd.append((row, value))
        fitted.append(one)
    misfits.keep(name, ChangeKind.RETYPED, odd)
    return pa.array(fitted, pa.float64() if kind is Kind.NUMERIC else pa.string())


def fit_value(value: Any, kind: Kind) -> float | str | None:
    """Cast one value; None when it cannot be."""
    if isinstance(value, dict | list):
        return None
    if kind is Kind.CATEGORICAL:
        name = class_name(value)
        return name if is_storable(name) else None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
