"""What reading the log costs: a window against one plain Parquet file, and the join of labels.

Prints a Markdown table; each figure is the best of some rounds that take turns.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.adapters.prediction_log import PredictionLog
from monitor.batch import (
    EVENT_AT,
    EXTRA,
    LABEL,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    TIMESTAMP,
    Batch,
    RowKind,
)
from monitor.window import Window

N_ROWS, N_BODIES, ROUNDS = 1_000_000, 20, 7
NUMERIC = [f"n{i:02}" for i in range(40)]
CATEGORICAL = [f"c{i}" for i in range(10)]
START = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = Window(START, START + timedelta(days=7))


def bodies(number: int) -> list[Batch]:
    """Make up predictions of one stretch of the week, and their labels."""
    draw, n_rows = np.random.default_rng(number), N_ROWS // N_BODIES
    stretch = (WEEK.end - START) // timedelta(microseconds=1) // N_BODIES
    micros = int(START.timestamp() * 1e6) + number * stretch
    at = pa.array(micros + np.sort(draw.integers(0, stretch, n_rows)), pa.int64()).cast(TIMESTAMP)
    ids = pa.array([f"{number}-{i}" for i in range(n_rows)])
    reserved = {PREDICTION_ID: ids, EVENT_AT: at, RECEIVED_AT: at}
    features = {
        **{name: draw.normal(size=n_rows) for name in NUMERIC},
        **{name: draw.choice(["red", "green", "blue"], n_rows) for name in CATEGORICAL},
    }
    extra = {MODEL_VERSION: np.ones(n_rows, np.int64), EXTRA: pa.nulls(n_rows, pa.string())}
    rows = pa.table({**features, **reserved, **extra})
    labels = pa.table({LABEL: draw.choice(["0", "1"], n_rows), **reserved})
    return [
        Batch("wide", kind, f"{kind}-{number}", None, START, table)
        for kind, table in ((RowKind.PREDICTION, rows), (RowKind.LABEL, labels))
    ]


def timed(task: Callable[[], object]) -> tuple[float, float]:
    """Return the wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Fill a log, seal it, read it."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}\n")
    columns = [*NUMERIC, *CATEGORICAL]
    with tempfile.TemporaryDirectory() as folder:
        log = PredictionLog(Path(folder))
        for number in range(N_BODIES):
            log.append(bodies(number)).result()
        log.seal()
        plain = Path(folder) / "plain.parquet"
        pq.write_table(log.read("wide", WEEK, columns), plain)
        horizon = timedelta(days=90)
        tasks: dict[str, Callable[[], object]] = {
            "1M x 50 by pyarrow, from one plain Parquet file": lambda: pq.read_table(plain),
            "1M x 50 out of the log": lambda: log.read("wide", WEEK, columns),
            "one column out of the log": lambda: log.read("wide", WEEK, ["n00"]),
            "one column, with 1M labels joined to it": lambda: log.read(
                "wide", WEEK, ["n00"], horizon=horizon
            ),
        }
        found = [[timed(task) for task in tasks.values()] for _ in range(ROUNDS)]
        log.close()
    print("| read | wall s | CPU s |\n|---|---:|---:|")
    for name, times in zip(tasks, zip(*found, strict=True), strict=True):
        wall, cpu = (min(values) for values in zip(*times, strict=True))
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    main()
