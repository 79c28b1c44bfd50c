"""HTTP doors of retraining: predictions, versions and runs."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import pyarrow as pa
import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from prometheus_client import Histogram
from pydantic import BaseModel, ConfigDict

from monitor import intake
from monitor.arrival import Arrival, arrived
from monitor.batch import CHANCES, PREDICTION_ID, Batch
from monitor.body import Body
from monitor.checks.performance import DECISION_THRESHOLD
from monitor.errors import NotFoundError
from monitor.ports import Champion, Clock
from monitor.reception import take_one
from monitor.schema import Schema, Task
from monitor.services import MonitorServices
from retrain.aftermath import aftermath, standing
from retrain.card import card
from retrain.deferred import Deferred
from retrain.ports import Registry, Runs, Shadows
from retrain.record import BY_HAND, RequestKind
from retrain.serving import Served, Serving
from retrain.shadow import Shadowing

_log = structlog.get_logger("leeway.predict")

Document = dict[str, Any]


@dataclass(frozen=True)
class RetrainServices:
    """What retraining's doors open on.

    Parameters
    ----------
    monitor : MonitorServices
        Where predictions are logged.
    registry : Registry
        Versions.
    runs : Runs
        Requests and runs.
    serving : Serving
        Champions in memory.
    shadows : Shadows
        What came of versions beside the champion.
    shadowing : Shadowing
        Predicts with those beside the champion, too.
    deferred : Deferred
        Logs what was answered.
    predict_seconds : Histogram
        Time of a predict request, by model.
    """

    monitor: MonitorServices
    registry: Registry
    runs: Runs
    serving: Serving
    shadows: Shadows
    shadowing: Shadowing
    deferred: Deferred
    predict_seconds: Histogram

    @property
    def clock(self) -> Clock:
        """The present."""
        return self.monitor.clock


class Why(BaseModel):
    """Why a person asks for something."""

    model_config = ConfigDict(extra="forbid")

    why: str = "asked for by a person"


class RollBack(Why):
    """Where to go back to, and why."""

    version: int | None = None


def routes(services: RetrainServices) -> APIRouter:
    """Return retraining's routes."""
    router = APIRouter(prefix="/v1/models/{model}", tags=["retrain"])
    _add_predict(router, services)
    _add_runs(router, services)
    _add_versions(router, services)
    _add_moves(router, services)
    return router


def _add_predict(router: APIRouter, services: RetrainServices) -> None:
    log = services.monitor.log

    @router.post("/predict")
    async def predict(model: str, request: Request, *, durable: bool = False) -> Response:
        """Predict rows with the champion and log them.

        With ``durable=true`` the answer waits until the rows are on disk.
        """
        if model not in services.monitor.watcher.watched:
            raise NotFoundError("model", model)  # before it becomes a label of a metric
        arrival = arrived(model, await request.body(), request.headers.raw)
        with services.predict_seconds.labels(model).time():
            served, batches = await run_in_threadpool(_predict, services, arrival)
        services.shadowing.offer(batches[0])
        if durable:
            await asyncio.wrap_future(log.append(batches))
        else:
            services.deferred.append(batches)
        # Encoded here: FastAPI looks at each of many thousand values.
        answer = _answer(model, served, batches[0].rows)
        return Response(msgspec.json.encode(answer), media_type="application/json")


def _add_runs(router: APIRouter, services: RetrainServices) -> None:
    registry, runs, clock = services.registry, services.runs, services.clock

    @router.post("/retrain", status_code=202)
    def retrain(model: str, body: Why | None = None) -> Document:
        """Ask for a retrain run."""
        champion = registry.champion(model)
        why = (body or Why()).why
        number = runs.ask(model, RequestKind.RETRAIN, BY_HAND, why, clock.now())
        return {"request": number, "champion": champion}

    @router.get("/runs")
    def list_runs(model: str) -> list[Document]:
        """Every retrain run of a model, oldest first, without its details."""
        registry.champion(model)
        return [_without_details(run) for run in runs.runs(model)]

    @router.get("/trials")
    def list_trials(model: str) -> list[Document]:
        """Every trial whether a run would pay, oldest first, with its numbers."""
        registry.champion(model)
        return [dict(trial) for trial in runs.trials(model)]

    @router.get("/requests")
    def list_requests(model: str) -> list[Document]:
        """What is asked for and not done yet."""
        registry.champion(model)
        return [dict(request) for request in runs.open_requests(model)]

    @router.get("/runs/{run}")
    def show_run(model: str, run: int) -> Document:
        """One run: rows, candidates, comparison, outcome, what became of it and how to undo it."""
        found, probations = runs.run(model, run), services.monitor.history.probations(model)
        since = aftermath(found, standing(model, registry, runs, probations))
        undo = f"{since.undo.what}: {since.undo.command}" if since.undo else None
        return {**found, "since": since.sentence, "undo": undo}


