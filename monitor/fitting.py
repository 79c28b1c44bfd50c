"""Fitting: a raw column cast to what the schema says; what cannot be cast is kept raw."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import TIMESTAMP, ChangeKind, SchemaChange
from monitor.body import ABSENT, Body, RawColumn, values_of
from monitor.classes import as_class
from monitor.columns import class_name, texts
from monitor.schema import Kind, Schema, Task
from monitor.times import EARLIEST, LATEST, parse_times


@dataclass
class Misfits:
    """What did not fit, while a body is gone through."""

    raw: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[tuple[str, ChangeKind, Sequence[int]]] = field(default_factory=list)

    def keep(self, name: str, change: ChangeKind, values: Iterable[tuple[int, Any]]) -> None:
        """Keep the raw values of some rows of a column, and note the rows."""
        rows = []
        for row, value in values:
            self.raw.setdefault(row, {})[name] = value
            rows.append(row)
        self.note(name, change, rows)

    def note(self, name: str, change: ChangeKind, rows: Sequence[int]) -> None:
        """Note the rows, in order, of a column that came otherwise than the schema says."""
        if rows:
            self.changes.append((name, change, rows))

    def counted(self, start: int, end: int) -> tuple[SchemaChange, ...]:
        """Count what did not fit among the rows of one request, [start, end)."""
        found = []
        for name, change, rows in self.changes:
            n_rows = bisect_left(rows, end) - bisect_left(rows, start)
            if n_rows:
                found.append(SchemaChange(name, change, n_rows))
        return tuple(found)

    def column(self, n_rows: int) -> pa.Array:
        """Return the raw values as one JSON text a row, null where all fitted."""
        if not self.raw:
            return pa.nulls(n_rows, pa.string())
        kept = (self.raw.get(row) for row in range(n_rows))
        return pa.array([raw and json.dumps(raw, default=str) for raw in kept], pa.string())


_TYPES = {Kind.NUMERIC: pa.float64(), Kind.CATEGORICAL: pa.string(), Kind.DATE: TIMESTAMP}


def fit_column(
    body: Body, name: str, kind: Kind, schema: Schema, misfits: Misfits
) -> pa.Array | pa.ChunkedArray:
    """Cast one column of a body; missing and misfitting values become null and are counted."""
    raw = body.columns.get(name)
    if raw is None:
        misfits.note(name, ChangeKind.MISSING, range(body.n_rows))
        return pa.nulls(body.n_rows, _TYPES[kind])
    if isinstance(raw, list) and body.has_absent:
        missing = [row for row, value in enumerate(raw) if value is ABSENT]
        misfits.note(name, ChangeKind.MISSING, missing)
        raw = [None if value is ABSENT else value for value in raw]
    if name == schema.prediction and schema.task is Task.BINARY:
        raw = _probabilities(raw, schema)
    if kind is Kind.DATE:
        return _dates(raw, name, misfits)
    fitted = _fast(raw, kind)
    return _slowly(values_of(raw), name, kind, misfits) if fitted is None else fitted


def _dates(raw: RawColumn, name: str, misfits: Misfits) -> pa.Array:
    times = parse_times(raw)
    fits = (times >= EARLIEST) & (times <= LATEST)  # NaT neither
    if not fits.all():
        given = values_of(raw)
        odd = np.flatnonzero(~fits).tolist()
        kept = ((row, given[row]) for row in odd if given[row] is not None)
        misfits.keep(name, ChangeKind.RETYPED, kept)
    return pa.array(np.where(fits, times, np.datetime64("NaT", "us")), TIMESTAMP)


def _probabilities(raw: RawColumn, schema: Schema) -> RawColumn:
    """Take a predicted class for a probability of 0 or 1."""
    if not isinstance(raw, list) and (
        pa.types.is_floating(raw.type) or pa.types.is_integer(raw.type)
    ):
        return raw
    if isinstance(raw, list) and not any(isinstance(value, str | bool) for value in raw):
        return raw
    named = {schema.positive: 1.0, schema.classes[0]: 0.0}
    return [
        named.get(as_class(value, schema.classes), value)
        if isinstance(value, str | bool)
        else value
        for value in values_of(raw)
    ]


def _fast(raw: RawColumn, kind: Kind) -> pa.Array | pa.ChunkedArray | None:
    """Cast a whole column at once; None where a value does not fit."""
    try:
        if isinstance(raw, list):
            return pa.array(raw, _TYPES[kind])
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
    return pa.array(fitted, _TYPES[kind])


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
