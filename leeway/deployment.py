"""Deployment: where implementations are chosen and put together, storage first."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import structlog
from sqlalchemy import Engine

from leeway.config import Config, Environment, ModelConfig
from leeway.config_file import load_config
from leeway.policies import retrained, trusted_types, watched
from leeway.sources import collector_of, predictor_of
from leeway.storage import open_log, open_state
from monitor.adapters.clocks import FileClock, SystemClock
from monitor.adapters.cursors import SqlCursors
from monitor.adapters.notifiers import Webhook, channels, notifiers, webhook_channel
from monitor.adapters.prediction_log import PredictionLog
from monitor.adapters.prometheus_exporter import Exported
from monitor.adapters.sql_store import SqlStore
from monitor.batch import Batch
from monitor.collection import World as CollectionWorld
from monitor.collector import Collector
from monitor.errors import NotFoundError
from monitor.inferred import infer
from monitor.ports import Champion, Clock
from monitor.recut import Recut
from monitor.scheduler import Watcher
from monitor.schema import Schema
from monitor.world import World as MonitorWorld
from retrain.adapters.labelled_rows import LabelledRows, labelled_reference, read_table
from retrain.adapters.news import News
from retrain.adapters.sql_registry import SqlRegistry
from retrain.adapters.sql_runs import SqlRuns
from retrain.adapters.sql_shadows import SqlShadows
from retrain.live import Beside
from retrain.odd_windows import judged_without
from retrain.ports import Registry, Runs, Shadows
from retrain.serving import Serving
from retrain.shadow import Shadowing
from retrain.version import Retrained, first_version, watched_only
from retrain.world import World as RetrainWorld

_log = structlog.get_logger("leeway")

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
    registry : Registry
        Versions and champions.
    clock : Clock
        The present.
    """

    file: Path
    config: Config
    engine: Engine
    log: PredictionLog
    registry: Registry
    clock: Clock

    @property
    def store(self) -> SqlStore:
        """Verdicts and decisions."""
        return SqlStore(self.engine)

    @property
    def runs(self) -> Runs:
        """Requests, and the runs that were made of them."""
        return SqlRuns(self.engine, self.config.worker.lease, news=news_of(self.config))

    def champion(self, model: str) -> Champion:
        """Return a model's champion as the watch sees it."""
        return self.registry.at(model, self.clock.now())

    def schema(self, model: str) -> Schema:
        """Return a model's schema."""
        return self.champion(model).reference.schema

    def watcher(self, only: Collection[str] | None = None) -> Watcher:
        """Return what judges the windows of all models, or of some."""
        notify, models = self.config.notify, self.config.models
        names = models if only is None else only
        policies = {name: watched(name, models[name], self.schema(name)) for name in names}
        cuts = {name: one.verdict.window for name, one in policies.items()}
        world = MonitorWorld(
            log=self.log,
            store=self.store,
            references=Recut(self.registry, cuts),
            clock=self.clock,
            notifiers=notifiers(notify.to if notify.via == "direct" else ()),
            url=self.config.url.rstrip("/"),
            monotonic=time.monotonic,
            repeat=notify.repeat,
            hooks=[Webhook(one, number) for number, one in enumerate(notify.promoted)],
        )
        return Watcher(policies, world, self._roll_back_as_decided)

    def _roll_back_as_decided(self) -> None:
        for one in self.registry.roll_back_as_decided(self.clock.now()):
            _log.warning("rolled back", **vars(one))

    @property
    def shadows(self) -> Shadows:
        """Who predicts beside the champions, and what came of it."""
        return SqlShadows(self.engine)

    def shadowing(
        self, serving: Serving, dropped: Callable[[str, int], object] = lambda *_: None
    ) -> Shadowing:
        """Return what predicts beside the champions."""
        return Shadowing(serving, self.log, self._beside, self.shadows.note, dropped)

    def _beside(self, model: str) -> Beside | None:
        watched_for = self.config.models[model].retrain.probation.rows
        return self.shadows.beside(model) if watched_for else None

    def collector(self, predicted: Callable[[Batch], object] = lambda _batch: None) -> Collector:
        """Return what collects from the sources of all models, and tells what it predicted."""
        predictor = predictor_of(self.config, Serving(self.registry))
        cursors = SqlCursors(self.engine)
        world = CollectionWorld(
            *(self.log, self.store, self.registry, cursors, self.clock),
            predictor=predictor,
            predicted=predicted,
        )
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
            champion=lambda name: watcher.world.references.at(name, self.clock.now()),
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
        return RetrainWorld(
            rows, self.registry, self.runs, self.clock, time.monotonic, self.shadows.of
        )


def news_of(config: Config) -> News:
    """Return who is told of versions."""
    notify = config.notify
    hooks = [webhook_channel(number) for number in range(len(notify.promoted))]
    return News(hooks, config.url, channels(notify.to) if notify.via == "direct" else ())


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
        registry = SqlRegistry(
            engine, config.data / "models", news_of(config), trusted_types(config)
        )
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
    deployment.registry.load(model.name, version)  # nothing serves that cannot be read back
    deployment.registry.promote(model.name, version, now, "first version")
    odd = judged_without(bundle.lineage.notes.odd_windows)
    progress(1.0, f"version 1 of {model.name} is ready{f'; {odd}' if odd else ''}")
