"""CSV files: parsed once, as a stream, into a Parquet file whose columns can be read one by one."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from monitor.errors import SchemaError
from monitor.inferred import is_text

DELIMITERS = ",;\t|"

BLOCK_BYTES = 1 << 20
"""Bytes that are parsed at a time: few, so that they stay in the processor's cache."""

LONG_BLOCK_BYTES = 32 << 20
"""The same where a row may be longer than a block."""

GROUP_BYTES = 16 << 20
"""Bytes of the columns that are written at a time."""

TRUE, FALSE = ["1", "True", "TRUE", "true"], ["0", "False", "FALSE", "false"]

TYPES = (pa.int64(), pa.bool_(), pa.date32(), pa.timestamp("ns"), pa.float64())
"""What the values of a column may all be; text otherwise."""


def rewrite_csv(path: Path, target: Path, texts: Collection[str] = ()) -> None:
    """Rewrite a CSV file as Parquet; a column has the type that all its values have.

    Parameters
    ----------
    path : Path
        The CSV file, compressed if its name ends with ``.gz``, ``.bz2`` or ``.zst``.
    target : Path
        Where to write. An empty cell is null there, and so are NA, NaN and null.
    texts : collection of str
        Columns that stay text whatever they look like.

    Raises
    ------
    pyarrow.ArrowException
        If it is not a CSV.
    SchemaError
        If it is not in UTF-8.
    """
    delimiter = _delimiter(path)
    types = dict.fromkeys(texts, pa.string())
    try:
        # The types that the first block suggests nearly always hold for all of them.
        _rewrite(path, target, delimiter, types)
    except pa.ArrowInvalid:
        types = {**_types(path, delimiter), **types}
        _rewrite(path, target, delimiter, types, LONG_BLOCK_BYTES)


def _delimiter(path: Path) -> str:
    with pa.input_stream(str(path)) as stream:
        first_line = stream.read(BLOCK_BYTES).lstrip(b"\r\n").split(b"\n")[0].decode("latin-1")
    return max(DELIMITERS, key=first_line.count)  # of equals the first: a comma


def _open(
    path: Path,
    delimiter: str,
    types: Mapping[str, pa.DataType],
    block_bytes: int = BLOCK_BYTES,
) -> csv.CSVStreamingReader:
    return csv.open_csv(
        str(path),
        read_options=csv.ReadOptions(block_size=block_bytes),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types, strings_can_be_null=True, true_values=TRUE, false_values=FALSE
        ),
    )


def _rewrite(
    path: Path,
    target: Path,
    delimiter: str,
    types: Mapping[str, pa.DataType],
    block_bytes: int = BLOCK_BYTES,
) -> None:
    with closing(_open(path, delimiter, types, block_bytes)) as reader:
        schema = reader.schema
        binary = [field.name for field in schema if pa.types.is_binary(field.type)]
        if binary:
            raise SchemaError(f"{path}: column {binary[0]!r} is not UTF-8; save the file as UTF-8")
        levels = [field.name for field in schema if is_text(field.type)]
        with pq.ParquetWriter(
            target, schema, compression="none", use_dictionary=levels, write_statistics=False
        ) as writer:
            for table in _groups(reader):
                writer.write_table(table)


def _groups(reader: csv.CSVStreamingReader) -> Iterator[pa.Table]:
    """Put blocks together: many small row groups would be slow to read."""
    waiting: list[pa.RecordBatch] = []
    n_bytes = 0
    for batch in reader:
        waiting.append(batch)
        n_bytes += batch.nbytes
        if n_bytes >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, n_bytes = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _types(path: Path, delimiter: str) -> dict[str, pa.DataType]:
    """Read the whole file as text to find the type that all values of a column have."""
    with closing(_open(path, delimiter, {}, LONG_BLOCK_BYTES)) as reader:
        texts = dict.fromkeys(reader.schema.names, pa.string())
    possible: dict[str, list[pa.DataType]] = {name: list(TYPES) for name in texts}
    with closing(_open(path, delimiter, texts, LONG_BLOCK_BYTES)) as reader:
        for batch in reader:
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                values = pc.utf8_trim_whitespace(column.drop_null())
                possible[name] = [one for one in possible[name] if _reads_as(values, one)]
    return {name: (*types, pa.string())[0] for name, types in possible.items()}


def _reads_as(values: pa.Array, dtype: pa.DataType) -> bool:
    if pa.types.is_boolean(dtype):
        return bool(pc.all(pc.is_in(values, pa.array(TRUE + FALSE))).as_py())
    try:
        pc.cast(values, dtype)
    except pa.ArrowInvalid:
        return False
    return True
