"""HTTP doors of the watch: rows in, verdicts out."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from monitor.adapters.history import Document
from monitor.arrival import arrived
from monitor.reception import Reception
from monitor.services import MonitorServices


class Closing(BaseModel):
    """Why a person closes an incident."""

    model_config = ConfigDict(extra="forbid")

    why: str = "the data are right, a person says"


def routes(services: MonitorServices, receptions: Mapping[str, Reception]) -> APIRouter:
    """Return the watch's routes; receptions are those of predictions and labels."""
    router = APIRouter(prefix="/v1", tags=["monitor"])
    _add_logging(router, receptions)
    _add_reading(router, services)
    _add_judging(router, services)
    return router


def _add_logging(router: APIRouter, receptions: Mapping[str, Reception]) -> None:
    @router.post("/models/{model}/predictions", status_code=202)
    async def log_predictions(model: str, request: Request) -> Response:
        """Log predictions made elsewhere; they are on disk when this answers."""
        return await _take("predictions", model, request)

    @router.post("/models/{model}/labels", status_code=202)
    async def log_labels(model: str, request: Request) -> Response:
        """Log labels, joined with their predictions by id; they are on disk when this answers."""
        return await _take("labels", model, request)

    async def _take(kind: str, model: str, request: Request) -> Response:
        arrival = arrived(model, await request.body(), request.headers.raw)
        taken = await receptions[kind].take(arrival)
        return Response(taken.document(), 202, media_type="application/json")


def _add_reading(router: APIRouter, services: MonitorServices) -> None:
    history = services.history

    @router.get("/models")
    def list_models() -> list[Document]:
        """Every model with its newest window and open alerts."""
        return list(history.models())

    @router.get("/models/{model}")
    def show_model(model: str) -> Document:
        """One model: its newest window, open alerts, what judges its drift, how estimates did."""
        found, kept = history.model(model), history.track_record(model)
        found["uncalibrated"] = services.watcher.uncalibrated(model) or None
        found["estimates"] = asdict(kept) if kept else None
        return found

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


def _add_judging(router: APIRouter, services: MonitorServices) -> None:
    @router.post("/models/{model}/incidents/{incident}/close")
    def close_incident(model: str, incident: int, asked: Closing | None = None) -> Document:
        """Close an incident: the data are as they should be, whatever the checks say."""
        services.history.model(model)
        why = (asked or Closing()).why
        services.store.close_incident(model, incident, services.clock.now(), why)
        return {"incident": incident, "why": why}

    @router.post("/models/{model}/checks")
    def check(model: str) -> list[dict[str, Any]]:
        """Judge now what is due, and send what there is to tell; returns what was judged."""
        services.flush()  # who has been answered here expects these rows to be judged
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
