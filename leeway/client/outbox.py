"""Outbox: rows that a thread of its own sends, in batches, until the server has them."""

import atexit
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from leeway.client.backoff import Backoff
from leeway.client.spool import Parcel, Spool, stream
from monitor.errors import LeewayError

_log = logging.getLogger("leeway.client")


class OutboxError(LeewayError):
    """Rows were not sent: there was no room for them, or the server refused them."""


class UnreachableError(LeewayError):
    """The server cannot take rows now.

    Parameters
    ----------
    problem : str
        What happened.
    retry_after_seconds : float
        How long the server wants to be left alone.
    """

    def __init__(self, problem: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True)
class Buffering:
    """How rows wait for being sent.

    Parameters
    ----------
    rows : int
        A batch is sent when it has this many rows.
    seconds : float
        Or when its first row has waited this long.
    max_rows : int
        Rows kept in memory; beyond them logging waits for room, and fails after the timeout.
    spool : Path or str or None
        Folder for batches that the server does not take now; None keeps them in memory.
    spool_bytes : int
        Size of the spool beyond which batches stay in memory.
    """

    rows: int = 1_000
    seconds: float = 1.0
    max_rows: int = 100_000
    spool: Path | str | None = None
    spool_bytes: int = 1 << 30


@dataclass(frozen=True)
class _Rows:
    path: str
    table: pa.Table
    came: float


class Outbox:
    """Sends rows from a thread; any thread may put them in.

    Parameters
    ----------
    send : callable
        Posts a parcel; raises UnreachableError to be asked again, and LeewayError when the
        server will never take it.
    buffering : Buffering
        How rows wait.
    timeout_seconds : float
        How long a call waits for room, and closing for the server.

    Raises
    ------
    StorageError
        If another process uses the spool.
    """

    def __init__(
        self, send: Callable[[Parcel], None], buffering: Buffering, timeout_seconds: float
    ) -> None:
        self._send = send
        self._buffering = buffering
        self._timeout_seconds = timeout_seconds
        self._spool = (
            Spool(Path(buffering.spool), buffering.spool_bytes) if buffering.spool else None
        )
        self._rows: deque[_Rows] = deque()
        self._n_rows = 0
        self._held: Parcel | None = None  # neither sent nor spooled
        self._refused: list[str] = []
        self._hurry = False
        self._closed = False
        self._changed = threading.Condition()
        self._backoff = Backoff()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="leeway-outbox", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, path: str, table: pa.Table) -> None:
        """Leave rows to be sent.

        Raises
        ------
        OutboxError
            If no room came free within the timeout, or the outbox is closed or of another process.
        """
        if os.getpid() != self._process:
            raise OutboxError("this process was forked: make a new leeway.Client in it")
        with self._changed:
            has_room = self._changed.wait_for(
                lambda: self._closed or not 0 < self._buffering.max_rows <= self._n_rows,
                self._timeout_seconds,
            )
            if self._closed:
                raise OutboxError("the client is closed")
            if not has_room:
                raise OutboxError(
                    f"{self._n_rows} rows wait for the server already; these were not taken"
                )
            self._rows.append(_Rows(path, table, time.monotonic()))
            self._n_rows += table.num_rows
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything is acknowledged, or on disk in the spool.

        Raises
        ------
        OutboxError
            If rows were refused since the last call, or are still in memory after the timeout.
        """
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._n_rows == 0, self._timeout_seconds)
            self._hurry = False
            refused, self._refused = self._refused, []
        if not done:
            raise OutboxError(
                f"{self._n_rows} rows are not sent: the server did not take them in time"
            )
        if refused:
            raise OutboxError(f"{len(refused)} batches were refused; the first: {refused[0]}")

    def close(self) -> None:
        """Send what waits, then stop; what the spool holds is sent by the next process.

        Raises
        ------
        OutboxError
            As `flush`.
        """
        atexit.unregister(self.close)
        if self._closed or os.getpid() != self._process:
            return
        try:
            self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join(self._timeout_seconds)
            if self._spool is not None:
                self._spool.close()

    def _run(self) -> None:
        while not self._closed:
            try:
                self._step()
            except Exception:  # noqa: BLE001 - rows wait as long as this thread lives
                _log.exception("rows could not be sent; trying again")
                self._backoff.fail(0)
            with self._changed:
                self._changed.notify_all()
                self._changed.wait_for(self._has_work, self._seconds_to_wait())

    def _step(self) -> None:
        if self._held is None and self._is_due():
            self._held = self._next_parcel()
        if (
            self._spool is not None
            and self._held
            and (len(self._spool) or not self._backoff.is_over())
        ):
            self._set_aside()
        if self._backoff.is_over():
            if self._spool is not None and len(self._spool):
                self._send_spooled(self._spool)
            elif self._held:
                self._send_held(self._held)

    def _send_held(self, parcel: Parcel) -> None:
        if self._deliver(parcel) is not None:
            self._let_go(parcel)
        else:
            self._set_aside()

    def _send_spooled(self, spool: Spool) -> None:
        parcel = spool.first()
        taken = self._deliver(parcel) if parcel else None
        if taken is True:
            spool.remove_first()
        elif taken is False:
            spool.refuse_first()

    def _set_aside(self) -> None:
        try:
            if self._spool is not None and self._held and self._spool.append(self._held):
                self._let_go(self._held)
        except OSError as error:
            _log.error("the spool cannot be written: %s; rows stay in memory", error)

    def _let_go(self, parcel: Parcel) -> None:
        self._held = None
        with self._changed:
            self._n_rows -= parcel.n_rows
            self._changed.notify_all()

    def _deliver(self, parcel: Parcel) -> bool | None:
        """Send once; True when taken, False when refused for good, None when to try again."""
        try:
            self._send(parcel)
        except UnreachableError as error:
            self._backoff.fail(error.retry_after_seconds)
            return None
        except LeewayError as error:
            _log.error("%d rows were refused: %s", parcel.n_rows, error)
            self._refused.append(str(error))
            return False
        self._backoff.succeed()
        return True

    def _next_parcel(self) -> Parcel:
        """Take the oldest rows with those that follow them to the same path, of the same types."""
        with self._changed:
            taken = [self._rows.popleft()]
            n_rows = taken[0].table.num_rows
            while self._rows and n_rows < self._buffering.rows and _alike(taken[0], self._rows[0]):
                taken.append(self._rows.popleft())
                n_rows += taken[-1].table.num_rows
        table = pa.concat_tables([one.table for one in taken])
        return Parcel(taken[0].path, uuid.uuid4().hex, n_rows, stream(table))

    def _is_due(self) -> bool:
        if not self._rows:
            return False
        age = time.monotonic() - self._rows[0].came
        full = self._n_rows >= self._buffering.rows
        return full or self._hurry or age >= self._buffering.seconds

    def _has_work(self) -> bool:
        waiting = self._held is not None or (self._spool is not None and len(self._spool) > 0)
        can_send = self._backoff.is_over() and (waiting or self._is_due())
        can_spool = self._spool is not None and self._held is None and self._is_due()
        return self._closed or can_send or can_spool

    def _seconds_to_wait(self) -> float:
        until_retry = self._backoff.seconds_left() or self._buffering.seconds
        if not self._rows:
            return until_retry
        age = time.monotonic() - self._rows[0].came
        return min(until_retry, max(0.001, self._buffering.seconds - age))


def _alike(one: _Rows, other: _Rows) -> bool:
    return one.path == other.path and one.table.schema.equals(other.table.schema)
