"""Tables of the prediction log (inbox, catalog of files, requests), and the rows that fit them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from filelock import FileLock

from monitor.batch import EVENT_AT, PREDICTION_ID, RECEIVED_AT, ROW, TIMESTAMP, RowKind
from monitor.errors import BatchRefusedError, StorageError

VERSION = 1
"""Version of these tables, kept in ``PRAGMA user_version``."""

BUSY_SECONDS = 30
"""How long a connection waits for the one that writes."""

Stream = tuple[str, RowKind]
"""A model and a kind of rows: what is numbered, stored and sealed together."""

_REQUIRED = {PREDICTION_ID: "bad_id", EVENT_AT: "bad_time", RECEIVED_AT: "bad_time"}

metadata = sa.MetaData()

# SQLite counts up only a plain INTEGER key by itself.
_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _stream_columns(*, primary_key: bool = False) -> list[sa.Column[Any]]:
    return [
        sa.Column("model", sa.Text, nullable=False, primary_key=primary_key),
        sa.Column("kind", sa.Text, nullable=False, primary_key=primary_key),
    ]


def _range_columns() -> list[sa.Column[Any]]:
    """What tells whether rows lie in a stretch; times in microseconds of Unix time."""
    names = ("row", "event_at", "received_at")
    bounds = [f"{bound}_{name}" for name in names for bound in ("first", "last")]
    columns: list[sa.Column[Any]] = [
        sa.Column(bound, sa.BigInteger, nullable=False) for bound in bounds
    ]
    return [*columns, sa.Column("n_rows", sa.BigInteger, nullable=False)]


counters = sa.Table(
    "counters",
    metadata,
    *_stream_columns(primary_key=True),
    sa.Column("n_rows", sa.BigInteger, nullable=False),
    sa.Column("first_event_at", sa.BigInteger, nullable=False),
    sa.Column("last_event_at", sa.BigInteger, nullable=False),
)

requests = sa.Table(
    "requests",
    metadata,
    *_stream_columns(primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", _id, primary_key=True),
    *_stream_columns(),
    *_range_columns(),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Index("inbox_stream", "model", "kind", "id"),
    sqlite_autoincrement=True,
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", _id, primary_key=True),
    *_stream_columns(),
    *_range_columns(),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Index("files_stream", "model", "kind"),
)

schema_changes = sa.Table(
    "schema_changes",
    metadata,
    sa.Column("id", _id, primary_key=True),
    *_stream_columns(),
    *_range_columns(),
    sa.Column("column_name", sa.Text, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Index("schema_changes_stream", "model", "kind"),
)


@dataclass(frozen=True)
class Stretch:
    """Values of one of the log's own columns, ``[start, end)``.

    Parameters
    ----------
    column : str
        ``_row``, ``_event_at`` or ``_received_at``.
    start, end : int
        Row numbers, or microseconds of Unix time.
    """

    column: str
    start: int
    end: int

    def overlaps(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Return the condition that stored rows may lie in the stretch."""
        # The bounds of `_event_at` are `first_event_at` and `last_event_at`.
        first, last = table.c[f"first{self.column}"], table.c[f"last{self.column}"]
        return sa.and_(first < self.end, last >= self.start)

    def holds(self) -> pc.Expression:
        """Return the condition that a row lies in the stretch."""
        dtype = pa.int64() if self.column == ROW else TIMESTAMP
        start, end = (pa.scalar(value, pa.int64()).cast(dtype) for value in (self.start, self.end))
        return (pc.field(self.column) >= start) & (pc.field(self.column) < end)


def covering(stretches: Sequence[Stretch]) -> Stretch:
    """Return the shortest stretch that holds all of some, which are of one column."""
    return Stretch(
        stretches[0].column,
        min(stretch.start for stretch in stretches),
        max(stretch.end for stretch in stretches),
    )


def fitted(rows: pa.Table) -> pa.Table:
    """Return rows with plain, nullable columns, as the log stores them.

    Raises
    ------
    BatchRefusedError
        When a row has no prediction id, no event time that can be read, or no time of receipt.
    """
    for name, reason in _REQUIRED.items():
        if name not in rows.schema.names or rows.column(name).null_count:
            raise BatchRefusedError("must be given in every row", field=name, reason=reason)
    first, last = _bounds(rows.column(EVENT_AT))
    if rows.num_rows and not _FIRST_MICROS <= first <= last <= _LAST_MICROS:
        raise BatchRefusedError(
            "must lie in the years 1 to 9999", field=EVENT_AT, reason="bad_time"
        )
    plain = _plain(rows.schema)
    return rows if plain is None else rows.cast(plain)


