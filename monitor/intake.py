"""Intake: a body made to fit a model's schema; what does not fit is kept raw and counted."""

from collections.abc import Callable, Sequence
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
from monitor.errors import BatchRefusedError
from monitor.fitting import Misfits, fit_column, fit_value, values_of
from monitor.schema import Kind, Schema, Task, as_class, class_name

MAX_ID_LENGTH = 200
"""Longer ids are a mistake: a payload in the wrong column."""

MODEL_VERSION_FIELD = "model_version"
"""A row may say which version predicted it; otherwise the champion is taken."""


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
    known = {*columns, schema.target, schema.time, schema.id, MODEL_VERSION_FIELD, PREDICTION_ID}
    for name in body.columns.keys() - known:
        values = values_of(body.columns[name])
        kept = ((i, v) for i, v in enumerate(values) if v is not ABSENT)
        misfits.keep(name, ChangeKind.EXTRA, kept)
    received = pa.array([request.received_at] * body.n_rows, TIMESTAMP)
    columns[PREDICTION_ID] = _ids(body, schema, request)
    columns[EVENT_AT] = _event_times(body, schema, request) if schema.time else received
    columns[RECEIVED_AT] = received
    columns[MODEL_VERSION] = _versions(body, request)
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
        If an id or a label is missing, or a label of a regression is not a number.
    """
    id_name = _first_of(body, (schema.id, "prediction_id"))
    label_name = _first_of(body, (schema.target, "label"))
    values = [None if v is ABSENT else v for v in values_of(body.columns[label_name])]
    ids = pa.array(_checked_ids(values_of(body.columns[id_name]), id_name), pa.string())
    for row, value in enumerate(values):
        if value is None:
            raise BatchRefusedError(
                "a label needs a value", row=row, field=label_name, reason="bad_label"
            )
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
    name = schema.id or PREDICTION_ID
    if name not in body.columns:
        if schema.id is not None:
            raise BatchRefusedError("every row needs its id", row=0, field=name, reason="bad_id")
        # Derived from the request, so that a repeated request returns the same ids.
        return pa.array([f"{request.request_id}-{i}" for i in range(body.n_rows)], pa.string())
    return pa.array(_checked_ids(values_of(body.columns[name]), name), pa.string())


def _checked_ids(values: list[Any], name: str) -> list[str]:
    ids = []
    for row, value in enumerate(values):
        text = class_name(value) if isinstance(value, str | int | float) else ""
        if not text or len(text) > MAX_ID_LENGTH or text == "nan":
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
    for bad, expected in (
        (np.isnat(times), "a time is needed: ISO 8601, as 2013-07-01T15:00:00Z"),
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
    values = [v if isinstance(v, str | datetime) else None for v in values_of(raw)]
    parsed = pd.to_datetime(
        pd.Series(values, dtype="object"), utc=True, errors="coerce", format="ISO8601"
    )
    return np.asarray(parsed.dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")


def _versions(body: Body, request: Request) -> pa.Array:
    raw = body.columns.get(MODEL_VERSION_FIELD)
    if raw is None:
        return pa.array([request.champion] * body.n_rows, pa.int64())
    return pa.array(
        [v if isinstance(v, int) else request.champion for v in values_of(raw)], pa.int64()
    )


def _labels_inside(body: Body, schema: Schema, request: Request, rows: pa.Table) -> list[Batch]:
    if schema.target not in body.columns:
        return []
    raw = values_of(body.columns[schema.target])
    came = [i for i, value in enumerate(raw) if value is not None and value is not ABSENT]
    if not came:
        return []
    ids = rows.column(PREDICTION_ID).take(pa.array(came))
    values = _label_array([raw[i] for i in came], schema, schema.target)
    return [_batch(request, RowKind.LABEL, _label_rows(ids, values, request), ())]


def _label_array(values: list[Any], schema: Schema, name: str) -> pa.Array:
    if schema.task is not Task.REGRESSION:
        return pa.array([as_class(value, schema.classes) for value in values], pa.string())
    numbers = [fit_value(value, Kind.NUMERIC) for value in values]
    for row, number in enumerate(numbers):
        if number is None or not np.isfinite(number):
            raise BatchRefusedError(
                f"a label must be a number, not {values[row]!r}",
                row=row,
                field=name,
                reason="bad_label",
            )
    return pa.array(numbers, pa.float64())


def _label_rows(ids: pa.Array, values: pa.Array, request: Request) -> pa.Table:
    received = pa.array([request.received_at] * len(values), TIMESTAMP)
    return pa.table({PREDICTION_ID: ids, LABEL: values, EVENT_AT: received, RECEIVED_AT: received})
