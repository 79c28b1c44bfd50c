"""Intake: a body made to fit a model's schema; what does not fit is kept raw and counted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import (
    EVENT_AT,
    EXTRA,
    FUTURE_TOLERANCE,
    LABEL,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    TIMESTAMP,
    Batch,
    ChangeKind,
    RowKind,
    SchemaChange,
)
from monitor.body import ABSENT, Body, RawColumn
from monitor.classes import as_class
from monitor.columns import INT64_END, class_name
from monitor.errors import BatchRefusedError
from monitor.fitting import Misfits, fit_column, fit_value, is_storable, values_of
from monitor.schema import Kind, Schema, Task

MAX_ID_LENGTH = 200
"""Longer ids are a mistake: a payload in the wrong column."""

MODEL_VERSION_FIELD = "model_version"
"""A row may say which version predicted it; otherwise the champion is taken."""

EARLIEST = np.datetime64("0001-01-01", "us")
"""Python knows no earlier time."""

ID_FIELD = "prediction_id"
"""Ids come under this name where the schema has no id column."""

LABEL_FIELD = "label"
"""Labels may come under this name instead of the target's."""


@dataclass(frozen=True)
class Request:
    """One request, whatever it brings.

    Parameters
    ----------
    model : str
        Whose rows they are.
    request_id : str
        The Idempotency-Key, or a generated one.
    digest : str
        SHA-256 of the body.
    received_at : datetime
        Time of receipt.
    champion : int
        Version that is taken to have predicted rows that do not say.
    """

    model: str
    request_id: str
    digest: str
    received_at: datetime
    champion: int


def predictions(
    body: Body,
    schema: Schema,
    request: Request,
    predict: Callable[[pa.Table], pa.Array] | None = None,
) -> list[Batch]:
    """Turn a body into the batches of a predictions request.

    Parameters
    ----------
    body : Body
        The rows.
    schema : Schema
        What they should look like.
    request : Request
        The request that brought them.
    predict : callable or None
        Predicts from the fitted features; None when the rows bring their predictions.

    Returns
    -------
    list of Batch
        The predictions, and a batch of labels where rows brought their target.

    Raises
    ------
    BatchRefusedError
        If a time or an id cannot be used, naming row and field.
    """
    misfits = Misfits()
    columns: dict[str, pa.Array] = {}
    for name, kind in schema.features.items():
        columns[name] = fit_column(body, name, kind, schema, misfits)
    columns[schema.prediction] = (
        predict(pa.table(columns))
        if predict
        else fit_column(body, schema.prediction, schema.prediction_kind, schema, misfits)
    )
    columns[MODEL_VERSION] = _versions(body, request, misfits)
    known = {*columns, schema.target, schema.time, schema.id, MODEL_VERSION_FIELD, ID_FIELD}
    for name in body.columns:
        if name not in known:
            kept = ((i, v) for i, v in enumerate(values_of(body.columns[name])) if v is not ABSENT)
            misfits.keep(name, ChangeKind.EXTRA, kept)
    received = pa.array([request.received_at] * body.n_rows, TIMESTAMP)
    columns[PREDICTION_ID] = _ids(body, schema, request)
    columns[EVENT_AT] = _event_times(body, schema, request) if schema.time else received
    columns[RECEIVED_AT] = received
    columns[EXTRA] = misfits.column(body.n_rows)
    rows = pa.table(columns)
    batch = _batch(request, RowKind.PREDICTION, rows, tuple(misfits.changes))
    return [batch, *_labels_inside(body, schema, request, rows)]


def labels(body: Body, schema: Schema, request: Request) -> Batch:
    """Turn a body of ids and labels into a batch.

    The id is expected under the schema's id column or ``prediction_id``, the label under the
    target's name or ``label``.

    Raises
    ------
    BatchRefusedError
        If an id or a label is missing, or a label is not a class or, of a regression, a number.
    """
    id_name = _first_of(body, (schema.id, ID_FIELD))
    label_name = _first_of(body, (schema.target, LABEL_FIELD))
    values = dict(enumerate(values_of(body.columns[label_name])))
    ids = pa.array(_checked_ids(values_of(body.columns[id_name]), id_name), pa.string())
    rows = _label_rows(ids, _label_array(values, schema, label_name), request)
    return _batch(request, RowKind.LABEL, rows, ())


def refuse_changes(batches: Sequence[Batch]) -> None:
    """Refuse batches that differ from the schema, where leeway.yaml says so.

    Raises
    ------
    BatchRefusedError
        Naming the first column that is missing, extra or of another type.
    """
    for batch in batches:
        for change in batch.changes:
            raise BatchRefusedError(
                f"the column is {change.change} in {change.n_rows} rows, and on_schema_change is "
                "refuse",
                field=change.column,
                reason="schema",
            )


