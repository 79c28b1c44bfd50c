"""App: the only place where implementations are chosen and put together."""

import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from apscheduler.schedulers.base import BaseScheduler
from fastapi import FastAPI, Response
from filelock import FileLock
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from sqlalchemy import Engine

import monitor.api
import retrain.api
from dashboards.pages.routes import PageServices
from dashboards.pages.routes import routes as page_routes
from leeway import problems
from leeway.config import Config, Environment, ModelConfig, load_config
from leeway.database import upgrade
from leeway.guard import ApiKeyGuard
from leeway.policies import retrained, watched
from leeway.supervisor import supervised_worker
from monitor.adapters.clocks import FileClock, SystemClock
from monitor.adapters.database import open_database
from monitor.adapters.history import History
from monitor.adapters.notifiers import AppriseNotifier, LogNotifier
from monitor.adapters.prediction_log import PredictionLog
from monitor.adapters.prometheus_exporter import MonitorCollector
from monitor.adapters.sql_store import SqlStore
from monitor.cycle import World as MonitorWorld
from monitor.errors import NotFoundError
from monitor.ports import Champion, Clock, Notifier
from monitor.scheduler import Watcher, scheduler
from monitor.schema import Schema, infer
from retrain.adapters.labelled_rows import LabelledRows, labelled_reference, read_table
from retrain.adapters.prometheus_exporter import RetrainCollector
from retrain.adapters.sql_registry import SqlRegistry
from retrain.adapters.sql_runs import SqlRuns
from retrain.run import World as RetrainWorld
from retrain.serving import Serving
from retrain.version import Retrained, first_version, watched_only
from retrain.worker import parent_is_gone, work

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Deployment:
    """One opened deployment: configuration, storage and clock.

    Parameters
    ----------
    file : Path
        leeway.yaml.
    config : Config
        What it says.
    engine : sqlalchemy.Engine
        The state database.
    log : PredictionLog
        The prediction log.
    registry : SqlRegistry
        Versions and champions.
    clock : Clock
        The present.
    """

    file: Path
    config: Config
    engine: Engine
    log: PredictionLog
    registry: SqlRegistry
    clock: Clock

    @property
    def store(self) -> SqlStore:
        """Verdicts and decisions."""
        return SqlStore(self.engine)

    def champion(self, model: str) -> Champion:
        """Return a model's champion as the watch sees it."""
        return self.registry.at(model, self.clock.now())

    def schema(self, model: str) -> Schema:
        """Return a model's schema."""
        return self.champion(model).reference.schema

    def watcher(self) -> Watcher:
        """Return what judges the windows of all models."""
        world = MonitorWorld(
            log=self.log,
            store=self.store,
            references=self.registry,
            clock=self.clock,
            notifiers=_notifiers(self.config),
            url=self.config.url.rstrip("/"),
            monotonic=time.monotonic,
        )
        models = self.config.models.items()
        return Watcher({n: watched(n, one, self.schema(n)) for n, one in models}, world)

    def retrain_world(self) -> RetrainWorld:
        """Return what a retrain run touches."""
        models = self.config.models
        rows = LabelledRows(
            self.log,
            self.store,
            {name: one.reference for name, one in models.items()},
            self.schema,
            {name: one.labels.horizon for name, one in models.items()},
        )
        runs = SqlRuns(self.engine)
        return RetrainWorld(rows, self.registry, runs, self.clock, time.monotonic)


@contextmanager
def opened(config_file: Path, environment: Environment) -> Iterator[Deployment]:
    """Open a deployment's storage, brought up to date, and close it in the end.

    Raises
    ------
    ConfigError
        If leeway.yaml cannot be used.
    """
    config = load_config(config_file)
    clock: Clock = FileClock(environment.clock_file) if environment.clock_file else SystemClock()
    with ExitStack() as stack:
        engine = open_database(config.data / "state.db")
        stack.callback(engine.dispose)
        with FileLock(config.data / "upgrade.lock"):
            upgrade(engine)
        log = PredictionLog(config.data)
        stack.callback(log.close)
        registry = SqlRegistry(engine, config.data / "models")
        yield Deployment(config_file.resolve(), config, engine, log, registry, clock)


