"""The databases: engines on SQLite and PostgreSQL, times in UTC, and who may write what."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    Insert,
    Table,
    create_engine,
    event,
    insert,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.types import TypeDecorator

from monitor.errors import MissingDependencyError, StorageError

Key = TypeVar("Key", int, str)

BUSY_SECONDS = 30
"""How long a statement waits for another process's transaction."""

CONNECT_SECONDS = 5
"""How long a database server may take to answer."""

POSTGRESQL = "postgresql"

ONE_BY_ONE = {"yield_per": 64}
"""For large rows, so that not all of them are fetched when only some are taken."""

AT_ONCE = 500
"""Keys in one query; every database takes as many parameters."""

# SQLite counts up only a plain INTEGER key by itself.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Type of a key that the database counts up."""


class UtcTime(TypeDecorator[datetime]):
    """A time that is aware UTC in Python and naive UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC; a naive time is a mistake."""
        del dialect
        if value is None:
            return None
        assert value.tzinfo is not None, f"naive time {value}"
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return aware UTC."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


def open_database(where: Path | str) -> Engine:
    """Open the SQLite database in a file, made if absent, or a PostgreSQL database by its URL.

    SQLite gets a write-ahead log, so that readers never wait; synchronous FULL, so that a commit
    is on disk; BEGIN IMMEDIATE, so that two writers queue instead of failing halfway. On
    PostgreSQL writers take the locks they need with `exclusive`, and a connection that a restart
    of the server has cut is replaced before it is used.

    Raises
    ------
    StorageError
        From any statement, when the database does not answer.
    MissingDependencyError
        When the driver of PostgreSQL is not installed.
    """
    engine = _open_file(where) if isinstance(where, Path) else _open_server(where)
    event.listen(engine, "handle_error", _not_answering)
    return engine


def _open_file(path: Path) -> Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    url = sa.URL.create("sqlite", database=str(path))
    # Parameters are people's rows: they have no place in an error message.
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        only_reads = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _open_server(address: str) -> Engine:
    if find_spec("psycopg") is None:
        raise MissingDependencyError("psycopg", "postgres")
    url = sa.make_url(address).set(drivername="postgresql+psycopg")
    return create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "leeway"},
        hide_parameters=True,
        pool_pre_ping=True,
    )


def _not_answering(context: ExceptionContext) -> None:
    """Say that the database does not answer; the check of a pooled connection goes on alone."""
    error = context.sqlalchemy_exception
    if context.is_pre_ping or not isinstance(error, OperationalError | InterfaceError):
        return
    cause = str(error.orig).partition("\n")[0]
    raise StorageError(f"the database does not answer: {cause}; try again") from error


def insert_row(connection: Connection, table: Table, **values: object) -> int:
    """Insert a row and return the id the database gave it."""
    added = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert added is not None
    return int(added[0])


def put_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    change: Mapping[str, Any] | None = None,
) -> None:
    """Insert rows; where the key is there already, change that row, or leave it as it is.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        With a primary key.
    rows : sequence of mapping
        Values by column.
    change : mapping of str to SQL expression or None
        What to set in a row that is there; ``excluded(table)`` stands for the new values.
    """
    if rows:
        connection.execute(putting(connection.dialect.name, table, change), rows)


def putting(dialect: str, table: Table, change: Mapping[str, Any] | None = None) -> Insert:
    """Return the statement of `put_rows`, for who puts so often that making it costs."""
    statement = postgresql.insert(table) if dialect == POSTGRESQL else sqlite.insert(table)
    key = list(table.primary_key.columns)
    if change is None:
        return statement.on_conflict_do_nothing(index_elements=key)
    return statement.on_conflict_do_update(index_elements=key, set_=dict(change))


def excluded(table: Table, column: str) -> sa.ColumnElement[Any]:
    """Return the value that an insert would have stored, for `put_rows`."""
    return sa.literal_column(f"excluded.{column}", table.c[column].type)


def reading(engine: Engine) -> Connection:
    """Open a connection that only reads: it sees one snapshot and waits for nobody."""
    connection = engine.connect()
    if engine.dialect.name == POSTGRESQL:
        return connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    return connection.execution_options(reading=True)


def portions(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """Yield keys in ascending order, as many as one query may ask for at a time."""
    ordered = sorted(keys)
    for first in range(0, len(ordered), AT_ONCE):
        yield ordered[first : first + AT_ONCE]


def exclusive(connection: Connection, *name: object) -> None:
    """Wait until no other transaction holds this name, and hold it to the end of this one.

    What is numbered, or looked up before it is written, is done under a name of its own. On
    SQLite nothing is left to do: a transaction that writes is alone anyway.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_key(*name))))


def lock_key(*name: object) -> int:
    """Return the number by which PostgreSQL knows the lock of a name.

    Examples
    --------
    >>> lock_key("seal") == lock_key("seal") != lock_key("leader")
    True
    """
    digest = hashlib.sha256("/".join(map(str, ("leeway", *name))).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
