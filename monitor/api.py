"""HTTP doors of the watch: rows in, verdicts out."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from monitor import intake
from monitor.adapters.history import Document, History
from monitor.adapters.sql_store import SqlStore
from monitor.batch import PREDICTION_ID, Batch, Receipt
from monitor.body import Body, read_body
from monitor.errors import BatchRefusedError, NotFoundError
from monitor.ports import Log, References
from monitor.scheduler import Watcher
from monitor.schema import Schema


@dataclass(frozen=True)
class MonitorServices:
    """What the watch's doors open on.

    Parameters
    ----------
    watcher : Watcher
        Judges what is due.
    history : History
        What has been recorded.
    store : SqlStore
        Counts what is refused.
    on_schema_change : callable
        ``accept`` or ``refuse``, by model.
    """

    watcher: Watcher
    history: History
    store: SqlStore
    on_schema_change: Callable[[str], str]

    @property
    def log(self) -> Log:
        """The prediction log."""
        return self.watcher.world.log

    @property
    def references(self) -> References:
        """The champions' references."""
        return self.watcher.world.references


def digest_of(body: bytes) -> str:
    """Return what tells two bodies of one request id apart."""
    return hashlib.sha256(body).hexdigest()


def taken_in(
    services: MonitorServices,
    model: str,
    request: Request,
    body: bytes,
    fit: Callable[[Body, Schema, intake.Request], list[Batch]],
) -> list[Batch]:
    """Turn a body into batches; what is refused is counted.

    Raises
    ------
    NotFoundError
        If the model is not watched.
    BatchRefusedError
        If the body cannot be stored.
    """
    if model not in services.watcher.watched:
        raise NotFoundError("model", model)
    now = services.watcher.world.clock.now()
    champion = services.references.at(model, now)
    request_id = request.headers.get("idempotency-key") or uuid.uuid4().hex
    known = intake.Request(model, request_id, digest_of(body), now, champion.version)
    raw: Body | None = None
    try:
        raw = read_body(body, request.headers.get("content-type", ""))
        batches = fit(raw, champion.reference.schema, known)
        if services.on_schema_change(model) == "refuse":
            intake.refuse_changes(batches)
    except BatchRefusedError as error:
        services.store.refuse(model, error.reason, raw.n_rows if raw else 1, now)
        raise
    return batches


def routes(services: MonitorServices) -> APIRouter:
    """Return the watch's routes."""
    router = APIRouter(prefix="/v1", tags=["monitor"])
    _add_logging(router, services)
    _add_reading(router, services)
    return router


def _add_logging(router: APIRouter, services: MonitorServices) -> None:
    log = services.log

    async def append(batches: Sequence[Batch]) -> Receipt:
        # The writer resolves the future once the rows are on disk.
        return await asyncio.wrap_future(log.append(batches))

    @router.post("/models/{model}/predictions", status_code=202)
    async def log_predictions(model: str, request: Request) -> Document:
        """Log predictions made elsewhere; they are on disk when this answers."""
        body = await request.body()
        batches = await run_in_threadpool(
            taken_in, services, model, request, body, intake.predictions
        )
        receipt = await append(batches)
        ids = batches[0].rows.column(PREDICTION_ID).to_pylist()
        return {"acknowledged": receipt.n_rows, "repeated": receipt.repeated, "prediction_ids": ids}

    @router.post("/models/{model}/labels", status_code=202)
    async def log_labels(model: str, request: Request) -> Document:
        """Log labels, joined with their predictions by id; they are on disk when this answers."""
        body = await request.body()

        def fit(raw: Body, schema: Schema, known: intake.Request) -> list[Batch]:
            return [intake.labels(raw, schema, known)]

        batches = await run_in_threadpool(taken_in, services, model, request, body, fit)
        receipt = await append(batches)
        return {"acknowledged": receipt.n_rows, "repeated": receipt.repeated}


def _add_reading(router: APIRouter, services: MonitorServices) -> None:
    history = services.history

    @router.get("/models")
    def list_models() -> list[Document]:
        """Every model with its newest window and open alerts."""
        return list(history.models())

    @router.get("/models/{model}")
    def show_model(model: str) -> Document:
        """One model with its newest window and open alerts."""
        return history.model(model)

    @router.get("/models/{model}/windows")
    def list_windows(model: str) -> list[Document]:
        """Every window of a model in its latest revision, oldest first."""
        return list(history.windows(model))

    @router.get("/models/{model}/windows/{window}")
    def show_window(model: str, window: str) -> Document:
        """One window with its scores and all its revisions."""
        return history.window(model, window)

    @router.get("/models/{model}/alerts")
    def list_alerts(model: str) -> list[Document]:
        """Every alert of a model, oldest first."""
        return list(history.alerts(model))

    @router.post("/models/{model}/checks")
    def check(model: str) -> list[dict[str, Any]]:
        """Judge now what is due, and send what there is to tell; returns what was judged."""
        judged = services.watcher.check(model)
        services.watcher.deliver()
        return [
            {
                "id": one.window.key,
                "revision": one.revision,
                "status": one.verdict.status,
                "diagnosis": one.diagnosis.kind,
            }
            for one in judged
        ]
