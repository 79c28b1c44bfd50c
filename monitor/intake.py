"""Intake: a body made to fit a model's schema; what does not fit is kept raw and counted."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.batch import (
    EVENT_AT,
    EXTRA,
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
from monitor.body import ABSENT, Body, joined
from monitor.classes import as_class
from monitor.errors import BatchRefusedError
from monitor.fitting import Misfits, fit_column, fit_value, values_of
from monitor.reserved import (
    ID_FIELD,
    MODEL_VERSION_FIELD,
    checked_ids,
    event_times,
    given_ids,
    repeated,
    versions,
)
from monitor.schema import Schema, Task

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


@dataclass(frozen=True)
class Sent:
    """A request with its rows.

    Parameters
    ----------
    request : Request
        The request.
    body : Body
        Its rows.
    """

    request: Request
    body: Body


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
    return _predictions(body, schema, [Sent(request, body)], predict)[0]


def labels(body: Body, schema: Schema, request: Request) -> Batch:
    """Turn a body of ids and labels into the batch of a labels request.

    The id is expected under the schema's id column or ``prediction_id``, the label under the
    target's name or ``label``.

    Raises
    ------
    BatchRefusedError
        If an id or a label is missing, or a label is not a class or, of a regression, a number.
    """
    return _labels(body, schema, [Sent(request, body)])[0][0]


def predictions_together(sent: Sequence[Sent], schema: Schema) -> list[list[Batch]]:
    """Turn requests to one model into the batches of each, at little more than the cost of one.

    Parameters
    ----------
    sent : sequence of Sent
        Received at the same time, with bodies that `joined` takes.
    schema : Schema
        What their rows should look like.

    Raises
    ------
    BatchRefusedError
        If one of them cannot be used; which one `predictions` says.
    """
    return _predictions(joined([one.body for one in sent]), schema, sent)


def labels_together(sent: Sequence[Sent], schema: Schema) -> list[list[Batch]]:
    """Turn labels requests to one model into the batches of each, as `predictions_together`."""
    return _labels(joined([one.body for one in sent]), schema, sent)


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


def _predictions(
    body: Body,
    schema: Schema,
    sent: Sequence[Sent],
    predict: Callable[[pa.Table], pa.Array] | None = None,
) -> list[list[Batch]]:
    """Fit rows of several requests, which follow each other in one body."""
    request, misfits = sent[0].request, Misfits()
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name, kind in schema.features.items():
        columns[name] = fit_column(body, name, kind, schema, misfits)
    columns[schema.prediction] = (
        predict(pa.table(columns))
        if predict
        else fit_column(body, schema.prediction, schema.prediction_kind, schema, misfits)
    )
    columns[MODEL_VERSION] = versions(body, request.champion, misfits)
    _keep_extra(body, schema, misfits)
    received = repeated(request.received_at, TIMESTAMP, body.n_rows)
    ids = given_ids(body, schema)
    columns[PREDICTION_ID] = pa.array(_made_ids(sent) if ids is None else ids, pa.string())
    columns[EVENT_AT] = (
        event_times(body, schema.time, request.received_at) if schema.time else received
    )
    columns[RECEIVED_AT] = received
    columns[EXTRA] = misfits.column(body.n_rows)
    rows = pa.table(columns)
    return [
        [
            _batch(one.request, RowKind.PREDICTION, part, misfits.counted(start, end)),
            *_labels_inside(one, schema, part),
        ]
        for one, start, end in _places(sent)
        for part in [rows.slice(start, end - start)]
    ]


def _places(sent: Sequence[Sent]) -> Iterator[tuple[Sent, int, int]]:
    """Say where the rows of each request are in the joined body, [start, end)."""
    end = 0
    for one in sent:
        start, end = end, end + one.body.n_rows
        yield one, start, end


def _keep_extra(body: Body, schema: Schema, misfits: Misfits) -> None:
    known = {schema.prediction, schema.target, schema.time, schema.id, *_OUR_FIELDS}
    for name in [one for one in body.columns if one not in schema.features and one not in known]:
        kept = ((i, v) for i, v in enumerate(values_of(body.columns[name])) if v is not ABSENT)
        misfits.keep(name, ChangeKind.EXTRA, kept)


_OUR_FIELDS = {MODEL_VERSION, MODEL_VERSION_FIELD, ID_FIELD}


def _made_ids(sent: Sequence[Sent]) -> list[str]:
    # Derived from the request, so that a repeated request returns the same ids.
    return [f"{one.request.request_id}-{i}" for one in sent for i in range(one.body.n_rows)]


def _batch(
    request: Request, kind: RowKind, rows: pa.Table, changes: tuple[SchemaChange, ...]
) -> Batch:
    return Batch(
        request.model, kind, request.request_id, request.digest, request.received_at, rows, changes
    )


def _labels(body: Body, schema: Schema, sent: Sequence[Sent]) -> list[list[Batch]]:
    id_name = _first_of(body, (schema.id, ID_FIELD))
    label_name = _first_of(body, (schema.target, LABEL_FIELD))
    values = _label_array(enumerate(values_of(body.columns[label_name])), schema, label_name)
    ids = pa.array(checked_ids(values_of(body.columns[id_name]), id_name), pa.string())
    rows = _label_rows(ids, values, sent[0].request)
    return [
        [_batch(one.request, RowKind.LABEL, rows.slice(start, end - start), ())]
        for one, start, end in _places(sent)
    ]


def _first_of(body: Body, names: tuple[str | None, ...]) -> str:
    wanted = [name for name in names if name is not None]
    for name in wanted:
        if name in body.columns:
            return name
    raise BatchRefusedError(
        f"the column is missing; send it as {' or '.join(map(repr, wanted))}", field=wanted[0]
    )


def _labels_inside(sent: Sent, schema: Schema, rows: pa.Table) -> list[Batch]:
    """Return the labels that prediction rows of a request brought with them."""
    if schema.target not in sent.body.columns:
        return []
    raw = values_of(sent.body.columns[schema.target])
    came = {row: value for row, value in enumerate(raw) if not _is_missing(value)}
    if not came:
        return []
    ids = rows.column(PREDICTION_ID).take(pa.array(list(came)))
    values = _label_array(came.items(), schema, schema.target)
    labelled = _label_rows(ids, values, sent.request)
    return [_batch(sent.request, RowKind.LABEL, labelled, ())]


def _is_missing(value: Any) -> bool:
    return value is None or value is ABSENT or (isinstance(value, float) and np.isnan(value))


def _label_array(values: Iterable[tuple[int, Any]], schema: Schema, name: str) -> pa.Array:
    """Read labels by their row in the body."""
    fitted: list[float | str] = []
    for row, value in values:
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
    received = repeated(request.received_at, TIMESTAMP, len(values))
    return pa.table({PREDICTION_ID: ids, LABEL: values, EVENT_AT: received, RECEIVED_AT: received})
