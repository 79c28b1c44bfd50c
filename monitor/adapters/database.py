"""The state database: one engine, times in UTC, writes that wait for each other."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, Table, create_engine, event, insert
from sqlalchemy.types import TypeDecorator

BUSY_SECONDS = 30
"""How long a statement waits for another process's transaction."""


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


def open_database(path: Path) -> Engine:
    """Open the SQLite database in a file, made if absent.

    Write-ahead log, so that readers never wait; synchronous FULL, so that a commit is on disk;
    BEGIN IMMEDIATE, so that two writers queue instead of failing halfway.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def insert_row(connection: Connection, table: Table, **values: object) -> int:
    """Insert a row and return the id the database gave it."""
    added = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert added is not None
    return int(added[0])


def reading(engine: Engine) -> Connection:
    """Open a connection that only reads: it sees one snapshot and waits for nobody."""
    return engine.connect().execution_options(reading=True)
