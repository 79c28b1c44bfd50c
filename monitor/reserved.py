"""Reserved: the columns that the log adds to a row, out of what a request brought."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import FUTURE_TOLERANCE, TIMESTAMP, ChangeKind
from monitor.body import ABSENT, Body, RawColumn, values_of
from monitor.classes import as_class
from monitor.columns import INT64_END, ArrowColumn, class_name
from monitor.errors import BatchRefusedError
from monitor.fitting import Misfits, fit_value, is_storable
from monitor.schema import Kind, Schema, Task
from monitor.times import EARLIEST, parse_times

MAX_ID_LENGTH = 200
"""Longer ids are a mistake: a payload in the wrong column."""

MODEL_VERSION_FIELD = "model_version"
"""A row may say which version predicted it; otherwise the champion is taken."""

ID_FIELD = "prediction_id"
"""Ids come under this name where the schema has no id column."""


def given_ids(body: Body, schema: Schema) -> ArrowColumn | None:
    """Return the ids that rows brought; None when the model has no id column and none came.

    Raises
    ------
    BatchRefusedError
        If a row has no id or one that cannot be used.
    """
    for name in (schema.id, ID_FIELD):
        if name is not None and name in body.columns:
            return checked_ids(body.columns[name], name)
    if schema.id is not None and body.n_rows:
        raise BatchRefusedError("every row needs its id", row=0, field=schema.id, reason="bad_id")
    return None


def checked_ids(column: RawColumn, name: str) -> ArrowColumn:
    """Return ids as text.

    Raises
    ------
    BatchRefusedError
        Naming the first row whose id cannot be used.
    """
    fast = _plain_ids(column)
    if fast is not None:
        return fast
    ids = []
    for row, value in enumerate(values_of(column)):
        text = class_name(value) if isinstance(value, str | int | float) else ""
        if not text or len(text) > MAX_ID_LENGTH or text == "nan" or not is_storable(text):
            raise BatchRefusedError(
                f"an id must be text or a number of at most {MAX_ID_LENGTH} characters, "
                f"not {str(value)[:40]!r}",
                row=row,
                field=name,
                reason="bad_id",
            )
        ids.append(text)
    return pa.array(ids, pa.string())


def _plain_ids(column: RawColumn) -> ArrowColumn | None:
    """Return ids that all are texts or whole numbers, and can be used; None of others."""
    try:
        if isinstance(column, list):
            return _plain_texts(column)
        if not (pa.types.is_integer(column.type) or _is_text(column.type)):
            return None
        found = column.cast(pa.string())
    except (pa.ArrowException, UnicodeEncodeError):
        return None
    lengths = pc.min_max(pc.utf8_length(found))
    fits = not found.null_count and len(found) > 0
    fits = fits and 0 < lengths["min"].as_py() <= lengths["max"].as_py() <= MAX_ID_LENGTH
    return found if fits and not pc.any(pc.equal(found, "nan")).as_py() else None


def _plain_texts(ids: list[Any]) -> pa.Array | None:
    # Not by Arrow: requests of one row wait for this, and each call of it takes ten microseconds.
    if not ids or not all(type(one) is str for one in ids):
        return None
    fits = min(map(len, ids)) > 0 and max(map(len, ids)) <= MAX_ID_LENGTH and "nan" not in ids
    return pa.array(ids, pa.string()) if fits else None


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def event_times(body: Body, name: str, received_at: datetime) -> pa.Array:
    """Read the event time of each row.

    Raises
    ------
    BatchRefusedError
        Naming the first row without a time, or with one in the future.
    """
    raw = body.columns.get(name, [None] * body.n_rows)
    times = parse_times(raw)
    latest = np.datetime64((received_at + FUTURE_TOLERANCE).astimezone(UTC).replace(tzinfo=None))
    no_time = np.isnat(times) | (times < EARLIEST)
    for bad, expected in (
        (no_time, "a time is needed: ISO 8601, as 2013-07-01T15:00:00Z"),
        (times > latest, "the time lies in the future; is it local time sent as UTC?"),
    ):
        if bad.any():
            row = int(bad.argmax())
            found = "nothing" if (value := values_of(raw)[row]) in (None, ABSENT) else repr(value)
            raise BatchRefusedError(
                f"{expected}; found {found}", row=row, field=name, reason="bad_time"
            )
    return pa.array(times, TIMESTAMP)


def versions(body: Body, champion: int, misfits: Misfits) -> pa.Array:
    """Return the version of each row; what is not one counts as the champion and is kept raw."""
    if MODEL_VERSION_FIELD not in body.columns:
        return repeated(champion, pa.int64(), body.n_rows)
    given = values_of(body.columns[MODEL_VERSION_FIELD])
    read = [fit_value(value, Kind.NUMERIC) for value in given]
    fits = [isinstance(v, float) and v.is_integer() and 0 < v < INT64_END for v in read]
    came = (value is not None and value is not ABSENT for value in given)
    odd = [(row, given[row]) for row, here in enumerate(came) if here and not fits[row]]
    misfits.keep(MODEL_VERSION_FIELD, ChangeKind.RETYPED, odd)
    found = (int(v or 0) if ok else champion for v, ok in zip(read, fits, strict=True))
    return pa.array(found, pa.int64(), size=body.n_rows)


def is_missing(value: Any) -> bool:
    """Say whether a row brought no label."""
    return value is None or value is ABSENT or (isinstance(value, float) and np.isnan(value))


def label_values(values: Iterable[tuple[int, Any]], schema: Schema, name: str) -> pa.Array:
    """Read labels by their row in the body.

    Raises
    ------
    BatchRefusedError
        Naming the first row whose label is missing, or not what the task takes.
    """
    fitted: list[float | str] = []
    for row, value in values:
        one = None if is_missing(value) else fit_value(value, schema.target_kind)
        if one is None or (isinstance(one, float) and not np.isfinite(one)):
            wanted = "a number" if schema.task is Task.REGRESSION else "a class"
            raise BatchRefusedError(
                f"a label must be {wanted}, not {str(value)[:40]!r}",
                row=row,
                field=name,
                reason="bad_label",
            )
        fitted.append(as_class(one, schema.classes) if isinstance(one, str) else one)
    return pa.array(fitted, pa.string() if schema.classes else pa.float64())


def repeated(value: Any, dtype: pa.DataType, n_rows: int) -> pa.Array:
    """Return a column of one value."""
    return pa.repeat(pa.scalar(value, dtype), n_rows)
