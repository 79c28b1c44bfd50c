"""Tables of the prediction log: inbox, catalog of files, requests, and what was touched."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from filelock import FileLock

from monitor.adapters.database import BUSY_SECONDS, Id, open_database
from monitor.batch import RowKind
from monitor.errors import StorageError

VERSION = 2
"""Version of these tables, on SQLite kept in ``PRAGMA user_version``."""

Stream = tuple[str, RowKind]
"""A model and a kind of rows: what is numbered, stored and sealed together."""

metadata = sa.MetaData()


class Place(StrEnum):
    """What is known of the rows of one payload in the inbox.

    Attributes
    ----------
    NEW
        Nobody has looked. All predictions in the inbox are new.
    FOUND
        Labels whose predictions were found: ``_event_at`` is the prediction's.
    WAITING
        Labels whose predictions have not come.
    """

    NEW = "new"
    FOUND = "found"
    WAITING = "waiting"


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
    "log_counters",
    metadata,
    *_stream_columns(primary_key=True),
    sa.Column("n_rows", sa.BigInteger, nullable=False),
    sa.Column("first_event_at", sa.BigInteger, nullable=False),
    sa.Column("last_event_at", sa.BigInteger, nullable=False),
)

requests = sa.Table(
    "log_requests",
    metadata,
    *_stream_columns(primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Index("log_requests_received", "model", "received_at"),
    sqlite_with_rowid=False,
)

inbox = sa.Table(
    "log_inbox",
    metadata,
    sa.Column("id", Id, primary_key=True),
    *_stream_columns(),
    *_range_columns(),
    sa.Column("place", sa.Text, nullable=False),
    # Predictions acknowledged when labels were last looked for in them.
    sa.Column("n_searched", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Index("log_inbox_stream", "model", "kind", "id"),
    sqlite_autoincrement=True,
)

files = sa.Table(
    "log_files",
    metadata,
    sa.Column("id", Id, primary_key=True),
    *_stream_columns(),
    *_range_columns(),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Index("log_files_stream", "model", "kind", "last_event_at"),
)

schema_changes = sa.Table(
    "log_schema_changes",
    metadata,
    sa.Column("id", Id, primary_key=True),
    *_stream_columns(),
    *_range_columns(),
    sa.Column("column_name", sa.Text, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Index("log_schema_changes_stream", "model", "kind"),
)

touched = sa.Table(
    "log_touched",
    metadata,
    *_stream_columns(primary_key=True),
    # ``_event_at`` or ``_row``, and which of their stretches of equal length.
    sa.Column("column_name", sa.Text, primary_key=True),
    sa.Column("bucket", sa.BigInteger, primary_key=True),
    # The row after the last, of its kind, that belongs there.
    sa.Column("end_row", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


def owner(stream: Stream) -> dict[str, str]:
    """Return the columns that say whose a stored row is."""
    return {"model": stream[0], "kind": stream[1].value}


def of_stream(table: sa.Table, stream: Stream) -> sa.ColumnElement[bool]:
    """Return the condition that a stored row belongs to a model and kind."""
    return sa.and_(table.c.model == stream[0], table.c.kind == stream[1].value)


_IDS_AT_ONCE = 5_000  # variables in one statement; SQLite takes 32 766


def take_out(connection: sa.Connection, ids: Sequence[int]) -> bool:
    """Delete payloads of the inbox; False when another process has taken one of them."""
    n_gone = 0
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = inbox.c.id.in_(ids[start : start + _IDS_AT_ONCE])
        n_gone += connection.execute(sa.delete(inbox).where(some)).rowcount
    return n_gone == len(ids)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(instant: datetime) -> int:
    """Return a time as microseconds of Unix time.

    Examples
    --------
    >>> micros(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (instant - _EPOCH) // timedelta(microseconds=1)


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
    except (sa.exc.SQLAlchemyError, OSError, pa.ArrowException, StorageError) as error:
        cause = str(error).partition("\n")[0]
        raise StorageError(f"the prediction log could not {action}: {cause}") from error


def open_log_database(path: Path) -> sa.Engine:
    """Open a log's SQLite database, and create its tables where they are missing.

    Raises
    ------
    StorageError
        When the database is of another version, or cannot be opened.
    """
    engine = open_database(path)
    # Two processes that switch a new database to WAL at once do not wait for each other.
    with storage(f"open {path}"), FileLock(f"{path}.lock", timeout=BUSY_SECONDS):
        try:
            _create(engine)
        except Exception:
            engine.dispose()
            raise
    return engine


def _create(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > VERSION:
            raise StorageError(
                f"it has version {version}, newer than this Leeway's {VERSION}: upgrade Leeway"
            )
        if 0 < version < VERSION:
            raise StorageError(
                f"it has version {version} of a Leeway before 0.1.0: begin with a new data folder"
            )
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