def ensure_first_versions(deployment: Deployment, progress: Progress) -> None:
    """Register every model of the configuration, with a version 1 where it has none.

    Raises
    ------
    SchemaError
        If a reference cannot be used.
    """
    for name, model in deployment.config.models.items():
        try:
            deployment.registry.champion(name)
        except NotFoundError:
            table = read_table(model.reference)
            schema = infer(table, model.roles()).schema
            _make_first_version(deployment, retrained(name, model, schema), model, table, progress)
        deployment.store.register(name, deployment.clock.now())


def _make_first_version(
    deployment: Deployment,
    model: Retrained,
    config: ModelConfig,
    table: pa.Table,
    progress: Progress,
) -> None:
    rows = labelled_reference(table, model.schema)
    if config.columns.prediction is not None:
        bundle = watched_only(rows, model)
    else:
        progress(0.0, f"training version 1 of {model.name} on {table.num_rows} reference rows")
        bundle = first_version(rows, model, time.monotonic, progress)
    now = deployment.clock.now()
    version = deployment.registry.register(bundle, now)
    deployment.registry.promote(model.name, version, now, "first version")
    progress(1.0, f"version 1 of {model.name} is ready")


def api(deployment: Deployment, environment: Environment, role: str) -> FastAPI:
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
    watcher = deployment.watcher()
    app = FastAPI(
        title="Leeway",
        summary="Drift monitoring and retraining for deployed models",
        lifespan=_lifespan(deployment, watcher, role),
    )
    problems.install(app)
    if environment.api_key:
        app.add_middleware(ApiKeyGuard, api_key=environment.api_key)
    metrics = CollectorRegistry()
    if role != "scheduler":
        _mount_doors(app, deployment, watcher, metrics)
    history = History(deployment.engine)
    metrics.register(MonitorCollector(history, deployment.log, deployment.champion))
    metrics.register(RetrainCollector(deployment.engine))
    ProcessCollector(registry=metrics)

    @app.get("/metrics", include_in_schema=False)
    def show_metrics() -> Response:
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz", tags=["health"])
    def healthy() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    def ready() -> dict[str, str]:
        """The database answers, and every model has a champion."""
        for name in deployment.config.models:
            deployment.registry.champion(name)
        return {"status": "ready"}

    return app


def _mount_doors(
    app: FastAPI, deployment: Deployment, watcher: Watcher, metrics: CollectorRegistry
) -> None:
    models, history = deployment.config.models, History(deployment.engine)
    monitor_services = monitor.api.MonitorServices(
        watcher, history, deployment.store, lambda name: models[name].on_schema_change
    )
    runs = SqlRuns(deployment.engine)
    predict_seconds = Histogram(
        "leeway_predict_duration_seconds",
        "Time of a predict request in this process.",
        ["model"],
        registry=metrics,
    )
    retrain_services = retrain.api.RetrainServices(
        monitor_services, deployment.registry, runs, Serving(deployment.registry), predict_seconds
    )
    for name in models:
        predict_seconds.labels(name)
    app.include_router(monitor.api.routes(monitor_services))
    app.include_router(retrain.api.routes(retrain_services))
    policies = {name: one.verdict.performance for name, one in watcher.watched.items()}
    app.include_router(page_routes(PageServices(history, deployment.registry, runs, policies)))


def _lifespan(
    deployment: Deployment, watcher: Watcher, role: str
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            if role in ("all", "scheduler"):
                ticking = _scheduler(deployment, watcher)
                ticking.start()
                stack.callback(ticking.shutdown)
            if role == "all":
                stack.enter_context(supervised_worker(deployment.file))
            yield

    return lifespan


def _scheduler(deployment: Deployment, watcher: Watcher) -> BaseScheduler:
    lock = FileLock(deployment.config.data / "leader.lock", thread_local=False)
    return scheduler(
        watcher, deployment.log.seal, lock, deployment.config.tick / timedelta(seconds=1)
    )


def _notifiers(config: Config) -> list[Notifier]:
    found: list[Notifier] = [LogNotifier()]
    if config.notify.via == "direct":
        found += [AppriseNotifier(address, i) for i, address in enumerate(config.notify.to)]
    return found


def run_worker(deployment: Deployment, supervisor: int | None) -> None:
    """Carry out retrain requests until terminated, or until the supervising server is gone."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    orphaned = parent_is_gone(supervisor)
    world = deployment.retrain_world()
    models = {
        name: retrained(name, one, deployment.schema(name))
        for name, one in deployment.config.models.items()
    }
    world.runs.release(deployment.clock.now(), "the worker was stopped in the middle of the run")
    work(models, world, stop=lambda: stopped.is_set() or orphaned())
