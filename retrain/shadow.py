"""Shadow: a champion's predecessor predicts the same rows, beside the way of the answer."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from threading import Condition, Thread

import pyarrow as pa
import structlog

from monitor.batch import (
    EVENT_AT,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    Batch,
    Receipt,
    RowKind,
)
from monitor.ports import Log
from monitor.probation import Probation
from retrain.ports import Registry
from retrain.serving import Served

_log = structlog.get_logger("leeway.shadow")

MAX_WAITING_ROWS = 100_000
"""Beyond this many waiting rows more are dropped: the answers have the machine first."""

GATHER_SECONDS = 0.1
"""How long rows gather: a hundred rows predicted together cost little more than one."""

PROBATION_SECONDS = 1.0
"""How long who is on probation is not asked again."""


class Shadowing:
    """Takes rows that were answered, and logs what the predecessor predicts for them.

    Nothing waits for it: what it cannot take, or cannot log, is dropped and counted.

    Parameters
    ----------
    registry : Registry
        Where the predecessor is.
    probation : callable
        Says which champion is on probation, by model.
    log : Log
        Where the rows go.
    dropped : callable
        Told the model and the number of rows that were dropped.
    """

    def __init__(
        self,
        registry: Registry,
        probation: Callable[[str], Probation | None],
        log: Log,
        dropped: Callable[[str, int], object] = lambda *_: None,
    ) -> None:
        self._registry = registry
        self._ask = probation
        self._log = log
        self._dropped = dropped
        self._waiting: deque[Batch] = deque()
        self._n_waiting_rows = 0
        self._changed = Condition()
        self._closed = False
        self._thread: Thread | None = None
        self._probations: dict[str, tuple[Probation | None, float]] = {}
        self._predecessors: dict[str, Served] = {}

    def offer(self, batch: Batch) -> None:
        """Take rows that were predicted by the champion; returns at once."""
        known, until = self._probations.get(batch.model, (None, 0.0))
        if known is None and time.monotonic() <= until:
            return  # nobody is on probation: the thread need not wake for these rows
        with self._changed:
            if self._closed or self._n_waiting_rows + batch.rows.num_rows > MAX_WAITING_ROWS:
                self._dropped(batch.model, batch.rows.num_rows)
                return
            self._waiting.append(batch)
            self._n_waiting_rows += batch.rows.num_rows
            if self._thread is None:  # a process that never predicts has no thread for it
                self._thread = Thread(target=self._run, name="shadow", daemon=True)
                self._thread.start()
            elif len(self._waiting) == 1:
                self._changed.notify()

    def close(self) -> None:
        """Log what waits, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def shadow(self, batches: Sequence[Batch]) -> list[Future[Receipt]]:
        """Log now what the predecessor predicts for rows of one model."""
        return self._predict(batches, self._ask(batches[0].model))

    def _predict(
        self, batches: Sequence[Batch], probation: Probation | None
    ) -> list[Future[Receipt]]:
        if probation is None:
            return []
        model = batches[0].model
        mine = [one for one in batches if _is_of(one, probation.version)]
        if not mine:
            return []
        served = self._predecessor(model, probation.predecessor)
        rows = pa.concat_tables([one.rows for one in mine], promote_options="permissive")
        made, start, written = served.predict(rows), 0, []
        for batch in mine:
            part = made.slice(start, batch.rows.num_rows)
            start += batch.rows.num_rows
            future = self._log.append([_shadow_of(batch, served, part)])
            future.add_done_callback(partial(self._count, model, batch.rows.num_rows))
            written.append(future)
        return written

    def _run(self) -> None:
        while group := self._collect():
            for model in dict.fromkeys(one.model for one in group):
                self._shadow([one for one in group if one.model == model])

    def _collect(self) -> list[Batch]:
        """Wait for rows and take all of them; none means that it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(lambda: self._closed, GATHER_SECONDS)
            group = list(self._waiting)
            self._waiting.clear()
            self._n_waiting_rows = 0
        return group

    def _shadow(self, batches: Sequence[Batch]) -> None:
        model = batches[0].model
        try:
            self._predict(batches, self._probation(model))
        except Exception:  # noqa: BLE001 - a predecessor that cannot predict must not end the thread
            _log.exception("the predecessor could not predict", model=model)
            self._dropped(model, sum(one.rows.num_rows for one in batches))

    def _count(self, model: str, n_rows: int, written: Future[Receipt]) -> None:
        if written.exception() is not None:
            self._dropped(model, n_rows)

    def _probation(self, model: str) -> Probation | None:
        known, until = self._probations.get(model, (None, 0.0))
        now = time.monotonic()
        if now > until:
            known = self._ask(model)
            self._probations[model] = known, now + PROBATION_SECONDS
        return known

    def _predecessor(self, model: str, version: int) -> Served:
        known = self._predecessors.get(model)
        if known is None or known.version != version:
            known = Served(version, self._registry.load(model, version))
            self._predecessors[model] = known
        return known


def _is_of(batch: Batch, version: int) -> bool:
    versions = batch.rows.column(MODEL_VERSION)
    return bool(batch.rows.num_rows) and bool(versions[0].as_py() == version)


def _shadow_of(batch: Batch, served: Served, predictions: pa.Array) -> Batch:
    """Return the shadow rows of a batch: no features, the row that they shadow has them."""
    rows = batch.rows.select([PREDICTION_ID, EVENT_AT, RECEIVED_AT])
    dtype = batch.rows.schema.field(MODEL_VERSION).type
    versions = pa.array([served.version] * rows.num_rows, dtype)
    rows = rows.append_column(served.schema.prediction, predictions)
    rows = rows.append_column(MODEL_VERSION, versions)
    return replace(batch, kind=RowKind.SHADOW, table=rows, changes=(), start=0, stop=None)
