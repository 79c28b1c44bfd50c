"""Intake: a body made to fit a model's schema; what does not fit is kept raw and counted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

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
)
from monitor.body import ABSENT, Body, RawColumn, as_body, values_of
from monitor.errors import BatchRefusedError
from monitor.fitting import Misfits, fit_column
from monitor.reserved import (
    ID_FIELD,
    MODEL_VERSION_FIELD,
    checked_ids,
    event_times,
    given_ids,
    is_missing,
    label_values,
    repeated,
    versions,
)
from monitor.rows import Rows, together
from monitor.schema import Schema

Predict = Callable[[pa.Table], Mapping[str, pa.Array]]
"""Predicts fitted features: returns the prediction under its column's name, and what else the log
shall have of it."""

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
    digest : str or None
        SHA-256 of the body; None where the request id was generated.
    received_at : datetime
        Time of receipt.
    champion : int
        Version that is taken to have predicted rows that do not say.
    """

    model: str
    request_id: str
    digest: str | None
    received_at: datetime
    champion: int


@dataclass(frozen=True)
class Sent:
    """A request with its rows.

    Parameters
    ----------
    request : Request
        The request.
    rows : Body or Rows
        Its rows.
    """

    request: Request
    rows: Body | Rows


def predictions(
    body: Body,
    schema: Schema,
    request: Request,
    predict: Predict | None = None,
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
        Received at the same time: one, or several whose rows have the same names.
    schema : Schema
        What their rows should look like.

    Raises
    ------
    BatchRefusedError
        If one of them cannot be used; which one `predictions` says.
    """
    return _predictions(_together(sent), schema, sent)


def labels_together(sent: Sequence[Sent], schema: Schema) -> list[list[Batch]]:
    """Turn labels requests to one model into the batches of each, as `predictions_together`."""
    return _labels(_together(sent), schema, sent)


def _together(sent: Sequence[Sent]) -> Body:
    if isinstance(sent[0].rows, Body):
        return sent[0].rows
    return as_body(together([one.rows for one in sent if isinstance(one.rows, Rows)]))


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
    predict: Predict | None = None,
) -> list[list[Batch]]:
    """Fit rows of several requests, which follow each other in one body."""
    request, misfits = sent[0].request, Misfits()
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name, kind in schema.features.items():
        columns[name] = fit_column(body, name, kind, schema, misfits)
    if predict is not None:
        columns.update(predict(pa.table(columns)))
    else:
        name, kind = schema.prediction, schema.prediction_kind
        columns[name] = fit_column(body, name, kind, schema, misfits)
    columns[MODEL_VERSION] = versions(body, request.champion, misfits)
    _keep_extra(body, schema, misfits)
    received = repeated(request.received_at, TIMESTAMP, body.n_rows)
    ids = given_ids(body, schema)
    columns[PREDICTION_ID] = pa.array(_made_ids(sent), pa.string()) if ids is None else ids
    columns[EVENT_AT] = (
        event_times(body, schema.time, request.received_at) if schema.time else received
    )
    columns[RECEIVED_AT] = received
    columns[EXTRA] = misfits.column(body.n_rows)
    rows = pa.table(columns)
    given = body.columns.get(schema.target)
    return [
        [
            _batch(one.request, RowKind.PREDICTION, rows, (start, stop), misfits),
            *_labels_inside(one.request, schema, rows, given, (start, stop)),
        ]
        for one, start, stop in _places(sent)
    ]


def _places(sent: Sequence[Sent]) -> Iterator[tuple[Sent, int, int]]:
    """Say where the rows of each request are among those of all, [start, stop)."""
    stop = 0
    for one in sent:
        start, stop = stop, stop + one.rows.n_rows
        yield one, start, stop


def _keep_extra(body: Body, schema: Schema, misfits: Misfits) -> None:
    known = {schema.prediction, schema.target, schema.time, schema.id, *_OUR_FIELDS}
    known.update(schema.unused)
    for name in [one for one in body.columns if one not in schema.features and one not in known]:
        kept = ((i, v) for i, v in enumerate(values_of(body.columns[name])) if v is not ABSENT)
        misfits.keep(name, ChangeKind.EXTRA, kept)


_OUR_FIELDS = {MODEL_VERSION, MODEL_VERSION_FIELD, ID_FIELD}


def _made_ids(sent: Sequence[Sent]) -> list[str]:
    # Derived from the request, so that a repeated request returns the same ids.
    return [f"{one.request.request_id}-{i}" for one in sent for i in range(one.rows.n_rows)]


def _batch(
    request: Request, kind: RowKind, rows: pa.Table, place: tuple[int, int], misfits: Misfits
) -> Batch:
    name, known, received_at = request.request_id, request.digest, request.received_at
    changes = misfits.counted(*place)
    return Batch(request.model, kind, name, known, received_at, rows, changes, *place)


def _labels(body: Body, schema: Schema, sent: Sequence[Sent]) -> list[list[Batch]]:
    id_name = _first_of(body, (schema.id, ID_FIELD))
    label_name = _first_of(body, (schema.target, LABEL_FIELD))
    values = label_values(enumerate(values_of(body.columns[label_name])), schema, label_name)
    ids = checked_ids(body.columns[id_name], id_name)
    rows = _label_rows(ids, values, sent[0].request)
    return [
        [_batch(one.request, RowKind.LABEL, rows, (start, stop), Misfits())]
        for one, start, stop in _places(sent)
    ]


def _first_of(body: Body, names: tuple[str | None, ...]) -> str:
    wanted = [name for name in names if name is not None]
    for name in wanted:
        if name in body.columns:
            return name
    raise BatchRefusedError(
        f"the column is missing; send it as {' or '.join(map(repr, wanted))}", field=wanted[0]
    )


def _labels_inside(
    request: Request,
    schema: Schema,
    rows: pa.Table,
    given: RawColumn | None,
    place: tuple[int, int],
) -> list[Batch]:
    """Return the labels that prediction rows of a request brought with them."""
    if given is None:
        return []
    start, stop = place
    raw = values_of(given[start:stop])
    came = {row: value for row, value in enumerate(raw) if not is_missing(value)}
    if not came:
        return []
    ids = rows.column(PREDICTION_ID).slice(start).take(pa.array(list(came)))
    labelled = _label_rows(ids, label_values(came.items(), schema, schema.target), request)
    return [_batch(request, RowKind.LABEL, labelled, (0, len(came)), Misfits())]


def _label_rows(ids: pa.Array | pa.ChunkedArray, values: pa.Array, request: Request) -> pa.Table:
    received = repeated(request.received_at, TIMESTAMP, len(values))
    return pa.table({PREDICTION_ID: ids, LABEL: values, EVENT_AT: received, RECEIVED_AT: received})
