"""Log labels: which prediction each label belongs to, and which windows it touches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from monitor.adapters.database import ONE_BY_ONE, exclusive, reading
from monitor.adapters.log_files import File, Source, find
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import Stretch, decode, describe, encode, integers, unify
from monitor.adapters.log_tables import (
    Place,
    counters,
    inbox,
    of_stream,
    owner,
    take_out,
)
from monitor.adapters.log_touched import touch_found
from monitor.batch import EVENT_AT, PREDICTION_ID, RECEIVED_AT, ROW, TIMESTAMP, RowKind

ROWS_AT_ONCE = 500_000
"""Labels looked up together, so that a long inbox does not have to fit in memory."""

_SEARCHED_AT_ONCE = 2_000_000  # rows of predictions
_WAITING_ROWS = 50_000  # of one payload, from which no more are put to it
_DAY = 86_400_000_000
_ALWAYS = Stretch(EVENT_AT, -(2**62), 2**62)


@dataclass(frozen=True)
class _Payload:
    id: int
    n_searched: int
    is_new: bool
    rows: pa.Table


def find_predictions(engine: sa.Engine, folder: LogFolder, model: str) -> None:
    """Look for the predictions of the labels of a model whose predictions are not known yet.

    Labels that are found get the event time of their prediction, and touch its windows; the rest
    waits. New labels are looked for in all predictions, the latest first; those that wait only in
    the predictions that came since.
    """
    while _find_some(engine, folder, model):
        pass


def _find_some(engine: sa.Engine, folder: LogFolder, model: str) -> bool:
    """Look up some labels; says whether there may be more."""
    with reading(engine) as connection:
        predictions = (model, RowKind.PREDICTION)
        counted = sa.select(counters.c.n_rows).where(of_stream(counters, predictions))
        n_known = connection.scalar(counted) or 0
        payloads = list(_unsettled(connection, model, n_known))
        if not payloads:
            return False
        fresh = [one for one in payloads if one.is_new]
        old = [one for one in payloads if not one.is_new]
        searches = []
        if fresh:
            searches.append((fresh, find(connection, folder, predictions, _ALWAYS)))
        if old:
            since = Stretch(ROW, min(one.n_searched for one in old), n_known)
            searches.append((old, find(connection, folder, predictions, since)))
    found = [one for group, source in searches for one in _search(group, source)]
    _store(engine, model, found, n_known)
    return bool(fresh)


def _unsettled(connection: sa.Connection, model: str, n_known: int) -> Iterator[_Payload]:
    """Yield what is new, some of it, and with it what waits for predictions that have come."""
    c = inbox.c
    mine = of_stream(inbox, (model, RowKind.LABEL))
    new = sa.select(inbox).where(mine, c.place == Place.NEW).order_by(c.id)
    n_rows = 0
    with connection.execute(new, execution_options=ONE_BY_ONE) as rows:
        for row in rows:
            if n_rows and n_rows + row.n_rows > ROWS_AT_ONCE:
                break
            n_rows += row.n_rows
            yield _payload(row, is_new=True)
    since = sa.and_(c.place == Place.WAITING, c.n_searched < n_known)
    for row in connection.execute(sa.select(inbox).where(mine, since).order_by(c.id)):
        yield _payload(row, is_new=False)


def _payload(row: sa.Row[Any], *, is_new: bool) -> _Payload:
    return _Payload(row.id, row.n_searched, is_new, decode(row.payload))


@dataclass(frozen=True)
class _Outcome:
    payload: _Payload
    found: pa.Table
    places: np.ndarray
    missing: pa.Table


def _search(payloads: Sequence[_Payload], source: Source) -> Iterator[_Outcome]:
    """Look up the labels of some payloads together."""
    names = [one.rows.column(PREDICTION_ID) for one in payloads]
    ids = pa.chunked_array([chunk for name in names for chunk in name.chunks], pa.string())
    event_at, row = locate_ids(source, ids)
    start = 0
    for payload in payloads:
        end = start + payload.rows.num_rows
        here = row[start:end] >= 0
        found, missing = payload.rows.filter(pa.array(here)), payload.rows.filter(pa.array(~here))
        times = pa.array(event_at[start:end][here], pa.int64()).cast(TIMESTAMP)
        at = found.column_names.index(EVENT_AT)
        found = found.set_column(at, EVENT_AT, times)
        yield _Outcome(payload, found, row[start:end][here], missing)
        start = end


def locate_ids(source: Source, ids: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Find predictions by their ids; of several with one id the latest event's.

    Returns
    -------
    event_at, row : numpy.ndarray of int64, shape (n_ids,)
        Microseconds of Unix time and place in the order of acknowledgement; -1 where there is no
        such prediction.
    """
    wanted = ids.unique()
    event_at, row = np.full(len(wanted), -1), np.full(len(wanted), -1)
    missing = np.arange(len(wanted))
    for part in _latest_first(source):
        names = part.column(PREDICTION_ID)
        places = pc.index_in(names, value_set=wanted.take(pa.array(missing)))
        known = np.flatnonzero(places.is_valid().to_numpy())[
            ::-1
        ]  # the first comes last, and stays
        target = missing[places.drop_null().to_numpy()[::-1]]
        event_at[target] = integers(part.column(EVENT_AT))[known]
        row[target] = integers(part.column(ROW))[known]
        missing = missing[row[missing] < 0]
        if not len(missing):
            break
    if len(wanted) == len(ids):
        return event_at, row
    back = pc.index_in(ids, value_set=wanted).to_numpy()
    return event_at[back], row[back]


