"""Body: the columns of one request, out of any of the formats people send."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from monitor.errors import BatchRefusedError

RawColumn: TypeAlias = pa.ChunkedArray | list[Any]
"""A column as it came: Arrow where the format has types, else Python values."""


class Absent:
    """Marks a key that a JSON row does not have, which is not the same as null."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


@dataclass(frozen=True)
class Body:
    """Columns as they came, all of `n_rows` values."""

    columns: Mapping[str, RawColumn]
    n_rows: int


def read_body(body: bytes, content_type: str) -> Body:
    """Parse a request's body by its content type.

    Parameters
    ----------
    body : bytes
        The body, decompressed.
    content_type : str
        JSON (a list of row objects, or an object with ``rows`` or ``columns``), NDJSON, CSV with
        a header, Parquet, or an Arrow IPC stream; parameters after ``;`` are ignored.

    Raises
    ------
    BatchRefusedError
        If the body is none of these, or not what the content type says.

    Examples
    --------
    >>> read_body(b'[{"a": 1}, {"a": 2}]', "application/json").columns
    {'a': [1, 2]}
    """
    name = content_type.partition(";")[0].strip().lower() or "application/json"
    reader = _READERS.get(name)
    if reader is None:
        raise BatchRefusedError(f"content type {name!r} is not one of {', '.join(_READERS)}")
    try:
        return reader(body)
    # Arrow has an OSError for bytes that end too early or point beyond their end.
    except (pa.ArrowException, OSError, ValueError, KeyError, RecursionError) as error:
        raise BatchRefusedError(f"the body is not valid {name}: {error}") from error


def from_rows(rows: Sequence[Any]) -> Body:
    """Turn JSON rows into columns; a key that a row lacks is marked absent."""
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BatchRefusedError("each row must be an object of column names", row=index)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, RawColumn] = {n: [row.get(n, ABSENT) for row in rows] for n in names}
    return Body(columns, len(rows))


def _from_json(body: bytes) -> Body:
    document = json.loads(body)
    if isinstance(document, dict):
        if isinstance(document.get("columns"), dict):
            return _from_columns(document["columns"])
        document = document.get("rows", document.get("labels"))
    if not isinstance(document, list):
        raise BatchRefusedError(
            'send a list of row objects, {"rows": [...]} or {"columns": {name: [...]}}'
        )
    return from_rows(document)


def _from_columns(columns: dict[str, Any]) -> Body:
    lengths = {len(c) if isinstance(c, list) else -1 for c in columns.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise BatchRefusedError("columns must be lists of equal length")
    return Body(columns, lengths.pop())


def _from_ndjson(body: bytes) -> Body:
    rows = []
    for index, line in enumerate(line for line in body.splitlines() if line.strip()):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise BatchRefusedError(f"the line is not JSON: {error}", row=index) from error
    return from_rows(rows)


def _from_csv(body: bytes) -> Body:
    header = pa.csv.open_csv(io.BytesIO(body)).schema.names
    options = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True
    )
    table = pa.csv.read_csv(io.BytesIO(body), convert_options=options)
    return Body({name: _truths(table.column(name)) for name in header}, table.num_rows)


_TRUTHS = pa.array(["true", "false", "True", "False", "TRUE", "FALSE"])


def _truths(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take a column of True and False for booleans, as a reference read from CSV does."""
    values = column.drop_null()
    if len(values) and pc.all(pc.is_in(values, value_set=_TRUTHS)).as_py():
        return pc.cast(column, pa.bool_())
    return column


def _from_parquet(body: bytes) -> Body:
    return _from_table(pa.parquet.read_table(pa.BufferReader(body)))


def _from_arrow(body: bytes) -> Body:
    with pa.ipc.open_stream(pa.BufferReader(body)) as stream:
        return _from_table(stream.read_all())


def _from_table(table: pa.Table) -> Body:
    # Damaged offsets would be followed out of memory, and take the whole process with them.
    table.validate(full=True)
    return Body({name: table.column(name) for name in table.column_names}, table.num_rows)


_READERS: dict[str, Callable[[bytes], Body]] = {
    "application/json": _from_json,
    "application/x-ndjson": _from_ndjson,
    "text/csv": _from_csv,
    "application/vnd.apache.parquet": _from_parquet,
    "application/vnd.apache.arrow.stream": _from_arrow,
}
