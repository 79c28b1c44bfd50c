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
CHANCES = "_chances"
"""Columns that the log adds to a row. ``_row`` is given by the log itself: the row's place in the
order of acknowledgement, from 0, per model and kind. ``_extra`` is a JSON object of the values
that did not fit the schema, else null. ``_chances`` has how likely Leeway's own model found each
class of several, a list in the schema's order."""

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
class Refused:
    """The rows that were refused while a window was open.

    Parameters
    ----------
    n_rows : int
        How many.
    reasons : tuple of str
        Why, in the words of `monitor.errors.REFUSALS`; the most frequent first.
    since : datetime or None
        When the first of them came, to the minute; None without any.
    """

    n_rows: int = 0
    reasons: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows ready for the log.

    Requests that are taken in together share one table, each with its stretch of it: cutting a
    table of many columns costs more than anything else that is done for one row.

    Parameters
    ----------
    model : str
        Whose rows they are.
    kind : RowKind
        What they are.
    request_id : str
        Makes a repeated request a no-op.
    digest : str or None
        SHA-256 of the body, hexadecimal: the same request id with another one is a conflict. None
        where nobody knows the request id, and so cannot repeat it.
    received_at : datetime
        Time of receipt.
    table : pyarrow.Table, shape (at least stop, n_columns)
        The schema's columns with the reserved ones, all but ``_row``.
    changes : sequence of SchemaChange
        What did not fit.
    start, stop : int
        The rows of the table that are this request's; all of them by default.
    """

    model: str
    kind: RowKind
    request_id: str
    digest: str | None
    received_at: datetime
    table: pa.Table
    changes: Sequence[SchemaChange] = ()
    start: int = 0
    stop: int | None = None

    @property
    def n_rows(self) -> int:
        """How many rows it brings."""
        return int(self.table.num_rows if self.stop is None else self.stop) - self.start

    @property
    def rows(self) -> pa.Table:
        """Its rows, cut out of the table."""
        return self.table.slice(self.start, self.n_rows)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return its rows of one column."""
        return self.table.column(name).slice(self.start, self.n_rows)


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
