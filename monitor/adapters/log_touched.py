"""Log touched: to which hours, and which rows, something has come since when."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from monitor.adapters.database import excluded, putting
from monitor.adapters.log_rows import integers
from monitor.adapters.log_tables import Stream, micros, owner, touched
from monitor.batch import EVENT_AT, LABEL, ROW, RowKind
from monitor.window import JudgedWindow

LENGTHS: Mapping[str, int] = {EVENT_AT: 3_600_000_000, ROW: 4_096}
"""What is marked at once: an hour in microseconds, and so many rows."""


def touch_predictions(
    connection: sa.Connection, stream: Stream, rows: pa.Table, described: Mapping[str, int]
) -> None:
    """Mark the hours to which predictions have come; `described` says how far the rows reach."""
    hour = LENGTHS[EVENT_AT]
    buckets = [described["first_event_at"] // hour]
    if described["last_event_at"] // hour > buckets[0]:
        buckets = np.unique(integers(rows.column(EVENT_AT)) // hour).tolist()
    _mark(connection, stream, EVENT_AT, dict.fromkeys(buckets, described["last_row"] + 1))


def touch_found(
    connection: sa.Connection, model: str, labels: pa.Table, places: np.ndarray
) -> None:
    """Mark the hours, and the rows, to whose predictions labels have come.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    model : str
        Whose labels they are.
    labels : pyarrow.Table
        With the event times of their predictions.
    places : numpy.ndarray, shape (n_rows,)
        Places of their predictions in the order of acknowledgement.
    """
    given = labels.column(LABEL).is_valid().to_numpy()
    ends = integers(labels.column(ROW))[given] + 1
    for column, values in ((EVENT_AT, integers(labels.column(EVENT_AT))), (ROW, places)):
        buckets, which = np.unique(values[given] // LENGTHS[column], return_inverse=True)
        last = np.zeros(len(buckets), np.int64)
        np.maximum.at(last, which, ends)
        marks = dict(zip(buckets.tolist(), last.tolist(), strict=True))
        _mark(connection, (model, RowKind.LABEL), column, marks)


def _mark(connection: sa.Connection, stream: Stream, column: str, ends: Mapping[int, int]) -> None:
    common = {**owner(stream), "column_name": column}
    rows = [{**common, "bucket": bucket, "end_row": end} for bucket, end in ends.items()]
    if rows:
        connection.execute(_marking(connection.dialect.name), rows)


@cache
def _marking(dialect: str) -> sa.Insert:
    new, known = excluded(touched, "end_row"), touched.c.end_row
    return putting(dialect, touched, {"end_row": sa.case((new > known, new), else_=known)})


def since_judged(
    connection: sa.Connection, model: str, judged: Sequence[JudgedWindow]
) -> list[JudgedWindow]:
    """Return the windows to which something has come that was not there when they were judged.

    To a window of rows only labels come.
    """
    if not judged:
        return []
    t = touched.c
    oldest = {
        RowKind.PREDICTION: min(one.seen.n_rows for one in judged),
        RowKind.LABEL: min(one.seen.n_labels for one in judged),
    }
    newer = sa.or_(
        *(sa.and_(t.kind == kind.value, t.end_row > end) for kind, end in oldest.items())
    )
    marked = sa.select(t.kind, t.column_name, t.bucket, t.end_row).where(t.model == model, newer)
    marks: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for kind, column, bucket, end in connection.execute(marked):
        marks.setdefault((kind, column), []).append((bucket, end))
    arrays = {key: np.array(found, np.int64).T for key, found in marks.items()}
    return [one for one in judged if _came(one, arrays)]


def _came(one: JudgedWindow, marks: Mapping[tuple[str, str], Any]) -> bool:
    window = one.window
    if window.rows is not None:
        column, (start, end) = ROW, window.rows
    else:
        column, start, end = EVENT_AT, micros(window.start), micros(window.end)
    first, last = start // LENGTHS[column], (end - 1) // LENGTHS[column]
    seen = {RowKind.PREDICTION: one.seen.n_rows, RowKind.LABEL: one.seen.n_labels}
    for kind, n_seen in seen.items():
        if (kind.value, column) in marks:
            buckets, ends = marks[kind.value, column]
            if ((buckets >= first) & (buckets <= last) & (ends > n_seen)).any():
                return True
    return False