def _batch(
    request: Request, kind: RowKind, rows: pa.Table, changes: tuple[SchemaChange, ...]
) -> Batch:
    return Batch(
        request.model, kind, request.request_id, request.digest, request.received_at, rows, changes
    )


def _first_of(body: Body, names: tuple[str | None, ...]) -> str:
    wanted = [name for name in names if name is not None]
    for name in wanted:
        if name in body.columns:
            return name
    raise BatchRefusedError(
        f"the column is missing; send it as {' or '.join(map(repr, wanted))}", field=wanted[0]
    )


def _ids(body: Body, schema: Schema, request: Request) -> pa.Array:
    for name in (schema.id, ID_FIELD):
        if name is not None and name in body.columns:
            return pa.array(_checked_ids(values_of(body.columns[name]), name), pa.string())
    if schema.id is not None and body.n_rows:
        raise BatchRefusedError("every row needs its id", row=0, field=schema.id, reason="bad_id")
    # Derived from the request, so that a repeated request returns the same ids.
    return pa.array([f"{request.request_id}-{i}" for i in range(body.n_rows)], pa.string())


def _checked_ids(values: list[Any], name: str) -> list[str]:
    ids = []
    for row, value in enumerate(values):
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
    return ids


def _event_times(body: Body, schema: Schema, request: Request) -> pa.Array:
    name = schema.time or ""
    raw = body.columns.get(name, [None] * body.n_rows)
    times = _parse_times(raw)
    latest = np.datetime64(pd.Timestamp(request.received_at + FUTURE_TOLERANCE).tz_localize(None))
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
    return pa.array(times, pa.timestamp("us")).cast(TIMESTAMP)


def _parse_times(raw: RawColumn) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Parse times as UTC; what is not a time becomes NaT. Numbers are refused: which unit?"""
    if isinstance(raw, pa.ChunkedArray) and pa.types.is_timestamp(raw.type):
        return np.asarray(pc.cast(raw, pa.timestamp("us"), safe=False).to_numpy())
    # pandas takes "now" and "today" for times; a time begins with its year.
    values = [
        v if isinstance(v, datetime) or (isinstance(v, str) and v.strip()[:1].isdigit()) else None
        for v in values_of(raw)
    ]
    parsed = pd.to_datetime(
        pd.Series(values, dtype="object"), utc=True, errors="coerce", format="ISO8601"
    )
    return np.asarray(parsed.dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")


def _versions(body: Body, request: Request, misfits: Misfits) -> pa.Array:
    """Return the version of each row; what is not one counts as the champion and is kept raw."""
    if MODEL_VERSION_FIELD not in body.columns:
        return pa.array([request.champion] * body.n_rows, pa.int64())
    given = values_of(body.columns[MODEL_VERSION_FIELD])
    read = [fit_value(value, Kind.NUMERIC) for value in given]
    fits = [isinstance(v, float) and v.is_integer() and 0 < v < INT64_END for v in read]
    came = (value is not None and value is not ABSENT for value in given)
    odd = [(row, given[row]) for row, here in enumerate(came) if here and not fits[row]]
    misfits.keep(MODEL_VERSION_FIELD, ChangeKind.RETYPED, odd)
    versions = (int(v or 0) if ok else request.champion for v, ok in zip(read, fits, strict=True))
    return pa.array(versions, pa.int64(), size=body.n_rows)


def _labels_inside(body: Body, schema: Schema, request: Request, rows: pa.Table) -> list[Batch]:
    if schema.target not in body.columns:
        return []
    raw = values_of(body.columns[schema.target])
    came = {row: value for row, value in enumerate(raw) if not _is_missing(value)}
    if not came:
        return []
    ids = rows.column(PREDICTION_ID).take(pa.array(list(came)))
    values = _label_array(came, schema, schema.target)
    return [_batch(request, RowKind.LABEL, _label_rows(ids, values, request), ())]


def _is_missing(value: Any) -> bool:
    return value is None or value is ABSENT or (isinstance(value, float) and np.isnan(value))


def _label_array(values: Mapping[int, Any], schema: Schema, name: str) -> pa.Array:
    """Read labels by their row in the body."""
    fitted: list[float | str] = []
    for row, value in values.items():
        one = None if _is_missing(value) else fit_value(value, schema.target_kind)
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


def _label_rows(ids: pa.Array, values: pa.Array, request: Request) -> pa.Table:
    received = pa.array([request.received_at] * len(values), TIMESTAMP)
    return pa.table({PREDICTION_ID: ids, LABEL: values, EVENT_AT: received, RECEIVED_AT: received})
