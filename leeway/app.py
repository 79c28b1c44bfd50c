"""App: the only place where implementations are chosen and put together."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from apscheduler.schedulers.base import BaseScheduler
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.process_collector import ProcessCollector
from sqlalchemy import Engine

import monitor.api
import retrain.api
from dashboards.pages import routes as pages
from leeway import problems
from leeway.config import Config, Environment, ModelConfig
from leeway.config_file import load_config
from leeway.guard import ApiKeyGuard, BodyLimit
from leeway.lane import IngestLane
from leeway.machine_doors import add_machine_doors, database_metrics
from leeway.policies import retrained, watched
from leeway.shipped_files import shipped
from leeway.sources import collector_of, predictor_of
from leeway.storage import open_log, open_state
from leeway.supervisor import Supervisor
from monitor.adapters.clocks import FileClock, SystemClock
from monitor.adapters.cursors import SqlCursors
from monitor.adapters.history import History
from monitor.adapters.locks import leader
from monitor.adapters.notifiers import Webhook, notifiers, webhook_channel
from monitor.adapters.prediction_log import PredictionLog
from monitor.adapters.prometheus_exporter import Exported
from monitor.adapters.sql_store import SqlStore
from monitor.collection import World as CollectionWorld
from monitor.collector import Collector
from monitor.cycle import World as MonitorWorld
from monitor.errors import NotFoundError
from monitor.inferred import infer
from monitor.ports import Champion, Clock, Leader
from monitor.reception import receptions
from monitor.scheduler import Watcher, scheduler
from monitor.schema import Schema
from monitor.services import MonitorServices
from retrain.adapters.labelled_rows import LabelledRows, labelled_reference, read_table
from retrain.adapters.news import News
from retrain.adapters.sql_registry import SqlRegistry
from retrain.adapters.sql_runs import SqlRuns
from retrain.run import World as RetrainWorld
from retrain.serving import Serving
from retrain.version import Retrained, first_version, watched_only

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
        notify = self.config.notify
        world = MonitorWorld(
            log=self.log,
            store=self.store,
            references=self.registry,
            clock=self.clock,
            notifiers=notifiers(notify.to if notify.via == "direct" else ()),
            url=self.config.url.rstrip("/"),
            monotonic=time.monotonic,
            repeat=notify.repeat,
            hooks=[Webhook(one, number) for number, one in enumerate(notify.promoted)],
        )
        models = self.config.models.items()
        return Watcher({n: watched(n, one, self.schema(n)) for n, one in models}, world)

    def collector(self) -> Collector:
        """Return what collects from the sources of all models."""
        predictor = predictor_of(self.config, Serving(self.registry))
        cursors = SqlCursors(self.engine)
        world = CollectionWorld(self.log, self.store, self.registry, cursors, self.clock, predictor)
        return collector_of(self.file, self.config, world)

    def exported(self, watcher: Watcher) -> Exported:
        """Return what the metrics are rendered from."""
        return Exported(
            engine=self.engine,
            log=self.log,
            folder=self.config.data,
            clock=self.clock,
            policies={name: one.verdict for name, one in watcher.watched.items()},
            versions=self.registry.champions,
            champion=self.champion,
            channels=[o.channel for o in (*watcher.world.notifiers, *watcher.world.hooks)],
            url=watcher.world.url,
            series_budget=self.config.series_per_model,
        )

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
        engine = stack.enter_context(open_state(config))
        log = open_log(config, engine, clock)
        stack.callback(log.close)
        hooks = [webhook_channel(number) for number in range(len(config.notify.promoted))]
        registry = SqlRegistry(engine, config.data / "models", News(hooks, config.url))
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
    watcher, worker = deployment.watcher(), Supervisor(deployment.file)
    app = FastAPI(
        title="Leeway",
        summary="Drift monitoring and retraining for deployed models",
        lifespan=_lifespan(deployment, watcher, worker if role == "all" else None, role),
    )
    problems.install(app)
    metrics = database_metrics(deployment.exported(watcher))
    if role == "all":
        # The worker has no port of its own here: its memory and time are shown beside ours.
        ProcessCollector("leeway_worker", lambda: worker.pid, registry=metrics)
    if role != "scheduler":
        _mount_doors(app, deployment, watcher, metrics)
    if environment.api_key:
        app.add_middleware(ApiKeyGuard, api_key=environment.api_key)  # around all others
    add_machine_doors(app, metrics, deployment.registry.champion, deployment.config.models)
    return app


def _mount_doors(
    app: FastAPI, deployment: Deployment, watcher: Watcher, metrics: CollectorRegistry
) -> None:
    config, history = deployment.config, History(deployment.engine)
    models = config.models
    monitor_services = MonitorServices(
        watcher,
        history,
        deployment.store,
        lambda name: models[name].on_schema_change,
        config.max_body_bytes,
    )
    runs = SqlRuns(deployment.engine)
    predict_seconds = Histogram(
        "leeway_predict_duration_seconds",
        "Time of a predict request here.",
        ["model"],
        registry=metrics,
    )
    retrain_services = retrain.api.RetrainServices(
        monitor_services, deployment.registry, runs, Serving(deployment.registry), predict_seconds
    )
    for name in models:
        predict_seconds.labels(name)
    rows_in = receptions(monitor_services)
    app.include_router(monitor.api.routes(monitor_services, rows_in))
    app.add_middleware(IngestLane, receptions=rows_in)
    app.add_middleware(BodyLimit, max_bytes=config.max_body_bytes)
    app.include_router(retrain.api.routes(retrain_services))
    policies = {name: one.verdict.performance for name, one in watcher.watched.items()}
    app.include_router(
        pages.routes(
            pages.PageServices(
                history, deployment.registry, runs, policies, shipped("docs/runbooks")
            )
        )
    )


def _lifespan(
    deployment: Deployment, watcher: Watcher, worker: Supervisor | None, role: str
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            if role in ("all", "scheduler"):
                leads = leader(deployment.engine, deployment.config.data)
                stack.callback(leads.release)
                collector = deployment.collector()
                stack.callback(collector.close)
                ticking = _scheduler(deployment, watcher, collector, leads)
                ticking.start()
                stack.callback(ticking.shutdown)
            if worker is not None:
                stack.enter_context(worker)
            yield

    return lifespan


def _scheduler(
    deployment: Deployment, watcher: Watcher, collector: Collector, leads: Leader
) -> BaseScheduler:
    def keep_house() -> None:
        deployment.log.seal()
        deployment.log.retire()

    every_seconds = deployment.config.tick / timedelta(seconds=1)
    return scheduler(watcher, collector.collect, keep_house, leads, every_seconds)
