"""HTTP doors of the pages: all models, one model, one window; what to do about an alert."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from dashboards.pages.overview import MOST_WINDOWS, overview, spoken_of
from dashboards.pages.page import page
from dashboards.pages.record import Record, decides
from dashboards.pages.runbook import runbook
from dashboards.pages.sentence import excess
from dashboards.pages.undo import undo
from monitor.adapters.history import History
from monitor.checks.fall import PerformancePolicy
from monitor.checks.score import Status
from monitor.errors import NotFoundError
from retrain.ports import Registry, Runs

FEW_MODELS = 6
"""Up to this many models each is shown in full; of more, only those that need someone."""

Document = dict[str, Any]


@dataclass(frozen=True)
class PageServices:
    """What the pages read.

    Parameters
    ----------
    history : History
        Windows, verdicts and decisions.
    registry : Registry
        Versions.
    runs : Runs
        Retrain runs.
    policies : mapping of str to PerformancePolicy
        The metric that decides, by model.
    runbooks : Path
        Folder of the runbooks.
    """

    history: History
    registry: Registry
    runs: Runs
    policies: Mapping[str, PerformancePolicy]
    runbooks: Path


def routes(services: PageServices) -> APIRouter:
    """Return the pages' routes."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    history, registry = services.history, services.registry

    @router.get("/")
    def show_models(refresh: Annotated[int | None, Query(ge=5, le=86400)] = None) -> HTMLResponse:
        models = [overview(_record(services, model)) for model in history.models()]
        models.sort(key=lambda one: one.urgency)
        return page("models.html", models=models, refresh=refresh, few=len(models) <= FEW_MODELS)

    @router.get("/models/{model}")
    def show_model(request: Request, model: str) -> HTMLResponse:
        record = _record(services, history.model(model))
        return page(
            "model.html",
            one=overview(record, MOST_WINDOWS),
            alerts=history.alerts(model),
            versions=registry.versions(model),
            undo=undo(model, str(request.base_url)),
        )

    @router.get("/models/{model}/windows/{key}")
    def show_window(model: str, key: str) -> HTMLResponse:
        window = history.window(model, key)
        windows = history.windows(model)
        index = window["index"]
        return page(
            "window.html",
            model=model,
            window=window,
            decided=next(filter(decides, reversed(window["revisions"])), window),
            checks=_by_check(window["scores"]),
            before=windows[index - 1] if index else None,
            after=windows[index + 1] if index + 1 < len(windows) else None,
        )

    @router.get("/runbooks")
    def list_runbooks() -> HTMLResponse:
        return page("runbook.html", alert=None, text=runbook(services.runbooks, "README"))

    @router.get("/runbooks/{alert}")
    def show_runbook(alert: str) -> HTMLResponse:
        return page("runbook.html", alert=alert, text=runbook(services.runbooks, alert))

    return router


def _record(services: PageServices, model: Document) -> Record:
    """Read what is stored of a model; in full only the windows that are spoken of."""
    name, history = model["model"], services.history
    policy = services.policies.get(name)
    record = Record(
        model=model,
        windows=history.windows(name),
        runs=services.runs.runs(name),
        requests=services.runs.open_requests(name),
        trial=services.runs.newest_trial(name),
        champion=_champion(services.registry, name),
        metric=policy.metric if policy else None,
        probations=history.probations(name),
    )
    details = {key: history.window(name, key) for key in spoken_of(record)}
    return replace(record, details=details)


def _champion(registry: Registry, model: str) -> int | None:
    try:
        return registry.champion(model)
    except NotFoundError:
        return None


def _by_check(scores: list[Document]) -> dict[str, list[Document]]:
    """Group scores by check, the worst check and in it the worst score first."""
    ordered = sorted(scores, key=lambda s: (_WEIGHT[s["status"]], -excess(s)))
    return {
        check: [score for score in ordered if score["check"] == check]
        for check in dict.fromkeys(score["check"] for score in ordered)
    }


_WEIGHT = {
    status: place
    for place, status in enumerate(
        (Status.BREACH, Status.ERROR, Status.WARNING, Status.OK, Status.NO_DATA)
    )
}
