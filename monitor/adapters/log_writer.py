"""Log writer: one thread that commits all waiting requests together, with one fsync."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from monitor.adapters.log_files import encode, unify, write_files
from monitor.adapters.log_tables import (
    Stream,
    counters,
    describe,
    files,
    fitted,
    inbox,
    micros,
    numbered,
    of_stream,
    owner,
    requests,
    schema_changes,
    writing,
)
from monitor.batch import Batch, Receipt, RowKind
from monitor.errors import BatchRefusedError, RequestConflictError, StorageError

LARGE_BYTES = 1 << 20
"""A batch with this much Arrow data becomes a file at once, past the inbox."""

GROUP_BYTES = 64 << 20
"""A group commit takes no more requests once it holds this much; a payload stays far below
SQLite's limit of 1 GB."""

GATHER_SECONDS = 0.002
"""How long a group waits to become as large as the one before; an fsync takes about as long."""

_IDS_AT_ONCE = 5_000  # variables in one statement; SQLite takes 32 766

Outcome = Receipt | RequestConflictError | StorageError
_RequestKey = tuple[str, RowKind, str]


@dataclass(frozen=True)
class _Request:
    batches: Sequence[Batch]
    future: Future[Receipt]
    n_rows: int
    n_bytes: int


class LogWriter:
    """Takes requests from any thread and writes them in its own.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The log's database.
    folder : Path
        Where its files are.
    max_waiting_rows : int
        Beyond this many waiting rows a request is refused with StorageError.
    """

    def __init__(self, engine: sa.Engine, folder: Path, *, max_waiting_rows: int) -> None:
        self._engine = writing(engine)
        self._folder = folder
        self._max_waiting_rows = max_waiting_rows
        self._waiting: deque[_Request] = deque()
        self._n_waiting_rows = 0
        self._n_last = 0
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="prediction-log-writer", daemon=True)
        self._thread.start()

    def submit(self, batches: Sequence[Batch]) -> Future[Receipt]:
        """Queue one request; the future is done when its rows are on disk."""
        future: Future[Receipt] = Future()
        try:
            # In the caller's thread, so that rows that do not fit spoil no other's commit.
            plain = [replace(batch, rows=fitted(batch.rows)) for batch in batches]
            n_rows = sum(batch.rows.num_rows for batch in plain)
            n_bytes = sum(_n_bytes(batch.rows) for batch in plain)
            self._enqueue(_Request(plain, future, n_rows, n_bytes))
        except (BatchRefusedError, StorageError) as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Write what is waiting, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _enqueue(self, request: _Request) -> None:
        with self._changed:
            if self._closed:
                raise StorageError("the prediction log is closed")
            # A request beyond the limit all by itself is taken when nothing else waits.
            if self._waiting and self._n_waiting_rows + request.n_rows > self._max_waiting_rows:
                raise StorageError(
                    f"{self._n_waiting_rows} rows wait to be written already; try again later"
                )
            self._waiting.append(request)
            self._n_waiting_rows += request.n_rows
            self._changed.notify()

    def _run(self) -> None:
        while group := self._collect():
            self._commit([r for r in group if r.future.set_running_or_notify_cancel()])

    def _collect(self) -> list[_Request]:
        """Wait for requests and take all of them; none means that the writer is closed."""
        group: list[_Request] = []
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            # Those who were just answered are about to come again: without this the first of
            # them would get a commit of its own, and the others wait for it.
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._n_last or self._closed, GATHER_SECONDS
            )
            n_bytes = 0
            while self._waiting and n_bytes < GROUP_BYTES:
                request = self._waiting.popleft()
                self._n_waiting_rows -= request.n_rows
                n_bytes += request.n_bytes
                group.append(request)
        self._n_last = len(group)
        return group

    def _commit(self, group: Sequence[_Request]) -> None:
        try:
            with self._engine.begin() as connection:
                batches = [request.batches for request in group]
                outcomes = _write_group(connection, self._folder, batches)
        except Exception as error:  # noqa: BLE001 - no group may end the thread that writes the next
            self._engine.dispose()  # the next group gets a fresh connection
            cause = str(error).partition("\n")[0]
            problem = f"nothing was written: {cause}; send the request again"
            outcomes = [StorageError(problem) for _ in group]
        for request, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Receipt):
                request.future.set_result(outcome)
            else:
                request.future.set_exception(outcome)


def _write_group(
    connection: sa.Connection, folder: Path, group: Sequence[Sequence[Batch]]
) -> list[Outcome]:
    """Write the batches of each request in one transaction that holds the write lock."""
    known = _known_digests(connection, [batch for batches in group for batch in batches])
    outcomes: list[Outcome] = []
    fresh: list[Batch] = []
    for batches in group:
        outcome, admitted = _admit(batches, known)
        outcomes.append(outcome)
        fresh.extend(admitted)
    _remember(connection, fresh)
    streams: dict[Stream, list[Batch]] = defaultdict(list)
    for batch in fresh:
        if batch.rows.num_rows:
            streams[batch.model, batch.kind].append(batch)
    for stream, of_one_stream in streams.items():
        _store(connection, folder, stream, of_one_stream)
    return outcomes