def _latest_first(source: Source) -> Iterator[pa.Table]:
    """Yield ids, times and places of predictions, some files at a time."""
    columns = (PREDICTION_ID, EVENT_AT, ROW)
    if source.payloads:
        yield replace(source, files=()).read(columns)
    group: list[File] = []
    n_rows = 0
    for file in sorted(source.files, key=lambda one: one.last_event_at, reverse=True):
        if group and n_rows + file.n_rows > _SEARCHED_AT_ONCE:
            yield replace(source, files=group, payloads=()).read(columns)
            group, n_rows = [], 0
        group.append(file)
        n_rows += file.n_rows
    if group:
        yield replace(source, files=group, payloads=()).read(columns)


def _store(engine: sa.Engine, model: str, outcomes: Sequence[_Outcome], n_known: int) -> None:
    """Put what was found in the place of what was looked up, unless another process has."""
    stream = (model, RowKind.LABEL)
    still = [one for one in outcomes if not one.payload.is_new and not one.found.num_rows]
    moved = [one for one in outcomes if one.payload.is_new or one.found.num_rows]
    with engine.begin() as connection:
        exclusive(connection, "log", *stream)
        if not take_out(connection, [one.payload.id for one in moved]):
            connection.rollback()
            return
        searched = inbox.c.id.in_([one.payload.id for one in still])
        connection.execute(sa.update(inbox).where(searched).values(n_searched=n_known))
        found = [one for one in moved if one.found.num_rows]
        if found:
            rows = unify([one.found for one in found])
            _put(connection, stream, rows, {"place": Place.FOUND, "n_searched": n_known})
            touch_found(connection, model, rows, np.concatenate([one.places for one in found]))
        missing = [one.missing for one in moved if one.missing.num_rows]
        if missing:
            _let_wait(connection, stream, unify(missing), n_known)


def _let_wait(
    connection: sa.Connection, stream: tuple[str, RowKind], rows: pa.Table, n_known: int
) -> None:
    """Put what waits into one payload for each day of receipt, with what waits since that day."""
    days = integers(rows.column(RECEIVED_AT)) // _DAY
    c = inbox.c
    for day in np.unique(days):
        of_day = rows if (days == day).all() else rows.filter(pa.array(days == day))
        short = sa.select(c.id, c.payload, c.n_searched).where(
            of_stream(inbox, stream),
            c.place == Place.WAITING,
            c.first_received_at.between(int(day) * _DAY, (int(day) + 1) * _DAY - 1),
            c.n_rows < _WAITING_ROWS,
        )
        known = connection.execute(short).all()
        take_out(connection, [one.id for one in known])
        together = unify([*(decode(one.payload) for one in known), of_day])
        # Another process may have searched less far: rather twice than not at all.
        n_searched = min([n_known, *(one.n_searched for one in known)])
        values = {"place": Place.WAITING, "n_searched": n_searched}
        _put(connection, stream, together, values)


def _put(
    connection: sa.Connection,
    stream: tuple[str, RowKind],
    rows: pa.Table,
    values: Mapping[str, Any],
) -> None:
    content = {**owner(stream), **describe(rows), "payload": encode(rows).to_pybytes()}
    connection.execute(sa.insert(inbox), {**content, **values})
