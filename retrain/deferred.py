"""Deferred: predictions that were answered, logged together a moment later.

A commit of its own for each answered row would take as long as the answer; and a plain 200 allows
the last second of the log to be lost.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import chain
from threading import Condition, Thread

import pyarrow as pa

from monitor.batch import Batch, Receipt, RowKind
from monitor.errors import LeewayError
from monitor.ports import Log

GATHER_SECONDS = 0.2
"""How long answered rows wait for others; a killed process loses no more of its log than that."""

FLUSH_SECONDS = 10.0
"""How long a flush waits at most: a log that does not answer holds up nobody for ever."""

MAX_WAITING_ROWS = 20_000
"""From so many waiting rows on they are logged at once: a large batch has nobody to wait for."""


class Deferred:
    """Logs what it is given in a thread of its own, all that has gathered at once.

    Parameters
    ----------
    log : Log
        Where the rows go.
    failed : callable
        Told of each request that could not be logged, and why.
    """

    def __init__(self, log: Log, failed: Callable[[BaseException], object]) -> None:
        self._log = log
        self._failed = failed
        self._waiting: list[Sequence[Batch]] = []
        self._n_rows = 0
        self._n_taken = self._n_ended = 0
        self._is_urgent = False
        self._changed = Condition()
        self._closed = False
        self._thread: Thread | None = None

    def append(self, batches: Sequence[Batch]) -> None:
        """Take the batches of one request; returns at once."""
        with self._changed:
            self._waiting.append(batches)
            self._n_taken += 1
            self._n_rows += sum(one.rows.num_rows for one in batches)
            if self._thread is None:  # a process that never predicts has no thread for it
                self._thread = Thread(target=self._run, name="deferred log", daemon=True)
                self._thread.start()
            elif len(self._waiting) == 1 or self._n_rows >= MAX_WAITING_ROWS:
                self._changed.notify_all()

    def flush(self) -> None:
        """Log what waits now, and wait until it is in the log."""
        with self._changed:
            taken = self._n_taken
            self._is_urgent = bool(self._waiting)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._n_ended >= taken, FLUSH_SECONDS)

    def close(self) -> None:
        """Log what waits, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while group := self._collect():
            self._append(shared(group))

    def _append(self, group: Sequence[Sequence[Batch]]) -> None:
        self._log.append_together(group).add_done_callback(partial(self._appended, group))

    def _appended(
        self, group: Sequence[Sequence[Batch]], written: Future[Sequence[Receipt | LeewayError]]
    ) -> None:
        error = written.exception()
        if error is not None and len(group) > 1:  # one of them may spoil it for all
            for batches in group:
                self._append([batches])
            return
        if error is not None:
            self._failed(error)
        else:
            for one in written.result():
                if isinstance(one, LeewayError):
                    self._failed(one)
        with self._changed:
            self._n_ended += len(group)
            self._changed.notify_all()

    def _collect(self) -> list[Sequence[Batch]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(
                lambda: self._n_rows >= MAX_WAITING_ROWS or self._is_urgent or self._closed,
                GATHER_SECONDS,
            )
            self._is_urgent = False
            group, self._waiting, self._n_rows = self._waiting, [], 0
        return group


def shared(group: Sequence[Sequence[Batch]]) -> list[list[Batch]]:
    """Give the batches of a model one table: the log then looks at it once, not at each request.

    Parameters
    ----------
    group : sequence of sequence of Batch
        The batches of several requests.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> one = Batch("m", RowKind.PREDICTION, "1", None, datetime.now(UTC), pa.table({"x": [1, 2]}))
    >>> (first,), (second,) = shared([[one], [replace(one, start=1)]])
    >>> first.table is second.table, second.rows["x"].to_pylist()
    (True, [2])
    """
    alike: dict[tuple[str, RowKind], list[Batch]] = defaultdict(list)
    for batch in chain.from_iterable(group):
        others = alike[batch.model, batch.kind]
        if not others or others[0].table.schema.equals(batch.table.schema):
            others.append(batch)
    moved = {id(one): after for some in alike.values() for one, after in _joined(some)}
    return [[moved.get(id(batch), batch) for batch in batches] for batches in group]


def _joined(batches: Sequence[Batch]) -> Iterator[tuple[Batch, Batch]]:
    """Yield each batch, and the same with its rows in a table of all."""
    # A slice costs more than the rest.
    parts = [one.table if one.n_rows == one.table.num_rows else one.rows for one in batches]
    table, start = pa.concat_tables(parts).combine_chunks(), 0
    for batch in batches:
        stop = start + batch.n_rows
        yield batch, replace(batch, table=table, start=start, stop=stop)
        start = stop
