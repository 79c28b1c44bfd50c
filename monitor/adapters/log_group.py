"""Log group: the requests of one commit, written in one transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from monitor.adapters.database import exclusive
from monitor.adapters.log_files import write_files
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import describe, encode, numbered, unify
from monitor.adapters.log_tables import (
    Place,
    Stream,
    counters,
    files,
    inbox,
    micros,
    of_stream,
    owner,
    requests,
    schema_changes,
)
from monitor.adapters.log_touched import touch_predictions
from monitor.batch import Batch, Receipt, RowKind
from monitor.errors import RequestConflictError, StorageError

LARGE_BYTES = 1 << 20
"""A batch with this much Arrow data becomes a file at once, past the inbox."""

PAYLOAD_ROWS = 500_000
"""A payload has no more rows; only a body full of labels comes near."""

_IDS_AT_ONCE = 5_000  # variables in one statement; SQLite takes 32 766

Outcome = Receipt | RequestConflictError | StorageError
_RequestKey = tuple[str, RowKind, str]


def write_group(
    connection: sa.Connection, folder: LogFolder, group: Sequence[Sequence[Batch]]
) -> list[Outcome]:
    """Write the batches of each request in one transaction that is alone on their streams."""
    for stream in sorted({(batch.model, batch.kind) for batches in group for batch in batches}):
        exclusive(connection, "log", *stream)
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
    connection: sa.Connection, folder: LogFolder, stream: Stream, batches: Sequence[Batch]
) -> None:
    mine = sa.select(counters).where(of_stream(counters, stream))
    counted = connection.execute(mine).mappings().all()
    row = counted[0]["n_rows"] if counted else 0
    written: list[Mapping[str, Any]] = []
    for piece in _pieces(stream, batches):
        rows = numbered(unify([batch.rows for batch in piece]), row)
        row += rows.num_rows
        _store_changes(connection, piece, rows)
        if stream[1] is RowKind.PREDICTION:
            touch_predictions(connection, stream, rows, row)
        if _is_large(stream, piece[0]):
            cataloged = write_files(folder, stream, rows)
            connection.execute(sa.insert(files), cataloged)
            written += cataloged
        else:
            written += _store_payloads(connection, stream, rows)
    _store_counters(connection, stream, row, [*counted, *written])


def _is_large(stream: Stream, batch: Batch) -> bool:
    """Say whether a batch goes past the inbox; labels wait there for their predictions."""
    return stream[1] is not RowKind.LABEL and n_bytes(batch.rows) >= LARGE_BYTES


def _pieces(stream: Stream, batches: Sequence[Batch]) -> list[list[Batch]]:
    """Return what is written together: small batches, and each large one."""
    small: list[Batch] = []
    pieces = [small]
    for batch in batches:
        pieces.append([batch]) if _is_large(stream, batch) else small.append(batch)
    return [piece for piece in pieces if piece]


def _store_payloads(
    connection: sa.Connection, stream: Stream, rows: pa.Table
) -> list[Mapping[str, Any]]:
    slices = (rows.slice(start, PAYLOAD_ROWS) for start in range(0, rows.num_rows, PAYLOAD_ROWS))
    payloads: list[Mapping[str, Any]] = [
        {
            **owner(stream),
            **describe(part),
            "place": Place.NEW,
            "n_searched": 0,
            "payload": encode(part.combine_chunks()),
        }
        for part in slices
    ]
    connection.execute(sa.insert(inbox), payloads)
    return payloads


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


def n_bytes(rows: pa.Table) -> int:
    """Return the size of rows, or what they are at most where that is small."""
    # Exact sizes of slices take long; most tables are small even with what they are sliced from.
    at_most = int(rows.get_total_buffer_size())
    return at_most if at_most < LARGE_BYTES else int(rows.nbytes)
