"""Log files: rows of the log as Parquet, one file per date, and what of them holds a stretch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitor.adapters.log_arrivals import is_arrival, read_arrival
from monitor.adapters.log_folder import ROWS, LogFolder
from monitor.adapters.log_rows import OWN, Stretch, decode, describe, integers, unify
from monitor.adapters.log_tables import Stream, files, inbox, instant, of_stream, owner
from monitor.batch import EVENT_AT, ROW

FILES_AT_ONCE = 4
"""Files that are read at once: while one is opened, or far away, another is decoded."""

_ROW_GROUP_ROWS = 131_072  # small enough for their statistics to leave parts of a file unread
_DAY = 86_400_000_000
_PARQUET = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)


def write_files(folder: LogFolder, stream: Stream, rows: pa.Table) -> list[dict[str, Any]]:
    """Write numbered rows durably, one Parquet file per event date.

    Returns
    -------
    list of dict
        What the catalog keeps of each file. Until it does the files are orphans: harmless, and
        removed by `remove_orphans`.
    """
    days = integers(rows.column(EVENT_AT)) // _DAY
    home = f"{stream_folder(stream)}/"
    written = []
    for day in np.unique(days):
        place = f"{home}date={instant(int(day) * _DAY):%Y-%m-%d}"
        of_day = rows if (days == day).all() else rows.filter(pa.array(days == day))
        written.append({**owner(stream), **_write_file(folder, place, of_day)})
    return written


def stream_folder(stream: Stream) -> str:
    """Return where the files of a model and kind are, from the log's folder."""
    return f"{ROWS}/model={quote(stream[0], safe='')}/kind={stream[1].value}"


def _write_file(folder: LogFolder, place: str, rows: pa.Table) -> dict[str, Any]:
    described = describe(rows)
    path = f"{place}/{described['first_row']:012d}-{uuid4().hex}.parquet"
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression={f.name: "lz4" if _is_float(f) else "zstd" for f in rows.schema},
        row_group_size=_ROW_GROUP_ROWS,
        use_dictionary=_repeating(rows.schema),
        write_page_checksum=True,
    )
    content = sink.getvalue()
    sha256 = folder.put(path, content)
    return {**described, "path": path, "bytes": content.size, "sha256": sha256}


def _is_float(field: pa.Field) -> bool:
    """Say whether a column's values hardly become shorter: zstd would only make reading slower."""
    return bool(pa.types.is_floating(field.type))


def _repeating(schema: pa.Schema) -> list[str]:
    """Return the columns that a dictionary makes shorter, and not just slower to read."""
    return [field.name for field in schema if not _is_float(field) and field.name not in OWN.names]


@dataclass(frozen=True)
class File:
    """One file that may hold rows of a stretch.

    Parameters
    ----------
    path, sha256 : str
        Where it is, from the log's folder, and what it holds.
    first, last : int
        Least and greatest value of the stretch's column.
    first_row, n_rows : int
        Its first place in the order of acknowledgement, and its rows.
    last_event_at : int
        The latest event, in microseconds of Unix time.
    n_bytes : int
        Its size on disk.
    """

    path: str
    sha256: str
    first: int
    last: int
    first_row: int
    n_rows: int
    last_event_at: int
    n_bytes: int


@dataclass(frozen=True)
class Source:
    """The part of a log that may hold a stretch, as of one moment; files never change.

    Parameters
    ----------
    folder : LogFolder
        Where the files are.
    stretch : Stretch
        The rows that are wanted.
    files : sequence of File
        Parquet files.
    payloads : sequence of bytes
        Arrow IPC streams from the inbox.
    """

    folder: LogFolder
    stretch: Stretch
    files: Sequence[File]
    payloads: Sequence[bytes]

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read some columns of the stretch in the order of acknowledgement.

        Returns
        -------
        pyarrow.Table, shape (n_rows, n_columns)
            A column that no file has is null.
        """
        needed = list(dict.fromkeys([*columns, ROW]))
        parts = list(self._parts(needed))
        empty = OWN.empty_table().select([n for n in OWN.names if n in needed])
        rows = unify(parts) if parts else empty
        for name in needed:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows))
        return in_order(rows).select(list(columns))

    def _parts(self, needed: Sequence[str]) -> Iterator[pa.Table]:
        def part(file: File) -> pa.Table:
            covered = self.stretch.covers(file.first, file.last)
            condition = None if covered else self.stretch.holds()
            return read_file(self.folder, file, needed, condition)

        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            yield from pool.map(part, sorted(self.files, key=lambda one: one.first_row))
        wanted = list(dict.fromkeys([*needed, self.stretch.column]))
        if self.payloads:
            waiting = unify([decode(payload, wanted) for payload in self.payloads])
            found = waiting.filter(self.stretch.holds())
            yield found.select([name for name in needed if name in found.column_names])


def read_file(
    folder: LogFolder,
    file: File,
    needed: Sequence[str] | None = None,
    condition: pc.Expression | None = None,
) -> pa.Table:
    """Read the columns of a file, or those of some that it has, where a condition holds."""
    if is_arrival(file.path):
        rows = read_arrival(folder, file.path, file.sha256, file.first_row)
        kept = rows if condition is None else rows.filter(condition)
        return kept.select(_those_of(kept.column_names, needed))
    if condition is None:
        with pq.ParquetFile(
            folder.full(file.path), filesystem=folder.system, page_checksum_verification=True
        ) as whole:
            return whole.read(_those_of(whole.schema_arrow.names, needed))
    found = ds.dataset(folder.full(file.path), filesystem=folder.system, format=_PARQUET)
    return found.to_table(columns=_those_of(found.schema.names, needed), filter=condition)


def _those_of(names: Sequence[str], needed: Sequence[str] | None) -> list[str]:
    return list(names) if needed is None else [name for name in needed if name in names]


def in_order(rows: pa.Table) -> pa.Table:
    """Return rows in the order of acknowledgement; those that are in order are not moved."""
    places = rows.column(ROW).to_numpy()
    if (places[1:] > places[:-1]).all():
        return rows
    return rows.take(pa.array(np.argsort(places, kind="stable")))


def find(
    connection: sa.Connection,
    folder: LogFolder,
    stream: Stream,
    stretch: Stretch,
    also: Stretch | None = None,
) -> Source:
    """Find what may hold a stretch; within one snapshot, so that sealing is seen or not.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that sees one snapshot.
    folder : LogFolder
        Where the files are.
    stream : Stream
        Model and kind.
    stretch : Stretch
        The rows that are wanted.
    also : Stretch or None
        Files that have nothing in here are not wanted either.
    """
    found = cataloged(connection, stream, stretch, also)
    waiting = (
        sa.select(inbox.c.payload)
        .where(of_stream(inbox, stream), stretch.overlaps(inbox))
        .order_by(inbox.c.first_row)
    )
    return Source(folder, stretch, found, connection.scalars(waiting).all())


def cataloged(
    connection: sa.Connection, stream: Stream, stretch: Stretch, also: Stretch | None = None
) -> list[File]:
    """Return the files that may hold a stretch, as the catalog knows them."""
    f = files.c
    first, last = f[f"first{stretch.column}"], f[f"last{stretch.column}"]
    known = sa.select(
        f.path, f.sha256, first, last, f.first_row, f.n_rows, f.last_event_at, f.bytes
    ).where(of_stream(files, stream), stretch.overlaps(files))
    if also is not None:
        known = known.where(also.overlaps(files))
    return [File(*row) for row in connection.execute(known)]
