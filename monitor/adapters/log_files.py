"""Log files: the rows of the log as Arrow payloads and Parquet files, written, sealed and read."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitor.adapters.log_tables import (
    Stream,
    Stretch,
    describe,
    files,
    inbox,
    instant,
    of_stream,
    owner,
    writing,
)
from monitor.batch import EVENT_AT, PREDICTION_ID, RECEIVED_AT, ROW, TIMESTAMP, RowKind

SEAL_ROWS = 500_000
"""Rows sealed at a time, so that a long inbox does not have to fit in memory."""

_ROW_GROUP_ROWS = 131_072  # small enough for their statistics to leave parts of a file unread
_DAY = 86_400_000_000
_PARQUET = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)
_RESERVED = pa.schema(
    [
        (PREDICTION_ID, pa.string()),
        (EVENT_AT, TIMESTAMP),
        (RECEIVED_AT, TIMESTAMP),
        (ROW, pa.int64()),
    ]
)


def unify(tables: Sequence[pa.Table]) -> pa.Table:
    """Put tables together by the names of their columns; what is missing is null.

    Numbers are widened; columns whose types have nothing in common become text.

    Examples
    --------
    >>> unify([pa.table({"x": [1]}), pa.table({"x": ["b"], "y": [True]})]).to_pylist()
    [{'x': '1', 'y': None}, {'x': 'b', 'y': True}]
    """
    schema = tables[0].schema
    if all(table.schema.equals(schema) for table in tables):
        return pa.concat_tables(tables).combine_chunks()
    try:
        return _concatenate(tables)
    except pa.ArrowException:
        names = dict.fromkeys(name for table in tables for name in table.column_names)
        odd = {name for name in names if not _agree(name, tables)}
        return _concatenate([_with_text(table, odd) for table in tables])


def _concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive").combine_chunks()


def _agree(name: str, tables: Sequence[pa.Table]) -> bool:
    try:
        _concatenate([table.select([name]) for table in tables if name in table.column_names])
    except pa.ArrowException:
        return False
    return True


def _with_text(table: pa.Table, names: set[str]) -> pa.Table:
    for name in names.intersection(table.column_names):
        index = table.column_names.index(name)
        table = table.set_column(index, name, _as_text(table.column(name)))
    return table


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structs, bytes
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def encode(rows: pa.Table) -> bytes:
    """Return rows as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())


def write_files(folder: Path, stream: Stream, rows: pa.Table) -> list[dict[str, Any]]:
    """Write numbered rows durably, one Parquet file per date.

    Returns
    -------
    list of dict
        What the catalog keeps of each file. Until it does the files are orphans: harmless, and
        removed by `remove_orphans`.
    """
    # Labels go by receipt: that is how they are looked up.
    column = EVENT_AT if stream[1] is RowKind.PREDICTION else RECEIVED_AT
    days = rows.column(column).cast(TIMESTAMP).cast(pa.int64()).to_numpy() // _DAY
    home = folder / "rows" / f"model={quote(stream[0], safe='')}" / f"kind={stream[1].value}"
    written = []
    for day in np.unique(days):
        place = home / f"date={instant(int(day) * _DAY):%Y-%m-%d}"
        place.mkdir(parents=True, exist_ok=True)
        file = _write_file(folder, place, rows.filter(pa.array(days == day)))
        written.append({**owner(stream), **file})
        _sync(place)
    for place in (home, home.parent, home.parent.parent, folder):
        _sync(place)
    return written


def _write_file(folder: Path, place: Path, rows: pa.Table) -> dict[str, Any]:
    described = describe(rows)
    path = place / f"{described['first_row']:012d}-{uuid4().hex}.parquet"
    unfinished = path.with_suffix(".tmp")
    pq.write_table(
        rows,
        unfinished,
        compression="zstd",
        row_group_size=_ROW_GROUP_ROWS,
        write_page_checksum=True,
    )
    with unfinished.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        n_bytes = os.fstat(file.fileno()).st_size
        os.fsync(file.fileno())
    unfinished.rename(path)
    relative = path.relative_to(folder).as_posix()
    return {**described, "path": relative, "bytes": n_bytes, "sha256": sha256}


