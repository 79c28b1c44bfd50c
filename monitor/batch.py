"""Batch: rows as they arrived in one request, made to fit a model's schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import pyarrow as pa

PREDICTION_ID = "_prediction_id"
EVENT_AT = "_event_at"
RECEIVED_AT = "_received_at"
MODEL_VERSION = "_model_version"
EXTRA = "_extra"
LABEL = "_label"
ROW = "_row"
"""Columns that the log adds to a row. ``_row`` is given by the log itself: the row's place in the
order of acknowledgement, from 0, per model and kind. ``_extra`` is a JSON object of the values
that did not fit the schema, else null."""

TIMESTAMP = pa.timestamp("us", tz="UTC")
"""Type of every time in the log."""

FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far ahead of our clock an event time may lie."""


class RowKind(StrEnum):
    """What a logged row is."""

    PREDICTION = "prediction"
    LABEL = "label"
    SHADOW = "shadow"  # what a version that does not serve predicts for the same rows


class ChangeKind(StrEnum):
    """How a batch's columns differ from the schema."""

    MISSING = "missing"
    EXTRA = "extra"
    RETYPED = "retyped"


@dataclass(frozen=True)
class SchemaChange:
    """One column that did not come as the schema says.

    Parameters
    ----------
    column : str
        The column.
    change : ChangeKind
        What is different.
    n_rows : int
        Rows it touches.
    """

    column: str
    change: ChangeKind
    n_rows: int


@dataclass(frozen=True)
class Batch:
    """Rows ready for the log.

    Parameters
    ----------
    model : str
        Whose rows they are.
    kind : RowKind
        What they are.
    request_id : str
        Makes a repeated request a no-op.
    digest : str
        SHA-256 of the body, hexadecimal: the same request id with another one is a conflict.
    received_at : datetime
        Time of receipt.
    rows : pyarrow.Table, shape (n_rows, n_columns)
        The schema's columns with the reserved ones, all but ``_row``.
    changes : sequence of SchemaChange
        What did not fit.
    """

    model: str
    kind: RowKind
    request_id: str
    digest: str
    received_at: datetime
    rows: pa.Table
    changes: Sequence[SchemaChange] = ()


@dataclass(frozen=True)
class Receipt:
    """What the log acknowledges.

    Parameters
    ----------
    n_rows : int
        Rows acknowledged by this request.
    repeated : bool
        True when the request had been acknowledged before and nothing was added.
    """

    n_rows: int
    repeated: bool
