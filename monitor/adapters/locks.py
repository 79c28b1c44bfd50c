"""Locks that outlive a transaction and end with their process: who leads, and who seals."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine

from monitor.adapters.database import BUSY_SECONDS, POSTGRESQL, lock_key
from monitor.errors import StorageError
from monitor.ports import Leader


class FileLeader:
    """Leadership by a locked file; the system lets it go when the process ends.

    Parameters
    ----------
    path : Path
        On a local disk.
    """

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, thread_local=False)

    def hold(self) -> bool:
        """Take it if it is free; say whether this process has it now."""
        if self._lock.is_locked:
            return True
        with suppress(Timeout):
            self._lock.acquire(blocking=False)
        return self._lock.is_locked

    def release(self) -> None:
        """Let another process have it."""
        self._lock.release()


class ServerLeader:
    """Leadership by an advisory lock of PostgreSQL, held by a connection of its own.

    The server lets it go when the connection ends, so each `hold` asks whether it is still there.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A PostgreSQL database.
    name : str
        Which lock.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._connection: Connection | None = None

    def hold(self) -> bool:
        """Take it if it is free; say whether this process has it now."""
        if self._connection is not None and _answers(self._connection):
            return True
        self.release()
        connection = _session(self._engine, isolation_level="AUTOCOMMIT")
        if not _try_lock(connection, self._name):
            connection.close()
            return False
        self._connection = connection
        return True

    def release(self) -> None:
        """Let another process have it."""
        if self._connection is not None:
            _end(self._connection)
            self._connection = None


def leader(engine: Engine, folder: Path) -> Leader:
    """Return the leadership of the deployment that a state database belongs to."""
    if engine.dialect.name == POSTGRESQL:
        return ServerLeader(engine, "leader")
    return FileLeader(folder / "leader.lock")


@contextmanager
def sole(engine: Engine, path: Path, *, wait: bool) -> Iterator[Connection | None]:
    """Be the only process that does something, on the connection that is yielded.

    On PostgreSQL the lock belongs to that very connection: when it is lost with the lock, so are
    the transactions that rely on it.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.
    path : Path
        The file to lock on SQLite; its stem names the lock on PostgreSQL.
    wait : bool
        Whether to wait for another process; without waiting None is yielded while one is at it.
    """
    if engine.dialect.name != POSTGRESQL:
        try:
            with (
                FileLock(path, timeout=BUSY_SECONDS if wait else 0),
                engine.connect() as connection,
            ):
                yield connection
        except Timeout:
            yield None
        return
    connection = _session(engine)
    try:
        if wait:
            connection.execute(sa.select(sa.func.pg_advisory_lock(lock_key(path.stem))))
            mine = True
        else:
            mine = _try_lock(connection, path.stem)
        connection.commit()  # the lock stays with the session
        yield connection if mine else None
    finally:
        _end(connection)


def _session(engine: Engine, **options: Any) -> Connection:
    """Open a connection that no pool gets back: closing it ends the session."""
    connection = engine.connect().execution_options(**options)
    connection.detach()
    return connection


def _try_lock(connection: Connection, name: str) -> bool:
    return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(lock_key(name)))))


def _end(connection: Connection) -> None:
    """Close a session; its lock is let go at once, not when the server sees that it is gone."""
    with suppress(StorageError):
        connection.rollback()
        connection.execute(sa.select(sa.func.pg_advisory_unlock_all()))
        connection.commit()
    with suppress(StorageError):
        connection.close()


def _answers(connection: Connection) -> bool:
    try:
        connection.execute(sa.select(1))
    except StorageError:
        return False
    return True
