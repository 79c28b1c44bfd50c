"""Log group: the requests of one commit, written in one transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa
import sqlalchemy as sa

from monitor.adapters.database import exclusive
from monitor.adapters.log_arrivals import Filed
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import bounds, describe, encode, numbered, unify
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
from monitor.batch import EVENT_AT, Batch, Receipt, RowKind
from monitor.errors import LeewayError, RequestConflictError, StorageError

PAYLOAD_ROWS = 500_000
"""A payload has no more rows; only a body full of labels comes near."""

_IDS_AT_ONCE = 5_000  # variables in one statement; SQLite takes 32 766

Outcome = Receipt | LeewayError
_RequestKey = tuple[str, RowKind, str]


def write_group(
    connection: sa.Connection, folder: LogFolder, group: Sequence[Sequence[Batch]]
) -> list[Outcome]:
    """Write the batches of each request in one transaction that is alone on their streams."""
    for stream in sorted({(batch.model, batch.kind) for batches in group for batch in batches}):
        exclusive(connection, "log", *stream)
    known = _known_digests(connection, [one for batches in group for one in batches if one.digest])
    outcomes: list[Outcome] = []
    fresh: list[Batch] = []
    for batches in group:
        outcome, admitted = _admit(batches, known)
        outcomes.append(outcome)
        fresh.extend(admitted)
    _remember(connection, fresh)
    streams: dict[Stream, list[Batch]] = defaultdict(list)
    for batch in fresh:
        if batch.n_rows:
            streams[batch.model, batch.kind].append(batch)
    for stream, of_one_stream in streams.items():
        _store(connection, folder, stream, of_one_stream)
    return outcomes


def _key(batch: Batch) -> _RequestKey:
    return batch.model, batch.kind, batch.request_id


def _known_digests(
    connection: sa.Connection, batches: Sequence[Batch]
) -> dict[_RequestKey, str | None]:
    ids: dict[Stream, set[str]] = defaultdict(set)
    for batch in batches:
        ids[batch.model, batch.kind].add(batch.request_id)
    known: dict[_RequestKey, str | None] = {}
    for stream, of_one_stream in ids.items():
        asked = list(of_one_stream)
        for start in range(0, len(asked), _IDS_AT_ONCE):
            found = sa.select(requests.c.request_id, requests.c.digest).where(
                of_stream(requests, stream),
                requests.c.request_id.in_(asked[start : start + _IDS_AT_ONCE]),
            )
            known.update({(*stream, id_): digest for id_, digest in connection.execute(found)})
    return known


def _admit(
    batches: Sequence[Batch], known: dict[_RequestKey, str | None]
) -> tuple[Outcome, list[Batch]]:
    """Sort out a request's new batches, and note them as known to the rest of the group."""
    # Labels that came inside prediction rows are rows of the log, but not of the request.
    n_rows = sum(batch.n_rows for batch in batches if batch.kind is batches[0].kind)
    if batches and all(batch.digest is None for batch in batches):
        return Receipt(n_rows, repeated=False), list(batches)
    for batch in batches:
        if known.get(_key(batch), batch.digest) != batch.digest:
            return RequestConflictError(batch.request_id), []
    fresh = [batch for batch in batches if _key(batch) not in known]
    known.update({_key(batch): batch.digest for batch in fresh})
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
        if batch.digest is not None
    }
    if rows:
        connection.execute(sa.insert(requests), list(rows.values()))


def _store(
    connection: sa.Connection, folder: LogFolder, stream: Stream, batches: Sequence[Batch]
) -> None:
    small = [batch for batch in batches if not isinstance(batch, Filed)]
    large = [batch for batch in batches if isinstance(batch, Filed)]
    groups: list[Sequence[Batch]] = [[one] for one in large]
    if small:
        groups.insert(0, small)
    tables = [_put_together(group) for group in groups]
    row = _count_up(connection, stream, tables)
    for group, table in zip(groups, tables, strict=True):
        rows = numbered(table, row)
        row += rows.num_rows
        described = describe(rows)
        _store_changes(connection, group, rows)
        if stream[1] is RowKind.PREDICTION:
            touch_predictions(connection, stream, rows, described)
        if isinstance(group[0], Filed):
            _register(connection, folder, group[0], described)
        else:
            _store_payloads(connection, stream, rows, described)


