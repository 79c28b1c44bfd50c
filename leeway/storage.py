"""Storage: the database, the prediction log and the leadership that a configuration asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from filelock import FileLock
from sqlalchemy import Engine

from leeway.config import Config
from leeway.database import upgrade
from monitor.adapters.database import POSTGRESQL, open_database
from monitor.adapters.log_retention import Keeping
from monitor.adapters.prediction_log import PredictionLog
from monitor.ports import Clock


@contextmanager
def open_state(config: Config) -> Iterator[Engine]:
    """Open the state database, brought up to date, and close it in the end.

    Raises
    ------
    StorageError
        If the database does not answer.
    MissingDependencyError
        If it is PostgreSQL, and its driver is not installed.
    """
    config.data.mkdir(parents=True, exist_ok=True)
    engine = open_database(config.database or config.data / "state.db")
    try:
        with FileLock(config.data / "upgrade.lock"):
            upgrade(engine)
        yield engine
    finally:
        engine.dispose()


def open_log(config: Config, engine: Engine, clock: Clock) -> PredictionLog:
    """Open the prediction log: in the state database where that is PostgreSQL, else beside it."""
    keeping = Keeping(
        horizon=lambda model: kept_for(config, model),
        age=config.retention.age,
        n_bytes=config.retention.bytes,
        now=clock.now,
    )
    shared = engine if engine.dialect.name == POSTGRESQL else None
    return PredictionLog(config.data, engine=shared, place=config.log, keeping=keeping)


def kept_for(config: Config, model: str) -> timedelta:
    """Return how long rows of a model may belong to an open window."""
    models = [config.models[model]] if model in config.models else list(config.models.values())
    return max(one.labels.horizon + (one.window.every or timedelta(0)) for one in models)
