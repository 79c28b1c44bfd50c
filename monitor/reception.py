"""Reception: requests with rows; those that wait together are fitted and logged together.

One row fitted alone costs most of a millisecond, thirty of them together little more.
"""

import asyncio
import hashlib
import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from monitor import intake
from monitor.arrival import Arrival, Taken
from monitor.batch import Batch
from monitor.body import Body, as_body, read_rows
from monitor.encoding import decoded
from monitor.errors import BatchRefusedError, BodyTooLargeError, LeewayError, NotFoundError
from monitor.intake import Sent
from monitor.ports import Champion
from monitor.rows import Rows
from monitor.schema import Schema
from monitor.services import MonitorServices

LARGE_BYTES = 256 << 10
"""A body of this size is taken in by itself, in a thread of its own."""

GROUP_BYTES = 1 << 20
"""A group takes no more bodies once it holds this much: those behind it wait for it."""

GATHER_SECONDS = 0.001
"""How long a group that is smaller than the one before waits for more requests."""

CHAMPION_SECONDS = 0.1
"""How long who is champion is not asked again."""

_PROCESS, _NUMBERS = secrets.token_hex(12), count(1 << 28)
"""What request ids are made of where the client has none: as good as a UUID, at a tenth of it."""

MAX_KEY_LENGTH = 200
"""Longer idempotency keys are a mistake, and too long for a database's index."""

