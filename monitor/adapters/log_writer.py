"""Log writer: one thread that commits all waiting requests together, with one fsync."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from threading import Condition, Thread
from typing import Any

import sqlalchemy as sa

from monitor.adapters.log_arrivals import LARGE_BYTES, filed, is_large, n_bytes
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_group import Outcome, write_group
from monitor.adapters.log_rows import fitted
from monitor.adapters.log_tables import storage
from monitor.batch import Batch, Receipt
from monitor.errors import BatchRefusedError, StorageError

GROUP_BYTES = 64 << 20
"""A group commit takes no more requests once it holds this much; a payload stays far below
SQLite's limit of 1 GB."""

GATHER_SECONDS = 0.002
"""How long a group waits to become as large as the one before; an fsync takes about as long."""

FILING_THREADS = 4
"""Large bodies that are written to files of their own at once."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Requests that were handed in together, and who waits for what comes of them."""

    requests: Sequence[Sequence[Batch]]
    future: Future[Any]
    alone: bool
    n_rows: int
    n_bytes: int

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Say what came of each request."""
        if not self.alone:
            self.future.set_result(outcomes)
        elif isinstance(outcomes[0], Receipt):
            self.future.set_result(outcomes[0])
        else:
            self.future.set_exception(outcomes[0])


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
        self._waiting: deque[_Work] = deque()
        self._n_waiting_rows = 0
        self._n_last = 0
        self._closing = self._closed = False
        self._changed = Condition()
        self._filing = ThreadPoolExecutor(FILING_THREADS, "prediction-log-files")
        self._thread = Thread(target=self._run, name="prediction-log-writer", daemon=True)
        self._thread.start()

    def submit(self, batches: Sequence[Batch]) -> Future[Receipt]:
        """Queue one request; the future is done when its rows are on disk."""
        return self._submit([batches], alone=True)

    def submit_together(self, requests: Sequence[Sequence[Batch]]) -> Future[Sequence[Outcome]]:
        """Queue several requests; the future says what came of each."""
        return self._submit(requests, alone=False)

    def close(self) -> None:
        """Write what is waiting, then stop."""
        with self._changed:
            self._closing = True
        self._filing.shutdown()
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _submit(self, requests: Sequence[Sequence[Batch]], *, alone: bool) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            # In the caller's thread, so that rows that do not fit spoil no other's commit.
            plain, size = _plain(requests)
            n_rows = sum(batch.n_rows for batch in chain.from_iterable(plain))
            work = _Work(plain, future, alone, n_rows, size)
            with self._changed:  # so that nothing comes in between once it is closed
                self._reserve(n_rows)
                if size >= LARGE_BYTES and any(map(is_large, chain.from_iterable(plain))):
                    self._filing.submit(self._file, work)
                else:
                    self._enqueue(work)
        except (BatchRefusedError, StorageError) as error:
            future.set_exception(error)
        return future

    def _reserve(self, n_rows: int) -> None:
        if self._closing:
            raise StorageError("the prediction log is closed")
        # A request beyond the limit all by itself is taken when nothing else waits.
        waiting = self._n_waiting_rows
        if waiting and waiting + n_rows > self._max_waiting_rows:
            raise StorageError(f"{waiting} rows wait to be written already; try again later")
        self._n_waiting_rows += n_rows

    def _file(self, work: _Work) -> None:
        """Write large batches to files of their own, which the commit only registers."""
        try:
            with storage("write a large body to a file"):
                requests = [
                    [filed(self._folder, one) if is_large(one) else one for one in batches]
                    for batches in work.requests
                ]
        except Exception as error:  # noqa: BLE001 - it belongs to who waits
            with self._changed:
                self._n_waiting_rows -= work.n_rows
            if work.future.set_running_or_notify_cancel():
                _fail([work], error)
        else:
            self._enqueue(replace(work, requests=requests))

    def _enqueue(self, work: _Work) -> None:
        with self._changed:
            self._waiting.append(work)
            self._changed.notify()

    def _run(self) -> None:
        while group := self._collect():
            self._commit([work for work in group if work.future.set_running_or_notify_cancel()])

    def _collect(self) -> list[_Work]:
        """Wait for requests and take all of them; none means that the writer is closed."""
        group: list[_Work] = []
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            # Those who were just answered are about to come again: without this the first of
            # them would get a commit of its own, and the others wait for it.
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._n_last or self._closed, GATHER_SECONDS
            )
            size = 0
            while self._waiting and size < GROUP_BYTES:
                work = self._waiting.popleft()
                self._n_waiting_rows -= work.n_rows
                size += work.n_bytes
                group.append(work)
        self._n_last = len(group)
        return group

    def _commit(self, group: Sequence[_Work]) -> None:
        requests = [batches for work in group for batches in work.requests]
        try:
            with self._engine.begin() as connection:
                outcomes = iter(write_group(connection, self._folder, requests))
        except Exception as error:  # noqa: BLE001 - no group may end the thread that writes the next
            self._engine.dispose()  # the next group gets a fresh connection
            _fail(group, error)
            return
        for work in group:
            work.answer([next(outcomes) for _ in work.requests])


def _fail(group: Sequence[_Work], error: Exception) -> None:
    cause = str(error).partition("\n")[0]
    for work in group:
        work.future.set_exception(
            StorageError(f"nothing was written: {cause}; send the request again")
        )


def _plain(requests: Sequence[Sequence[Batch]]) -> tuple[list[list[Batch]], int]:
    """Return batches as the log stores them, and their size; each table is looked at once."""
    tables = {id(batch.table): batch.table for batch in chain.from_iterable(requests)}
    plain = {key: fitted(table) for key, table in tables.items()}
    same = all(plain[key] is table for key, table in tables.items())
    size = sum(n_bytes(table) for table in plain.values())
    if same:
        return [list(batches) for batches in requests], size
    return [
        [replace(batch, table=plain[id(batch.table)]) for batch in batches] for batches in requests
    ], size
