"""Reception: requests with rows; those that wait together are fitted and logged together.

One row fitted alone costs most of a millisecond, thirty of them together little more.
"""

import asyncio
import hashlib
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi.concurrency import run_in_threadpool

from monitor import intake
from monitor.arrival import Arrival, Taken
from monitor.batch import Batch, Receipt
from monitor.body import Body, read_body
from monitor.encoding import decoded
from monitor.errors import BatchRefusedError, BodyTooLargeError, LeewayError, NotFoundError
from monitor.intake import Sent
from monitor.ports import Champion
from monitor.schema import Schema
from monitor.services import MonitorServices

LARGE_BYTES = 256 << 10
"""A body of this size is taken in by itself, in a thread of its own."""

GROUP_BYTES = 1 << 20
"""A group takes no more bodies once it holds this much: those behind it wait for it."""

CHAMPION_SECONDS = 0.1
"""How long who is champion is not asked again."""

MAX_KEY_LENGTH = 200
"""Longer idempotency keys are a mistake, and too long for a database's index."""

Fit = Callable[[Body, Schema, intake.Request], list[Batch]]
FitTogether = Callable[[Sequence[Sent], Schema], list[list[Batch]]]


@dataclass(frozen=True)
class _Waiting:
    arrival: Arrival
    answer: "asyncio.Future[Taken]"


def receptions(services: MonitorServices) -> "dict[str, Reception]":
    """Return the receptions of the two kinds of rows, by the last part of their paths."""
    return {
        "predictions": Reception(services, intake.predictions_together),
        "labels": Reception(services, intake.labels_together),
    }


def take_one(services: MonitorServices, arrival: Arrival, fit: Fit) -> list[Batch]:
    """Turn one request into batches; what is refused is counted.

    Raises
    ------
    NotFoundError
        If the model is not watched.
    BatchRefusedError
        If the body cannot be stored.
    """
    champion, now = _champion(services, arrival.model), services.clock.now()
    n_rows = 1
    try:
        sent = _read(services, arrival, champion, now)
        n_rows = sent.body.n_rows
        batches = fit(sent.body, champion.reference.schema, sent.request)
        return _checked(services, batches)
    except BatchRefusedError as error:
        services.store.refuse(arrival.model, error.reason, n_rows, now)
        raise