Fit = Callable[[Body, Schema, intake.Request], list[Batch]]
FitTogether = Callable[[Sequence[Sent], Schema], list[list[Batch]]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: Arrival
    answer: "asyncio.Future[Taken]"

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless the client is gone."""
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a request that was fitted."""

    request: _Waiting
    found: list[Batch] | LeewayError
    n_rows: int


@dataclass
class _Known:
    """What is remembered of a model from one group to the next."""

    champion: Champion
    until: float
    names: tuple[str, ...] = ()


def receptions(services: MonitorServices) -> "dict[str, Reception]":
    """Return the receptions of the two kinds of rows, by the last part of their paths."""
    return {
        "predictions": Reception(services, intake.predictions_together),
        "labels": Reception(services, intake.labels_together),
    }


def take_one(
    services: MonitorServices, arrival: Arrival, fit: Fit, champion: Champion | None = None
) -> list[Batch]:
    """Turn one request into batches, for a champion that is known already or looked up.

    What is refused is counted. It may block.

    Raises
    ------
    NotFoundError
        If the model is not watched.
    BatchRefusedError
        If the body cannot be stored.
    """
    champion, now = champion or _champion(services, arrival.model), services.clock.now()
    n_rows = 1
    try:
        sent = _read(services, arrival, champion, now)
        n_rows = sent.rows.n_rows
        body = as_body(sent.rows) if isinstance(sent.rows, Rows) else sent.rows
        return _checked(services, fit(body, champion.reference.schema, sent.request))
    except BatchRefusedError as error:
        services.store.refuse(arrival.model, error.reason, n_rows, now)
        raise


class Reception:
    """Takes in the rows of one kind; made for one event loop, on which it never blocks.

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
        self._n_last = 0
        self._all_back = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._models: dict[str, _Known] = {}

    async def take(self, arrival: Arrival) -> Taken:
        """Take one request in; its rows are on disk when this returns.

        Raises
        ------
        LeewayError
            If it was refused, or nothing could be written.
        """
        if len(arrival.body) >= LARGE_BYTES or arrival.encoding:
            batches = await asyncio.to_thread(take_one, self._services, arrival, self._fit_one)
            return Taken(batches, await asyncio.wrap_future(self._services.log.append(batches)))
        one = _Waiting(arrival, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if len(self._waiting) >= self._n_last:
            self._all_back.set()
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await one.answer

    async def _serve(self) -> None:
        while self._waiting:
            await self._gather()
            group = self._next_group()
            try:
                await self._take(group)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait for an answer
                for one in group:
                    one.fail(error)

    async def _gather(self) -> None:
        """Let come who was just answered and is about to send more: a group costs what one does."""
        n_seen = 0
        while n_seen < len(self._waiting) < self._n_last:
            n_seen = len(self._waiting)
            self._all_back.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_back.wait(), GATHER_SECONDS)

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        n_bytes = 0
        while self._waiting and n_bytes < GROUP_BYTES:
            group.append(self._waiting.popleft())
            n_bytes += len(group[-1].arrival.body)
        self._n_last = len(group)
        return group

    async def _take(self, group: Iterable[_Waiting]) -> None:
        by_model: dict[str, list[_Waiting]] = defaultdict(list)
        for one in group:
            by_model[one.arrival.model].append(one)
        outcomes: list[_Outcome] = []
        for model, ones in by_model.items():
            try:
                known = await self._known(model)
            except LeewayError as error:
                outcomes += [_Outcome(one, error, 0) for one in ones]
            else:
                # Here and not in a thread: it would only wait for the loop, and the loop for it.
                outcomes += self._fit_all(ones, known)
        try:
            await self._log([one for one in outcomes if isinstance(one.found, list)])
        finally:
            await self._refuse([one for one in outcomes if not isinstance(one.found, list)])

    async def _known(self, model: str) -> _Known:
        known, now = self._models.get(model), time.monotonic()
        if known is None or now > known.until:
            champion = await asyncio.to_thread(_champion, self._services, model)
            names = known.names if known else ()
            known = self._models[model] = _Known(champion, now + CHAMPION_SECONDS, names)
        return known

    def _fit_all(self, ones: Iterable[_Waiting], known: _Known) -> Iterator[_Outcome]:
        """Fit requests to one model; those that are alike together."""
        now = self._services.clock.now()
        alike: dict[object, list[tuple[_Waiting, Sent]]] = defaultdict(list)
        for one in ones:
            try:
                sent = _read(self._services, one.arrival, known.champion, now, known.names)
            except (BatchRefusedError, BodyTooLargeError) as error:
                yield _Outcome(one, error, 1)
            else:
                likeness: object = id(one)
                if isinstance(sent.rows, Rows):
                    likeness = known.names = sent.rows.names
                alike[likeness].append((one, sent))
        for pairs in alike.values():
            found = self._fitted([sent for _, sent in pairs], known.champion.reference.schema)
            for (one, sent), outcome in zip(pairs, found, strict=True):
                yield _Outcome(one, outcome, sent.rows.n_rows)

    def _fit_one(self, body: Body, schema: Schema, request: intake.Request) -> list[Batch]:
        return self._fit([Sent(request, body)], schema)[0]

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

    async def _log(self, fitted: Sequence[_Outcome]) -> None:
        requests = [one.found for one in fitted if isinstance(one.found, list)]
        if not requests:
            return
        receipts = await asyncio.wrap_future(self._services.log.append_together(requests))
        for one, batches, receipt in zip(fitted, requests, receipts, strict=True):
            if isinstance(receipt, LeewayError):
                one.request.fail(receipt)
            elif not one.request.answer.done():
                one.request.answer.set_result(Taken(batches, receipt))

    async def _refuse(self, refused: Sequence[_Outcome]) -> None:
        if any(isinstance(one.found, BatchRefusedError) for one in refused):
            await asyncio.to_thread(self._count, refused, self._services.clock.now())
        for one in refused:
            if isinstance(one.found, LeewayError):
                one.request.fail(one.found)

    def _count(self, refused: Sequence[_Outcome], now: datetime) -> None:
        n_rows: Counter[tuple[str, str]] = Counter()
        for one in refused:
            if isinstance(one.found, BatchRefusedError):
                n_rows[one.request.arrival.model, one.found.reason] += one.n_rows
        for (model, reason), number in n_rows.items():
            self._services.store.refuse(model, reason, number, now)


def _champion(services: MonitorServices, model: str) -> Champion:
    if model not in services.watcher.watched:
        raise NotFoundError("model", model)
    return services.references.at(model, services.clock.now())


def _read(
    services: MonitorServices,
    arrival: Arrival,
    champion: Champion,
    now: datetime,
    names: tuple[str, ...] = (),
) -> Sent:
    if arrival.key is not None and len(arrival.key) > MAX_KEY_LENGTH:
        raise BatchRefusedError(
            f"a key has at most {MAX_KEY_LENGTH} characters", field="Idempotency-Key"
        )
    if arrival.key is None:
        known, digest = f"{_PROCESS}{next(_NUMBERS):x}", None
    else:
        known, digest = arrival.key, hashlib.sha256(arrival.body).hexdigest()
    request = intake.Request(arrival.model, known, digest, now, champion.version)
    body = decoded(arrival.body, arrival.encoding, services.max_body_bytes)
    rows = read_rows(body, arrival.content_type, services.max_body_bytes, names)
    return Sent(request, rows)


def _checked(services: MonitorServices, batches: list[Batch]) -> list[Batch]:
    if services.on_schema_change(batches[0].model) == "refuse":
        intake.refuse_changes(batches)
    return batches