def _put_together(batches: Sequence[Batch]) -> pa.Table:
    """Return the rows of batches; those that follow each other in one table are not cut apart."""
    stretches: list[tuple[pa.Table, int, int]] = []
    for batch in batches:
        start, stop = batch.start, batch.start + batch.n_rows
        if stretches and stretches[-1][0] is batch.table and stretches[-1][2] == start:
            start = stretches.pop()[1]
        stretches.append((batch.table, start, stop))
    return unify([table.slice(start, stop - start) for table, start, stop in stretches])


def _register(
    connection: sa.Connection, folder: LogFolder, batch: Filed, described: Mapping[str, int]
) -> None:
    # Who removes files that nobody knows holds the same lock: from here on it is known.
    if not folder.has(batch.file["path"]):
        raise StorageError(f"{batch.file['path']} is gone")
    values = {**owner((batch.model, batch.kind)), **described, **batch.file}
    connection.execute(sa.insert(files), [values])


def _store_payloads(
    connection: sa.Connection, stream: Stream, rows: pa.Table, described: Mapping[str, int]
) -> None:
    parts = [(rows, described)]
    if rows.num_rows > PAYLOAD_ROWS:
        starts = range(0, rows.num_rows, PAYLOAD_ROWS)
        slices = [rows.slice(start, PAYLOAD_ROWS) for start in starts]
        parts = [(part, describe(part)) for part in slices]
    common = {**owner(stream), "place": Place.NEW, "n_searched": 0}
    payloads = [
        {**common, **of, "payload": encode(part.combine_chunks()).to_pybytes()}
        for part, of in parts
    ]
    connection.execute(sa.insert(inbox), payloads)


def _store_changes(connection: sa.Connection, batches: Sequence[Batch], rows: pa.Table) -> None:
    offset = 0
    for batch in batches:
        if batch.changes:
            place = describe(rows.slice(offset, batch.n_rows))
            common = {**owner((batch.model, batch.kind)), **place}
            values = [
                {**common, "column_name": c.column, "change": c.change.value, "n_rows": c.n_rows}
                for c in batch.changes
            ]
            connection.execute(sa.insert(schema_changes), values)
        offset += batch.n_rows


_C = counters.c
_FIRST = sa.bindparam("first", type_=sa.BigInteger)
_LAST = sa.bindparam("last", type_=sa.BigInteger)
_COUNT_UP = (
    sa.update(counters)
    .where(_C.model == sa.bindparam("of_model"), _C.kind == sa.bindparam("of_kind"))
    .values(
        n_rows=_C.n_rows + sa.bindparam("n_more"),
        first_event_at=sa.case((_C.first_event_at > _FIRST, _FIRST), else_=_C.first_event_at),
        last_event_at=sa.case((_C.last_event_at < _LAST, _LAST), else_=_C.last_event_at),
    )
    .returning(_C.n_rows)
)


def _count_up(connection: sa.Connection, stream: Stream, tables: Sequence[pa.Table]) -> int:
    """Count rows that are about to be written; returns the number of the first."""
    n_rows: int = sum(table.num_rows for table in tables)
    ends = [bounds(table.column(EVENT_AT)) for table in tables]
    first, last = min(end[0] for end in ends), max(end[1] for end in ends)
    of = {f"of_{name}": value for name, value in owner(stream).items()}
    counted = {**of, "n_more": n_rows, "first": first, "last": last}
    total = connection.scalar(_COUNT_UP, counted)
    if total is not None:
        return int(total) - n_rows
    values = {"n_rows": n_rows, "first_event_at": first, "last_event_at": last}
    connection.execute(sa.insert(counters), {**owner(stream), **values})
    return 0
