"""Log export: all rows of a model with their labels in one Parquet file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitor.adapters.database import ONE_BY_ONE, reading
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import decode, integers, unify
from monitor.adapters.log_tables import Stream, files, inbox, instant, of_stream
from monitor.batch import EVENT_AT, LABEL, RowKind
from monitor.window import Window

_DAY = 86_400_000_000  # microseconds


Read = Callable[[Window, Sequence[str]], pa.Table]
"""Reads some columns of a window, with its labels."""


def export_rows(engine: sa.Engine, folder: LogFolder, model: str, read: Read, file: Path) -> int:
    """Write all rows of a model, by event date, to one Parquet file; returns how many."""
    stream = (model, RowKind.PREDICTION)
    wanted, known = (
        _schema(engine, folder, (model, kind)) for kind in (RowKind.PREDICTION, RowKind.LABEL)
    )
    if LABEL in known.names:
        wanted = wanted.append(known.field(LABEL))
    days = (Window(day, day + timedelta(days=1)) for day in _event_days(engine, stream))
    return _write_tables((read(day, wanted.names) for day in days), wanted, file)


def _event_days(engine: sa.Engine, stream: Stream) -> list[datetime]:
    """Return the days that have events, in order."""
    first = sa.select(files.c.first_event_at).distinct().where(of_stream(files, stream))
    with reading(engine) as connection:
        days = {int(value) // _DAY for value in connection.scalars(first)}
        for rows in _waiting(connection, stream):
            days |= set(np.unique(integers(rows.column(EVENT_AT)) // _DAY).tolist())
    return [instant(day * _DAY) for day in sorted(days)]


def _schema(engine: sa.Engine, folder: LogFolder, stream: Stream) -> pa.Schema:
    """Return the columns that a model's rows of a kind have, or had."""
    path = sa.select(files.c.path).where(of_stream(files, stream)).order_by(files.c.id)
    with reading(engine) as connection:
        paths = connection.scalars(path).all()
        found = dict.fromkeys(rows.schema for rows in _waiting(connection, stream))
    found |= dict.fromkeys(pq.read_schema(folder.full(p), filesystem=folder.system) for p in paths)
    return unify([one.empty_table() for one in found]).schema if found else pa.schema([])


def _waiting(connection: sa.Connection, stream: Stream) -> Iterator[pa.Table]:
    payloads = sa.select(inbox.c.payload).where(of_stream(inbox, stream)).order_by(inbox.c.id)
    for payload in connection.scalars(payloads, execution_options=ONE_BY_ONE):
        yield decode(payload)


def _write_tables(tables: Iterable[pa.Table], wanted: pa.Schema, file: Path) -> int:
    """Write tables to one Parquet file, which is there whole or not at all; returns the rows."""
    unfinished = file.with_name(f"{file.name}.tmp")
    n_rows = 0
    with pq.ParquetWriter(unfinished, wanted, compression="zstd") as writer:
        for table in tables:
            writer.write_table(unify([wanted.empty_table(), table]).select(wanted.names))
            n_rows += table.num_rows
    unfinished.rename(file)
    return n_rows
