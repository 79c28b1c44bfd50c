"""Body: the columns of one request, out of any of the formats people send."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from monitor.binary import from_arrow, from_parquet
from monitor.columns import without_index
from monitor.errors import BatchRefusedError
from monitor.rows import Rows, alike, expected, parse_json

RawColumn: TypeAlias = pa.ChunkedArray | list[Any]
"""A column as it came: Arrow where the format has types, else Python values."""


class Absent:
    """Marks a key that a JSON row does not have, which is not the same as null."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


@dataclass(frozen=True)
class Body:
    """Columns as they came, all of `n_rows` values.

    Parameters
    ----------
    columns : mapping of str to RawColumn
        The columns.
    n_rows : int
        Rows.
    has_absent : bool
        Values of the columns may be ABSENT.
    """

    columns: Mapping[str, RawColumn]
    n_rows: int
    has_absent: bool = True


MAX_BYTES = 64 << 20
"""How large a body may be, and what it unfolds to."""


def read_body(body: bytes, content_type: str, max_bytes: int = MAX_BYTES) -> Body:
    """Parse a request's body by its content type, as `read_rows`.

    Examples
    --------
    >>> read_body(b'[{"a": 1}, {"a": 2}]', "application/json").columns
    {'a': [1, 2]}
    """
    found = read_rows(body, content_type, max_bytes)
    return as_body(found) if isinstance(found, Rows) else found


def read_rows(
    body: bytes,
    content_type: str,
    max_bytes: int = MAX_BYTES,
    names: tuple[str, ...] = (),
) -> Body | Rows:
    """Parse a request's body by its content type; rows of JSON that are alike stay rows.

    Parameters
    ----------
    body : bytes
        The body, decompressed.
    content_type : str
        JSON (a list of row objects, or an object with ``rows`` or ``columns``), NDJSON, CSV with
        a header, Parquet, or an Arrow IPC stream; parameters after ``;`` are ignored.
    max_bytes : int
        How many bytes the rows of Parquet and Arrow may take.
    names : tuple of str
        What rows of JSON are likely to have: they are read faster if they do.

    Raises
    ------
    BodyTooLargeError
        If they take more.
    BatchRefusedError
        If the body is none of these, or not what the content type says.
    """
    name = content_type.partition(";")[0].strip().lower() or "application/json"
    reader = _READERS.get(name)
    if reader is None:
        raise BatchRefusedError(f"content type {name!r} is not one of {', '.join(_READERS)}")
    if names and reader is _from_json and (rows := expected(body, names)) is not None:
        return rows
    try:
        return reader(body, max_bytes)
    # Arrow has an OSError for bytes that end too early or point beyond their end.
    except (pa.ArrowException, OSError, ValueError, KeyError, RecursionError) as error:
        raise BatchRefusedError(f"the body is not valid {name}: {error}") from error


def as_body(rows: Rows) -> Body:
    """Turn rows that are alike into columns."""
    return Body(rows.columns(), rows.n_rows, has_absent=False)


def from_rows(rows: Sequence[Any]) -> Body:
    """Turn JSON rows into columns; a key that a row lacks is marked absent."""
    if same := alike(rows):
        return as_body(same)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BatchRefusedError("each row must be an object of column names", row=index)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, RawColumn] = {n: [row.get(n, ABSENT) for row in rows] for n in names}
    return Body(columns, len(rows))


def _rows(rows: Sequence[Any]) -> Body | Rows:
    return alike(rows) or from_rows(rows)


def _from_json(body: bytes, _max_bytes: int) -> Body | Rows:
    document = parse_json(body)
    if isinstance(document, dict):
        if isinstance(document.get("columns"), dict):
            return _from_columns(document["columns"])
        document = document.get("rows", document.get("labels"))
    if not isinstance(document, list):
        raise BatchRefusedError(
            'send a list of row objects, {"rows": [...]} or {"columns": {name: [...]}}'
        )
    return _rows(document)


def _from_columns(columns: dict[str, Any]) -> Body:
    lengths = {len(c) if isinstance(c, list) else -1 for c in columns.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise BatchRefusedError("columns must be lists of equal length")
    return Body(columns, lengths.pop(), has_absent=False)


def _from_ndjson(body: bytes) -> Body | Rows:
    rows = []
    for index, line in enumerate(line for line in body.splitlines() if line.strip()):
        try:
            rows.append(parse_json(line))
        except ValueError as error:
            raise BatchRefusedError(f"the line is not JSON: {error}", row=index) from error
    return _rows(rows)


def _from_csv(body: bytes) -> Body:
    header = pa.csv.open_csv(io.BytesIO(body)).schema.names
    options = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True
    )
    table = pa.csv.read_csv(io.BytesIO(body), convert_options=options)
    columns = {name: _truths(table.column(name)) for name in header}
    return Body(columns, table.num_rows, has_absent=False)


_TRUTHS = pa.array(["true", "false", "True", "False", "TRUE", "FALSE"])


def _truths(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take a column of True and False for booleans, as a reference read from CSV does."""
    values = column.drop_null()
    if len(values) and pc.all(pc.is_in(values, value_set=_TRUTHS)).as_py():
        return pc.cast(column, pa.bool_())
    return column


def _from_table(table: pa.Table) -> Body:
    plain = without_index(table)
    columns = {name: plain.column(name) for name in plain.column_names}
    return Body(columns, table.num_rows, has_absent=False)


_READERS: dict[str, Callable[[bytes, int], Body | Rows]] = {
    "application/json": _from_json,
    "application/x-ndjson": lambda body, _: _from_ndjson(body),
    "text/csv": lambda body, _: _from_csv(body),
    "application/vnd.apache.parquet": lambda body, most: _from_table(from_parquet(body, most)),
    "application/vnd.apache.arrow.stream": lambda body, most: _from_table(from_arrow(body, most)),
}


def values_of(column: RawColumn) -> list[Any]:
    """Return a raw column as Python values."""
    if isinstance(column, list):
        return column
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        # Python's times end with the year 9999, Arrow's do not.
        return list(pc.cast(column, pa.int64()).to_pylist())
