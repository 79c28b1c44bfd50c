"""HTTP doors of the pages: all models, one model, window or run; what to do about an alert."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from dashboards.pages.account import Account
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
from retrain.aftermath import aftermath, standing
from retrain.live import Live
from retrain.ports import Registry, Runs, Shadows

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
    shadows : Shadows
        What came of versions beside the champion.
    policies : mapping of str to PerformancePolicy
        The metric that decides, by model.
    uncalibrated : callable
        Says why a model's drift is not judged by its alert budget; empty where it is.
    runbooks : Path
        Folder of the runbooks.
    """

    history: History
    registry: Registry
    runs: Runs
    shadows: Shadows
    policies: Mapping[str, PerformancePolicy]
    uncalibrated: Callable[[str], str]
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
            why_uncalibrated=services.uncalibrated(model),
            estimates=history.track_record(model),
            alerts=history.alerts(model),
            versions=registry.versions(model),
            aliases=registry.aliases(model),
            live=_live(services, model),
            undo=undo(model, str(request.base_url)),
        )

    _add_details(router, services)
    _add_runbooks(router, services.runbooks)
    return router


def _add_details(router: APIRouter, services: PageServices) -> None:
    history = services.history

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
            runs=_asked_by(services.runs, model, key),
            before=windows[index - 1] if index else None,
            after=windows[index + 1] if index + 1 < len(windows) else None,
        )

    @router.get("/models/{model}/runs/{run}")
    def show_run(request: Request, model: str, run: int) -> HTMLResponse:
        one = _account(services, history.model(model)["model"], run)
        former = one.since.undo.version if one.since.undo else None
        call = undo(model, str(request.base_url), former).call
        return page("run.html", one=one, call=call)


def _add_runbooks(router: APIRouter, folder: Path) -> None:
    @router.get("/runbooks")
    def list_runbooks() -> HTMLResponse:
        return page("runbook.html", alert=None, text=runbook(folder, "README"))

    @router.get("/runbooks/{alert}")
    def show_runbook(alert: str) -> HTMLResponse:
        return page("runbook.html", alert=alert, text=runbook(folder, alert))


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


def _account(services: PageServices, model: str, number: int) -> Account:
    """Read what is stored of a run, and of what came before and after it."""
    registry, runs = services.registry, services.runs
    run, numbers = runs.run(model, number), [one["id"] for one in runs.runs(model)]
    place = numbers.index(number)
    asked = (one for one in runs.requests(model) if one["id"] == run["request_id"])
    probations = services.history.probations(model)
    return Account(
        run,
        aftermath(run, standing(model, registry, runs, probations)),
        next(asked, None),
        {version.number: version for version in registry.versions(model)},
        before=numbers[place - 1] if place else None,
        after=numbers[place + 1] if place + 1 < len(numbers) else None,
    )


def _asked_by(runs: Runs, model: str, window: str) -> list[Document]:
    """Return the runs that a window has led to, oldest first."""
    asked = {one["id"] for one in runs.requests(model) if one["window_key"] == window}
    return [dict(run) for run in runs.runs(model) if run["request_id"] in asked]


def _champion(registry: Registry, model: str) -> int | None:
    try:
        return registry.champion(model)
    except NotFoundError:
        return None


def _live(services: PageServices, model: str) -> Live | None:
    """Return what the challenger has made of live rows; None where there is none, or no row."""
    if _champion(services.registry, model) is None:
        return None
    beside = services.shadows.beside(model)
    if beside is None or beside.challenger is None:
        return None
    return services.shadows.of(model, beside.challenger, beside.champion)


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
