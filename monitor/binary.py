"""Binary: rows out of Parquet and Arrow bodies, unfolded no further than is allowed."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from monitor.errors import BodyTooLargeError

_MOST_ROWS, _FEWEST_ROWS = 65_536, 64
"""Rows unfolded between two looks at how large they have become."""


def from_parquet(body: bytes, max_bytes: int) -> pa.Table:
    """Read a Parquet file; BodyTooLargeError if its rows take more bytes than allowed."""
    with pa.parquet.ParquetFile(pa.BufferReader(body), page_checksum_verification=True) as file:
        metadata = file.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
        if sum(chunk.total_uncompressed_size for chunk in chunks) > max_bytes:
            raise BodyTooLargeError(max_bytes)
        # A dictionary holds a text once, however many rows repeat it.
        texts = [c.total_uncompressed_size for c in chunks if c.physical_type == "BYTE_ARRAY"]
        n_rows = 4 * max_bytes // max(1, *texts, 1)
        n_rows = min(max(n_rows, _FEWEST_ROWS), _MOST_ROWS)
        return _bounded(file.iter_batches(n_rows), file.schema_arrow, max_bytes)


def from_arrow(body: bytes, max_bytes: int) -> pa.Table:
    """Read an Arrow IPC stream; BodyTooLargeError if its rows take more bytes than allowed."""
    with pa.ipc.open_stream(pa.BufferReader(body)) as stream:
        return _bounded(stream, stream.schema, max_bytes)


def _bounded(batches: Iterable[pa.RecordBatch], schema: pa.Schema, max_bytes: int) -> pa.Table:
    taken, n_bytes = [], 0
    for batch in batches:
        # Damaged offsets would be followed out of memory, and take the whole process with them.
        batch.validate(full=True)
        n_bytes += batch.nbytes
        if n_bytes > max_bytes:
            raise BodyTooLargeError(max_bytes)
        taken.append(batch)
    return pa.Table.from_batches(taken, schema)
