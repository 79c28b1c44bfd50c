"""Log writer: one thread that commits all waiting requests together, with one fsync."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Condition, Thread

import sqlalchemy as sa

from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_group import n_bytes, write_group
from monitor.adapters.log_rows import fitted
from monitor.batch import Batch, Receipt
from monitor.errors import BatchRefusedError, StorageError

GROUP_BYTES = 64 << 20
"""A group commit takes no more requests once it holds this much; a payload stays far below
SQLite's limit of 1 GB."""

GATHER_SECONDS = 0.002
"""How long a group waits to become as large as the one before; an fsync takes about as long."""


@dataclass(frozen=True)
class _Request:
    batches: Sequence[Batch]
    future: Future[Receipt]
    n_rows: int
    n_bytes: int


class LogWriter:
    """Takes requests from any thread and writes them in its own.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The log's database.
    folder : LogFolder
        Where its files are.
    max_waiting_rows : int
        Beyond this many waiting rows a request is refused with StorageError.
    """

    def __init__(self, engine: sa.Engine, folder: LogFolder, *, max_waiting_rows: int) -> None:
        self._engine = engine
        self._folder = folder
        self._max_waiting_rows = max_waiting_rows
        self._waiting: deque[_Request] = deque()
        self._n_waiting_rows = 0
        self._n_last = 0
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="prediction-log-writer", daemon=True)
        self._thread.start()

    def submit(self, batches: Sequence[Batch]) -> Future[Receipt]:
        """Queue one request; the future is done when its rows are on disk."""
        future: Future[Receipt] = Future()
        try:
            # In the caller's thread, so that rows that do not fit spoil no other's commit.
            plain = [replace(batch, rows=fitted(batch.rows)) for batch in batches]
            n_rows = sum(batch.rows.num_rows for batch in plain)
            size = sum(n_bytes(batch.rows) for batch in plain)
            self._enqueue(_Request(plain, future, n_rows, size))
        except (BatchRefusedError, StorageError) as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Write what is waiting, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _enqueue(self, request: _Request) -> None:
        with self._changed:
            if self._closed:
                raise StorageError("the prediction log is closed")
            # A request beyond the limit all by itself is taken when nothing else waits.
            if self._waiting and self._n_waiting_rows + request.n_rows > self._max_waiting_rows:
                raise StorageError(
                    f"{self._n_waiting_rows} rows wait to be written already; try again later"
                )
            self._waiting.append(request)
            self._n_waiting_rows += request.n_rows
            self._changed.notify()

    def _run(self) -> None:
        while group := self._collect():
            self._commit([r for r in group if r.future.set_running_or_notify_cancel()])

    def _collect(self) -> list[_Request]:
        """Wait for requests and take all of them; none means that the writer is closed."""
        group: list[_Request] = []
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            # Those who were just answered are about to come again: without this the first of
            # them would get a commit of its own, and the others wait for it.
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._n_last or self._closed, GATHER_SECONDS
            )
            size = 0
            while self._waiting and size < GROUP_BYTES:
                request = self._waiting.popleft()
                self._n_waiting_rows -= request.n_rows
                size += request.n_bytes
                group.append(request)
        self._n_last = len(group)
        return group

    def _commit(self, group: Sequence[_Request]) -> None:
        try:
            with self._engine.begin() as connection:
                batches = [request.batches for request in group]
                outcomes = write_group(connection, self._folder, batches)
        except Exception as error:  # noqa: BLE001 - no group may end the thread that writes the next
            self._engine.dispose()  # the next group gets a fresh connection
            cause = str(error).partition("\n")[0]
            problem = f"nothing was written: {cause}; send the request again"
            outcomes = [StorageError(problem) for _ in group]
        for request, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Receipt):
                request.future.set_result(outcome)
            else:
                request.future.set_exception(outcome)