def _n_bytes(rows: pa.Table) -> int:
    # Exact sizes of slices take long; most tables are small even with what they are sliced from.
    at_most = int(rows.get_total_buffer_size())
    return at_most if at_most < LARGE_BYTES else int(rows.nbytes)


def _key(batch: Batch) -> _RequestKey:
    return batch.model, batch.kind, batch.request_id


def _known_digests(connection: sa.Connection, batches: Sequence[Batch]) -> dict[_RequestKey, str]:
    ids: dict[Stream, set[str]] = defaultdict(set)
    for batch in batches:
        ids[batch.model, batch.kind].add(batch.request_id)
    known: dict[_RequestKey, str] = {}
    for stream, of_one_stream in ids.items():
        asked = list(of_one_stream)
        for start in range(0, len(asked), _IDS_AT_ONCE):
            found = sa.select(requests.c.request_id, requests.c.digest).where(
                of_stream(requests, stream),
                requests.c.request_id.in_(asked[start : start + _IDS_AT_ONCE]),
            )
            known.update({(*stream, id_): digest for id_, digest in connection.execute(found)})
    return known


def _admit(batches: Sequence[Batch], known: dict[_RequestKey, str]) -> tuple[Outcome, list[Batch]]:
    """Sort out a request's new batches, and note them as known to the rest of the group."""
    for batch in batches:
        if known.get(_key(batch), batch.digest) != batch.digest:
            return RequestConflictError(batch.request_id), []
    fresh = [batch for batch in batches if _key(batch) not in known]
    known.update({_key(batch): batch.digest for batch in fresh})
    # Labels that came inside prediction rows are rows of the log, but not of the request.
    n_rows = sum(batch.rows.num_rows for batch in batches if batch.kind is batches[0].kind)
    return Receipt(n_rows, repeated=bool(batches) and not fresh), fresh


def _remember(connection: sa.Connection, batches: Sequence[Batch]) -> None:
    # One row per key: a request may bring several batches of one model and kind.
    rows = {
        _key(batch): {
            **owner((batch.model, batch.kind)),
            "request_id": batch.request_id,
            "digest": batch.digest,
            "received_at": micros(batch.received_at),
        }
        for batch in batches
    }
    if rows:
        connection.execute(sa.insert(requests), list(rows.values()))


def _store(
    connection: sa.Connection, folder: Path, stream: Stream, batches: Sequence[Batch]
) -> None:
    mine = sa.select(counters).where(of_stream(counters, stream))
    counted = connection.execute(mine).mappings().all()
    row = counted[0]["n_rows"] if counted else 0
    pieces: list[list[Batch]] = [[]]
    for batch in batches:
        pieces.append([batch]) if _n_bytes(batch.rows) >= LARGE_BYTES else pieces[0].append(batch)
    written: list[Mapping[str, Any]] = []
    for piece in filter(None, pieces):
        rows = numbered(unify([batch.rows for batch in piece]), row)
        row += rows.num_rows
        _store_changes(connection, piece, rows)
        if piece is pieces[0]:
            written.append(_store_payload(connection, stream, rows))
        else:
            cataloged = write_files(folder, stream, rows)
            connection.execute(sa.insert(files), cataloged)
            written += cataloged
    _store_counters(connection, stream, row, [*counted, *written])


def _store_payload(connection: sa.Connection, stream: Stream, rows: pa.Table) -> Mapping[str, Any]:
    payload = {**owner(stream), **describe(rows), "payload": encode(rows)}
    connection.execute(sa.insert(inbox), payload)
    return payload


def _store_changes(connection: sa.Connection, batches: Sequence[Batch], rows: pa.Table) -> None:
    offset = 0
    for batch in batches:
        if batch.changes:
            place = describe(rows.slice(offset, batch.rows.num_rows))
            common = {**owner((batch.model, batch.kind)), **place}
            values = [
                {**common, "column_name": c.column, "change": c.change.value, "n_rows": c.n_rows}
                for c in batch.changes
            ]
            connection.execute(sa.insert(schema_changes), values)
        offset += batch.rows.num_rows


def _store_counters(
    connection: sa.Connection, stream: Stream, n_rows: int, ranges: Sequence[Mapping[Any, Any]]
) -> None:
    values = {
        "n_rows": n_rows,
        "first_event_at": min(known["first_event_at"] for known in ranges),
        "last_event_at": max(known["last_event_at"] for known in ranges),
    }
    update = sa.update(counters).where(of_stream(counters, stream)).values(values)
    if not connection.execute(update).rowcount:
        insert = sa.insert(counters).values(**owner(stream), **values)
        connection.execute(insert)