@lru_cache(maxsize=1_000)
def _plain(schema: pa.Schema) -> pa.Schema | None:
    """Return a schema that can take the nulls of other batches; None when this one can."""
    dtypes = (
        field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        for field in schema
    )
    plain = pa.schema(list(zip(schema.names, dtypes, strict=True)))
    return None if schema.equals(plain, check_metadata=True) else plain


def numbered(rows: pa.Table, first_row: int) -> pa.Table:
    """Return rows with their places in the order of acknowledgement.

    Examples
    --------
    >>> numbered(pa.table({"x": [0.5, 0.7]}), 40).column("_row").to_pylist()
    [40, 41]
    """
    places = np.arange(first_row, first_row + rows.num_rows, dtype=np.int64)
    return rows.append_column(ROW, pa.array(places))


def describe(rows: pa.Table) -> dict[str, int]:
    """Return the number of rows and the ranges of their own columns, as the catalog keeps them."""
    described = {"n_rows": rows.num_rows}
    for name in (ROW, EVENT_AT, RECEIVED_AT):
        described[f"first{name}"], described[f"last{name}"] = _bounds(rows.column(name))
    return described


def _bounds(column: pa.ChunkedArray) -> tuple[int, int]:
    dtype = TIMESTAMP if pa.types.is_timestamp(column.type) else pa.int64()
    bounds = pc.min_max(column.cast(dtype).cast(pa.int64())).as_py()
    return bounds["min"], bounds["max"]


def owner(stream: Stream) -> dict[str, str]:
    """Return the columns that say whose a stored row is."""
    return {"model": stream[0], "kind": stream[1].value}


def of_stream(table: sa.Table, stream: Stream) -> sa.ColumnElement[bool]:
    """Return the condition that a stored row belongs to a model and kind."""
    return sa.and_(table.c.model == stream[0], table.c.kind == stream[1].value)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(instant: datetime) -> int:
    """Return a time as microseconds of Unix time.

    Examples
    --------
    >>> micros(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (instant - _EPOCH) // timedelta(microseconds=1)


# What Python's datetime can hold; Arrow's reaches much further.
_FIRST_MICROS = micros(datetime.min.replace(tzinfo=UTC))
_LAST_MICROS = micros(datetime.max.replace(tzinfo=UTC))


def instant(micros_of_unix_time: int) -> datetime:
    """Return microseconds of Unix time as a time.

    Examples
    --------
    >>> instant(86400000000)
    datetime.datetime(1970, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return _EPOCH + timedelta(microseconds=micros_of_unix_time)


@contextmanager
def storage(action: str) -> Iterator[None]:
    """Turn what disk, database and Arrow raise into StorageError."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, OSError, pa.ArrowException) as error:
        cause = str(error).partition("\n")[0]
        raise StorageError(f"the prediction log could not {action}: {cause}") from error


def open_database(path: Path) -> sa.Engine:
    """Open a log's SQLite database, and create its tables where they are missing.

    Transactions of the engine only read; with the execution option ``begin="IMMEDIATE"`` they
    take the write lock first, so that what they read is still so when they write.

    Raises
    ------
    StorageError
        When the database is of a newer version, or cannot be opened.
    """
    url = sa.URL.create("sqlite", database=str(path))
    # Parameters are people's rows: they have no place in an error message.
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    sa.event.listen(engine, "connect", _configure)
    sa.event.listen(engine, "begin", _begin)
    # Two processes that switch a new database to WAL at once do not wait for each other.
    with storage(f"open {path}"), FileLock(f"{path}.lock", timeout=BUSY_SECONDS):
        try:
            _create(engine, path)
        except Exception:
            engine.dispose()
            raise
    return engine


def writing(engine: sa.Engine) -> sa.Engine:
    """Return the same engine for transactions that write."""
    return engine.execution_options(begin="IMMEDIATE")


def _configure(connection: Any, _record: object) -> None:
    # The driver's own BEGIN comes too late and is always deferred: `_begin` does it.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: sa.Connection) -> None:
    how = connection.get_execution_options().get("begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {how}")


def _create(engine: sa.Engine, path: Path) -> None:
    with writing(engine).begin() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > VERSION:
            raise StorageError(
                f"{path} has version {version}, newer than this Leeway's {VERSION}: upgrade Leeway"
            )
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
