"""Logs for tests: where one can be, and batches made by hand."""

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import text

from monitor.adapters.database import open_database
from monitor.adapters.log_folder import log_folder
from monitor.adapters.prediction_log import PredictionLog
from monitor.batch import (
    EVENT_AT,
    LABEL,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    ROW,
    TIMESTAMP,
    Batch,
    RowKind,
)
from monitor.window import Window

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
T0 = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = Window(T0, T0 + 7 * DAY)
OWN = (PREDICTION_ID, EVENT_AT, RECEIVED_AT, MODEL_VERSION, ROW)
PREDICTIONS, LABELS = ("flights", RowKind.PREDICTION), ("flights", RowKind.LABEL)


def predictions(
    request_id, n_rows=1, *, at=T0, ids=None, digest="d", changes=(), model="flights", columns=None
):
    names = ids or [f"{request_id}/{i}" for i in range(n_rows)]
    times = pa.array([at] * len(names), TIMESTAMP)
    reserved = {
        PREDICTION_ID: names,
        EVENT_AT: times,
        RECEIVED_AT: times,
        MODEL_VERSION: ["1"] * len(names),
    }
    rows = pa.table({**(columns or {"x": [float(i) for i in range(len(names))]}), **reserved})
    return Batch(model, RowKind.PREDICTION, request_id, digest, at, rows, changes)


def labels(request_id, values, *, at=T0, digest="d"):
    times = pa.array([at] * len(values), TIMESTAMP)
    rows = {
        PREDICTION_ID: list(values),
        LABEL: list(values.values()),
        EVENT_AT: times,
        RECEIVED_AT: times,
    }
    return Batch("flights", RowKind.LABEL, request_id, digest, at, pa.table(rows))


@dataclass(frozen=True)
class Place:
    """Where a log is: a folder, and the database and the bucket that are not in it."""

    folder: Path
    url: str = ""
    bucket: str = ""

    def engine(self):
        """Open its database."""
        return open_database(self.url or self.folder / "log.db")

    @property
    def files(self):
        """Where its files are."""
        return log_folder(self.bucket or self.folder)

    def content(self, path):
        """Return the bytes of a file."""
        with self.files.system.open_input_stream(self.files.full(path)) as stream:
            return stream.read()

    @contextmanager
    def opened(self, **settings: Any):
        """Open the log."""
        engine = self.engine() if self.url else None
        log = PredictionLog(self.folder, engine=engine, place=self.bucket or None, **settings)
        try:
            with closing(log):
                yield log
        finally:
            if engine is not None:
                engine.dispose()

    def reopen(self):
        """Open the log, and close it again."""
        with self.opened():
            pass

    @contextmanager
    def busy(self):
        """Hold its locks, so that what is appended meanwhile waits and becomes one group."""
        engine = self.engine()
        with engine.begin() as other:  # on SQLite this is the write lock
            if self.url:
                other.execute(text("LOCK TABLE log_requests"))
            yield
        engine.dispose()

    def execute(self, statement):
        """Execute a statement behind the log's back."""
        engine = self.engine()
        with engine.begin() as other:
            found = other.execute(text(statement))
            rows = found.all() if found.returns_rows else []
        engine.dispose()
        return [tuple(row) for row in rows]


def append(log, *batches: Batch):
    return log.append(batches).result(60)


def read(log, columns=(), window=WEEK, horizon=None):
    return log.read("flights", window, columns, horizon=horizon)


def ids(log, window=WEEK):
    return read(log, (), window).column(PREDICTION_ID).to_pylist()
