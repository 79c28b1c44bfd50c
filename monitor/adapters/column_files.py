"""Column files: Parquet, Arrow and CSV files as columns, read one column and a piece at a time."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.adapters.column_frames import frame_columns
from monitor.adapters.csv_files import rewrite_csv
from monitor.errors import SchemaError
from monitor.inferred import is_text
from monitor.pairing import TypedColumns
from monitor.values import PIECE_ROWS

PARQUET_MAGIC, ARROW_MAGIC = b"PAR1", b"ARROW1"
CSV_ENDINGS = {".csv", ".tsv", ".txt"}
STREAM_ENDINGS = {".arrow", ".arrows", ".feather", ".ipc"}

READ_BYTES = 1 << 20
"""Bytes of a Parquet column that are read from the disk at a time."""

LEVEL_BYTES = 4
"""A text column of at most so many bytes a value is stored as a dictionary of few levels."""


class ParquetColumns:
    """Columns of a Parquet file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    pyarrow.ArrowException, OSError
        If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with pq.ParquetFile(path) as file:
            self._metadata = file.metadata
            self._schema = file.schema_arrow
        self.n_rows: int = self._metadata.num_rows
        self.names: Sequence[str] = self._schema.names

    def dtype(self, name: str) -> pa.DataType:
        """Return the type of one column."""
        return self._schema.field(name).type

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """Read one column in pieces, on one thread: the checks read several columns at once."""
        if name not in self.names:
            raise KeyError(name)
        as_dictionary = is_text(self.dtype(name)) and self._n_bytes.get(name, 0.0) <= LEVEL_BYTES
        with pq.ParquetFile(
            self._path,
            metadata=self._metadata,
            read_dictionary=[name] if as_dictionary else None,
            buffer_size=READ_BYTES,
            pre_buffer=False,  # else a whole row group is in memory at once
        ) as file:
            for batch in file.iter_batches(PIECE_ROWS, columns=[name], use_threads=False):
                # By its exact name: Parquet takes "a" for all of a nested column "a.b", too.
                yield batch.column(name)
        # What Arrow keeps for the next column is a fourth of this one.
        pa.default_memory_pool().release_unused()

    @cached_property
    def _n_bytes(self) -> dict[str, float]:
        """Bytes of one value, not compressed, by column path."""
        if not self._metadata.num_row_groups:
            return {}
        group = self._metadata.row_group(0)
        chunks = map(group.column, range(group.num_columns))
        return {c.path_in_schema: c.total_uncompressed_size / max(c.num_values, 1) for c in chunks}


class ArrowColumns:
    """Columns of an Arrow IPC file or stream; what is not compressed is not copied.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    pyarrow.ArrowException, OSError
        If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_file = _starts(path).startswith(ARROW_MAGIC)
        self._schema = self._open(None).schema
        self.names: Sequence[str] = self._schema.names
        self.n_rows: int = sum(map(len, self._read(0))) if self.names else 0

    def dtype(self, name: str) -> pa.DataType:
        """Return the type of one column."""
        return self._schema.field(name).type

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """Read one column, batch by batch."""
        if name not in self.names:
            raise KeyError(name)
        return self._read(self._schema.get_field_index(name))

    def _open(self, at: int | None) -> pa.RecordBatchReader | pa.RecordBatchFileReader:
        included = None if at is None else [at]
        options = pa.ipc.IpcReadOptions(included_fields=included, use_threads=False)
        source = pa.memory_map(str(self._path))
        open_reader = pa.ipc.open_file if self._is_file else pa.ipc.open_stream
        return open_reader(source, options=options)

    def _read(self, at: int) -> Iterator[pa.Array]:
        reader = self._open(at)
        if self._is_file:
            batches = map(reader.get_batch, range(reader.num_record_batches))
        else:
            batches = iter(reader)
        return (batch.column(0) for batch in batches)


@contextmanager
def open_columns(source: object, texts: Collection[str] = ()) -> Iterator[TypedColumns]:
    """Open a file or a frame as columns; what had to be written for it is removed afterwards.

    Parameters
    ----------
    source : str, Path or frame
        A Parquet, Arrow or CSV file, known by its first bytes or by its ending; or a frame, see
        `frame_columns`.
    texts : collection of str
        Columns of a CSV that stay text whatever they look like.

    Raises
    ------
    SchemaError
        If there is no such file, if it is none of these, or cannot be read.
    """
    if not isinstance(source, str | Path):
        yield frame_columns(source)
        return
    path = Path(source)
    with TemporaryDirectory(prefix="leeway-") as folder:
        try:
            columns = _open_file(path, Path(folder) / "columns.parquet", texts)
        except (pa.ArrowException, UnicodeError, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # the disk's own: Arrow's have no number
            raise SchemaError(f"{path}: cannot be read: {error}") from error
        yield columns


def _open_file(path: Path, rewritten: Path, texts: Collection[str]) -> TypedColumns:
    start = _starts(path)
    endings = set(map(str.lower, path.suffixes[-2:]))
    if start.startswith(PARQUET_MAGIC):
        return ParquetColumns(path)
    if start.startswith(ARROW_MAGIC) or endings & STREAM_ENDINGS:
        return ArrowColumns(path)
    if endings & CSV_ENDINGS:
        rewrite_csv(path, rewritten, texts)
        return ParquetColumns(rewritten)
    raise SchemaError(
        f"{path}: neither Parquet, Arrow nor CSV; the ending of a CSV must be one of "
        f"{', '.join(sorted(CSV_ENDINGS))}"
    )


def _starts(path: Path) -> bytes:
    """Return the first bytes of a file."""
    if path.is_dir():
        raise SchemaError(f"{path}: is a folder; give a file")
    try:
        with path.open("rb") as file:
            start = file.read(len(ARROW_MAGIC))
    except OSError as error:
        raise SchemaError(f"{path}: {error.strerror or error}") from error
    if not start:
        raise SchemaError(f"{path}: the file is empty")
    return start
