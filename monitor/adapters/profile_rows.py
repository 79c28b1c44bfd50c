"""Profile rows: a profile as one compressed value of the database, a row an hour."""

from datetime import datetime

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, delete, select

from monitor.adapters import tables as t
from monitor.batch import TIMESTAMP
from monitor.profile import ColumnProfile, Profile

_N_ROWS, _START = "n_rows", "start"


def encode_profile(profile: Profile) -> bytes:
    """Return a profile as a compressed Arrow stream: a row for each cell, a struct for each column.

    Counts are mostly small and often 0: an hour of a column takes some hundred bytes.
    """
    columns = [_encode(column) for column in profile.columns.values()]
    table = pa.table(
        [pa.array(profile.starts, TIMESTAMP), pa.array(profile.n_rows), *columns],
        # Position tells the two apart from columns of these names.
        names=[_START, _N_ROWS, *profile.columns],
    )
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def decode_profile(body: bytes) -> Profile:
    """Return the profile that was encoded."""
    table = pa.ipc.open_stream(body).read_all().combine_chunks()
    starts, n_rows, *columns = table.columns
    return Profile(
        tuple(starts.to_pylist()),
        n_rows.to_numpy(),
        dict(zip(table.column_names[2:], map(_decode, columns), strict=True)),
    )


def drop_profiles(connection: Connection, model: str, before: datetime) -> int:
    """Drop the profiles of windows that ended before a time; returns how many."""
    w, p = t.windows.c, t.profiles.c
    ended = select(w.key).where(w.model == model, w.end_at <= before)
    gone = connection.execute(delete(t.profiles).where(p.model == model, p.window_key.in_(ended)))
    return gone.rowcount


def _encode(column: ColumnProfile) -> pa.StructArray:
    n_bins = column.counts.shape[1]
    counts = pa.FixedSizeListArray.from_arrays(pa.array(column.counts.ravel()), n_bins)
    rest = (column.n_null, column.n_strange, column.total, column.squares)
    return pa.StructArray.from_arrays([counts, *map(pa.array, rest)], list(vars(column)))


def _decode(column: pa.ChunkedArray) -> ColumnProfile:
    fields = (
        column.combine_chunks().flatten() if column.num_chunks > 1 else column.chunk(0).flatten()
    )
    counts, *rest = fields
    shape = (len(counts), counts.type.list_size)
    return ColumnProfile(
        np.asarray(counts.values).reshape(shape), *(np.asarray(field) for field in rest)
    )
