"""App: a process of a deployment, its doors and what ticks behind them."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from apscheduler.schedulers.base import BaseScheduler
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp

import monitor.api
import retrain.api
from dashboards.pages import routes as pages
from leeway import problems
from leeway.config import Environment
from leeway.deployment import Deployment
from leeway.guard import BodyLimit
from leeway.lane import IngestLane
from leeway.machine_doors import add_machine_doors, database_metrics, guarded
from leeway.shipped_files import shipped
from leeway.supervisor import Supervisor
from leeway.swagger import add_swagger
from monitor.adapters.history import History
from monitor.adapters.locks import leader
from monitor.collector import Collector
from monitor.ports import Leader
from monitor.reception import Reception, receptions
from monitor.scheduler import Watcher, scheduler
from monitor.services import MonitorServices
from retrain.deferred import Deferred
from retrain.serving import Serving
from retrain.shadow import Shadowing


def api(deployment: Deployment, environment: Environment, role: str) -> ASGIApp:
    """Build the HTTP application of a process.

    Parameters
    ----------
    deployment : Deployment
        Opened, with all first versions in place.
    environment : Environment
        The API key.
    role : str
        ``all`` also ticks and keeps a worker; ``api`` only answers; ``scheduler`` only ticks, and
        answers health and metrics.
    """
    watcher, worker = deployment.watcher(), Supervisor(deployment.file)
    metrics = database_metrics(deployment.exported(watcher))
    serving, models = Serving(deployment.registry), deployment.config.models
    shadowing = deployment.shadowing(serving, _counting_dropped(metrics, models))
    deferred = Deferred(deployment.log, retrain.api.report)
    parts = _Parts(
        deployment,
        watcher,
        shadowing,
        deferred,
        serving,
        worker if role == "all" else None,
    )
    app = FastAPI(
        title="Leeway",
        summary="Drift monitoring and retraining for deployed models",
        lifespan=_lifespan(parts, role),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    add_swagger(app)
    problems.install(app)
    if role == "all":
        # The worker has no port of its own here: its memory and time are shown beside ours.
        ProcessCollector("leeway_worker", lambda: worker.pid, registry=metrics)
    doors: ASGIApp = app
    if role != "scheduler":
        # Around the framework and not in it: its layers cost as much as the lane itself.
        lane = IngestLane(app, _mount_doors(app, parts, metrics))
        doors = BodyLimit(lane, deployment.config.max_body_bytes)
    add_machine_doors(app, metrics, deployment.registry.champion, models)
    return guarded(doors, environment.api_key, metrics)


@dataclass(frozen=True)
class _Parts:
    """What a process has of its own."""

    deployment: Deployment
    watcher: Watcher
    shadowing: Shadowing
    deferred: Deferred
    serving: Serving
    worker: Supervisor | None


def _counting_dropped(
    metrics: CollectorRegistry, models: Iterable[str]
) -> Callable[[str, int], None]:
    counter = Counter(
        "leeway_shadow_rows_dropped",
        "Rows that should have been predicted beside the champion here, and were not.",
        ["model"],
        registry=metrics,
    )
    for name in models:
        counter.labels(name)
    return lambda model, n_rows: counter.labels(model).inc(n_rows)


def _timing_predictions(metrics: CollectorRegistry, models: Iterable[str]) -> Histogram:
    seconds = Histogram(
        "leeway_predict_duration_seconds",
        "Time of a predict request here.",
        ["model"],
        registry=metrics,
    )
    for name in models:
        seconds.labels(name)
    return seconds


def _mount_doors(
    app: FastAPI, parts: _Parts, metrics: CollectorRegistry
) -> Mapping[str, Reception]:
    """Add the routes; returns who takes rows in."""
    deployment, watcher = parts.deployment, parts.watcher
    config, history = deployment.config, History(deployment.engine)
    models = config.models
    monitor_services = MonitorServices(
        watcher,
        history,
        deployment.store,
        lambda name: models[name].on_schema_change,
        config.max_body_bytes,
        parts.deferred.flush,
    )
    runs = deployment.runs
    retrain_services = retrain.api.RetrainServices(
        monitor_services,
        deployment.registry,
        runs,
        parts.serving,
        deployment.shadows,
        parts.shadowing,
        parts.deferred,
        _timing_predictions(metrics, models),
    )
    rows_in = receptions(monitor_services)
    app.include_router(monitor.api.routes(monitor_services, rows_in))
    app.include_router(retrain.api.routes(retrain_services))
    policies = {name: one.verdict.performance for name, one in watcher.watched.items()}
    app.include_router(
        pages.routes(
            pages.PageServices(
                history,
                deployment.registry,
                runs,
                deployment.shadows,
                policies,
                watcher.uncalibrated,
                shipped("docs/runbooks"),
            )
        )
    )
    return rows_in


def _lifespan(parts: _Parts, role: str) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    deployment = parts.deployment

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            stack.callback(parts.shadowing.close)
            stack.callback(parts.deferred.close)
            if role != "scheduler":
                # Before anybody is answered: the first prediction of a process would wait for it.
                parts.serving.warm_up(deployment.config.models)
            if role in ("all", "scheduler"):
                leads = leader(deployment.engine, deployment.config.data)
                stack.callback(leads.release)
                collector = deployment.collector(parts.shadowing.offer)
                stack.callback(collector.close)
                ticking = _scheduler(deployment, parts.watcher, collector, leads)
                ticking.start()
                stack.callback(ticking.shutdown)
            if parts.worker is not None:
                stack.enter_context(parts.worker)
            yield

    return lifespan


def _scheduler(
    deployment: Deployment, watcher: Watcher, collector: Collector, leads: Leader
) -> BaseScheduler:
    def keep_house() -> None:
        deployment.log.seal()
        deployment.log.retire()
        deployment.store.drop_profiles(deployment.log.kept_since())

    every_seconds = deployment.config.tick / timedelta(seconds=1)
    return scheduler(watcher, collector.collect, keep_house, leads, every_seconds)