def _sync(place: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Source:
    """The part of a log that may hold a stretch, as of one moment; files never change.

    Parameters
    ----------
    stretch : Stretch
        The rows that are wanted.
    paths : sequence of Path
        Parquet files.
    payloads : sequence of bytes
        Arrow IPC streams from the inbox.
    """

    stretch: Stretch
    paths: Sequence[Path]
    payloads: Sequence[bytes]

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read some columns of the stretch in the order of acknowledgement.

        Returns
        -------
        pyarrow.Table, shape (n_rows, n_columns)
            A column that no file has is null.
        """
        condition = self.stretch.holds()
        needed = dict.fromkeys([*columns, ROW, self.stretch.column])
        parts = [_RESERVED.empty_table().select([n for n in _RESERVED.names if n in needed])]
        for path in self.paths:
            file = ds.dataset(path, format=_PARQUET)
            names = [name for name in needed if name in file.schema.names]
            parts.append(file.to_table(columns=names, filter=condition))
        if self.payloads:
            waiting = unify([_decode(payload, needed) for payload in self.payloads])
            parts.append(waiting.filter(condition))
        rows = unify(parts)
        for name in needed:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows))
        return rows.sort_by(ROW).select(list(columns))


def _decode(payload: bytes, names: Mapping[str, Any]) -> pa.Table:
    rows = pa.ipc.open_stream(payload).read_all()
    return rows.select([name for name in names if name in rows.column_names])


def find(connection: sa.Connection, folder: Path, stream: Stream, stretch: Stretch) -> Source:
    """Find what may hold a stretch; within one transaction, so that sealing is seen or not."""
    paths, payloads = (
        connection.scalars(
            sa.select(column)
            .where(of_stream(column.table, stream), stretch.overlaps(column.table))
            .order_by(column.table.c.id)
        ).all()
        for column in (files.c.path, inbox.c.payload)
    )
    return Source(stretch, [folder / path for path in paths], payloads)


def seal_inbox(engine: sa.Engine, folder: Path) -> int:
    """Move to files what the inbox holds now; returns the number of rows.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The log's database. The caller sees to it that nobody else seals.
    folder : Path
        The log's folder.
    """
    with engine.connect() as connection:
        until = connection.scalar(sa.select(sa.func.max(inbox.c.id))) or 0
        waiting = sa.select(inbox.c.model, inbox.c.kind).distinct().where(inbox.c.id <= until)
        streams = [(model, RowKind(kind)) for model, kind in connection.execute(waiting)]
    n_rows = 0
    for stream in streams:
        while n_moved := _seal_some(engine, folder, stream, until):
            n_rows += n_moved
    return n_rows


def _seal_some(engine: sa.Engine, folder: Path, stream: Stream, until: int) -> int:
    """Seal the oldest payloads of one model and kind, about SEAL_ROWS rows of them."""
    ids, payloads = _oldest(engine, stream, until)
    if not ids:
        return 0
    rows = unify([pa.ipc.open_stream(payload).read_all() for payload in payloads])
    written = write_files(folder, stream, rows)
    # The files are durable; from this commit on they count, and the payloads do not.
    with writing(engine).begin() as connection:
        connection.execute(sa.insert(files), written)
        sealed = inbox.c.id.between(ids[0], ids[-1])
        connection.execute(sa.delete(inbox).where(of_stream(inbox, stream), sealed))
    return int(rows.num_rows)


def _oldest(engine: sa.Engine, stream: Stream, until: int) -> tuple[list[int], list[bytes]]:
    stored = sa.select(inbox.c.id, inbox.c.n_rows, inbox.c.payload)
    mine = stored.where(of_stream(inbox, stream), inbox.c.id <= until).order_by(inbox.c.id)
    ids: list[int] = []
    payloads: list[bytes] = []
    n_rows = 0
    with engine.connect() as connection:
        for row in connection.execute(mine):
            if ids and n_rows + row.n_rows > SEAL_ROWS:
                break
            ids.append(row.id)
            payloads.append(row.payload)
            n_rows += row.n_rows
    return ids, payloads


def remove_orphans(engine: sa.Engine, folder: Path) -> None:
    """Remove the files of writers that were killed before their commit.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The log's database. The caller sees to it that nobody seals.
    folder : Path
        The log's folder.
    """
    found = {path for path in (folder / "rows").rglob("*") if path.is_file()}
    # Files past the inbox are written under the write lock and registered before it is let go:
    # what was found first, and is not known once the lock is ours, never will be.
    for looking in (engine, writing(engine)):
        with looking.begin() as connection:
            found -= {folder / path for path in connection.scalars(sa.select(files.c.path))}
        if not found:
            return
    for path in found:
        path.unlink()