class Reception:
    """Takes in the rows of one kind; made for one event loop.

    Parameters
    ----------
    services : MonitorServices
        What the doors open on.
    fit : callable
        Makes the batches of several requests to one model.
    """

    def __init__(self, services: MonitorServices, fit: FitTogether) -> None:
        self._services = services
        self._fit = fit
        self._waiting: deque[_Waiting] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._answers = _Answers()
        self._champions: dict[str, tuple[Champion, float]] = {}

    async def take(self, arrival: Arrival) -> Taken:
        """Take one request in; its rows are on disk when this returns.

        Raises
        ------
        LeewayError
            If it was refused, or nothing could be written.
        """
        one = _Waiting(arrival, asyncio.get_running_loop().create_future())
        if len(arrival.body) >= LARGE_BYTES or arrival.encoding:
            await run_in_threadpool(self._take, [one])
        else:
            self._waiting.append(one)
            if self._serving is None or self._serving.done():
                self._serving = asyncio.create_task(self._serve())
        return await one.answer

    async def _serve(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                # Here and not in a thread: the two would only wait for each other.
                self._take(group)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait for an answer
                for one in group:
                    self._answers.post(one.answer, error)
            # While these are written the next ones gather; the log answers in order.
            await asyncio.wait([group[-1].answer])

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        n_bytes = 0
        while self._waiting and n_bytes < GROUP_BYTES:
            group.append(self._waiting.popleft())
            n_bytes += len(group[-1].arrival.body)
        return group

    def _take(self, group: Iterable[_Waiting]) -> None:
        by_model: dict[str, list[_Waiting]] = defaultdict(list)
        for one in group:
            by_model[one.arrival.model].append(one)
        for model, ones in by_model.items():
            try:
                champion = self._champion(model)
            except LeewayError as error:
                for one in ones:
                    self._answers.post(one.answer, error)
            else:
                self._take_of_model(ones, champion, self._services.clock.now())

    def _champion(self, model: str) -> Champion:
        champion, until = self._champions.get(model, (None, 0.0))
        now = time.monotonic()
        if champion is None or now > until:
            champion = _champion(self._services, model)
            self._champions[model] = champion, now + CHAMPION_SECONDS
        return champion

    def _take_of_model(self, group: Iterable[_Waiting], champion: Champion, now: datetime) -> None:
        alike: dict[object, list[tuple[_Waiting, Sent]]] = defaultdict(list)
        for one in group:
            try:
                sent = _read(self._services, one.arrival, champion, now)
            except BatchRefusedError as error:
                self._refuse(one, 1, now, error)
            except BodyTooLargeError as error:
                self._answers.post(one.answer, error)
            else:
                alike[sent.body.likeness or one].append((one, sent))
        for pairs in alike.values():
            fitted = self._fitted([sent for _, sent in pairs], champion.reference.schema)
            for (one, sent), outcome in zip(pairs, fitted, strict=True):
                if isinstance(outcome, BatchRefusedError):
                    self._refuse(one, sent.body.n_rows, now, outcome)
                else:
                    self._append(one, outcome)

    def _fitted(
        self, sent: Sequence[Sent], schema: Schema
    ) -> list[list[Batch] | BatchRefusedError]:
        try:
            return [_checked(self._services, batches) for batches in self._fit(sent, schema)]
        except BatchRefusedError as error:
            if len(sent) == 1:
                return [error]
        # One of them spoils it for all: each by itself says which.
        return [self._fitted([one], schema)[0] for one in sent]

    def _append(self, one: _Waiting, batches: list[Batch]) -> None:
        def written(receipt: Future[Receipt]) -> None:
            error = receipt.exception()
            self._answers.post(one.answer, error or Taken(batches, receipt.result()))

        self._services.log.append(batches).add_done_callback(written)

    def _refuse(self, one: _Waiting, n_rows: int, now: datetime, error: BatchRefusedError) -> None:
        self._services.store.refuse(one.arrival.model, error.reason, n_rows, now)
        self._answers.post(one.answer, error)


class _Answers:
    """Carries answers from other threads to the event loop, all that are ready at once."""

    def __init__(self) -> None:
        self._ready: deque[tuple[asyncio.Future[Any], object]] = deque()

    def post(self, future: "asyncio.Future[Any]", outcome: object) -> None:
        """Answer a request with its outcome or error; from any thread."""
        self._ready.append((future, outcome))
        # Waking the loop costs more than an answer; whoever finds others ready has been announced.
        if len(self._ready) == 1:
            future.get_loop().call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        while self._ready:
            future, outcome = self._ready.popleft()
            if future.done():
                continue  # the client is gone
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _champion(services: MonitorServices, model: str) -> Champion:
    if model not in services.watcher.watched:
        raise NotFoundError("model", model)
    return services.references.at(model, services.clock.now())


def _read(services: MonitorServices, arrival: Arrival, champion: Champion, now: datetime) -> Sent:
    if arrival.key is not None and len(arrival.key) > MAX_KEY_LENGTH:
        raise BatchRefusedError(
            f"a key has at most {MAX_KEY_LENGTH} characters", field="Idempotency-Key"
        )
    request = intake.Request(
        arrival.model,
        arrival.key or uuid.uuid4().hex,
        hashlib.sha256(arrival.body).hexdigest(),
        now,
        champion.version,
    )
    body = decoded(arrival.body, arrival.encoding, services.max_body_bytes)
    return Sent(request, read_body(body, arrival.content_type, services.max_body_bytes))


def _checked(services: MonitorServices, batches: list[Batch]) -> list[Batch]:
    if services.on_schema_change(batches[0].model) == "refuse":
        intake.refuse_changes(batches)
    return batches