def _add_versions(router: APIRouter, services: RetrainServices) -> None:
    registry = services.registry

    @router.get("/versions")
    def list_versions(model: str) -> list[Document]:
        """Every version of a model, oldest first, with its aliases; the champion is marked."""
        registry.champion(model)  # NotFoundError
        aliases = registry.aliases(model)
        return [
            {
                **asdict(version),
                "champion": version.number == aliases["champion"],
                "aliases": [name for name, number in aliases.items() if number == version.number],
            }
            for version in registry.versions(model)
        ]

    @router.get("/versions/{version}/model")
    def model_file(model: str, version: int) -> FileResponse:
        """The skops file of a version, with its SHA-256 and its bundle's in headers."""
        file = registry.model_file(model, version)
        headers = {"X-Model-SHA256": file.sha256, "X-Bundle-SHA256": file.bundle_sha256}
        return FileResponse(file.path, filename=f"{model}-{version}.skops", headers=headers)

    @router.get("/versions/{version}/card")
    def model_card(model: str, version: int) -> Response:
        """What a version is, of what it was made and how good it is, in Markdown."""
        return Response(card(registry.load(model, version)), media_type="text/markdown")


def _add_moves(router: APIRouter, services: RetrainServices) -> None:
    registry, clock = services.registry, services.clock

    @router.get("/probations")
    def list_probations(model: str) -> list[Document]:
        """Every probation of a promoted version, oldest first, with its evidence."""
        return [dict(one) for one in services.monitor.history.probations(model)]

    @router.get("/shadows")
    def list_shadows(model: str) -> list[Document]:
        """What every version beside a champion has made of live rows, in order of their numbers."""
        registry.champion(model)
        return [{**asdict(one), "sentence": one.sentence} for one in services.shadows.all(model)]

    @router.post("/versions/{version}/promote")
    def promote(model: str, version: int, body: Why | None = None) -> Document:
        """Make a version the champion."""
        registry.promote(model, version, clock.now(), (body or Why()).why)
        return {"model": model, "champion": version}

    @router.post("/rollback")
    def roll_back(model: str, body: RollBack | None = None) -> Document:
        """Go back to the predecessor, or to a version named, with its reference."""
        asked = body or RollBack()
        version = registry.roll_back(model, clock.now(), asked.why, asked.version)
        return {"model": model, "champion": version}


def _predict(services: RetrainServices, arrival: Arrival) -> tuple[Served, list[Batch]]:
    served = services.serving.champion(arrival.model)

    def fit(raw: Body, _schema: Schema, known: intake.Request) -> list[Batch]:
        # Version and schema are those of the model in memory: one answer never mixes two.
        known = intake.Request(**{**vars(known), "champion": served.version})
        return intake.predictions(raw, served.schema, known, predict=served.columns)

    bundle = served.bundle
    champion = Champion(served.version, bundle.reference, bundle.lineage.trained_until)
    return served, take_one(services.monitor, arrival, fit, champion)


def _answer(model: str, served: Served, rows: pa.Table) -> Document:
    """Return what was predicted; classes beside probabilities, and the other way round."""
    schema, predictions = served.schema, rows.column(served.schema.prediction).to_pylist()
    answer = {
        "model": model,
        "version": served.version,
        "prediction_ids": rows.column(PREDICTION_ID).to_pylist(),
        "predictions": predictions,
    }
    if schema.task is Task.BINARY:
        negative = next(name for name in schema.classes if name != schema.positive)
        answer["positive_class"] = schema.positive
        answer["classes"] = [
            schema.positive if one >= DECISION_THRESHOLD else negative for one in predictions
        ]
    if CHANCES in rows.column_names:
        each = zip(*rows.column(CHANCES).to_pylist(), strict=True)
        answer["probabilities"] = {n: list(of) for n, of in zip(schema.classes, each, strict=True)}
    return answer


def report(error: BaseException) -> None:
    """Say in the server's log that predictions were answered and could not be logged."""
    _log.error("predictions were answered but not logged", error=str(error))


def _without_details(run: Mapping[str, Any]) -> Document:
    return {name: value for name, value in run.items() if name != "details"}
