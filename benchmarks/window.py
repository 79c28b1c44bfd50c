"""What judging one window costs, part by part, after the reference is prepared.

100 000 rows of 40 numbers and 10 categories, with a probability; the reference is 13 windows of
20 000 labelled rows. Reading the log and writing the verdict are left out. Prints a Markdown table.
"""

import platform
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
import pyarrow as pa

from monitor.batch import EVENT_AT, MODEL_VERSION
from monitor.checks.beyond import beyond_wobble
from monitor.checks.calibrated import AlertBudget
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.estimable import estimable
from monitor.checks.fall import PerformancePolicy
from monitor.checks.feed import search
from monitor.checks.multivariate import multivariate_score
from monitor.checks.performance import performance
from monitor.checks.quality import QualityPolicy
from monitor.checks.stale import stale_scores
from monitor.checks.unlabelled import estimate_score
from monitor.columns import TableColumns
from monitor.incident import CLEAN_ROWS, Scored, suspects
from monitor.ranking import weigh
from monitor.reference import Cut, calibrated, prepare
from monitor.schema import Kind, Schema, Task
from monitor.window import MONDAY, Window, WindowPolicy

Found = TypeVar("Found")
N_ROWS, N_NUMERIC, N_CATEGORICAL = 100_000, 40, 10
N_WINDOWS, REFERENCE_ROWS = 13, 20_000
WEEK = timedelta(days=7)
POLICY = WindowPolicy(every=WEEK)
NAMES = [f"number {at}" for at in range(N_NUMERIC)] + [f"level {at}" for at in range(N_CATEGORICAL)]
KINDS = dict.fromkeys(NAMES[:N_NUMERIC], Kind.NUMERIC) | dict.fromkeys(
    NAMES[N_NUMERIC:], Kind.CATEGORICAL
)
SCHEMA = Schema(Task.BINARY, KINDS, "y", "p", classes=("0", "1"))


def rows(n_rows: int, start: datetime, length: timedelta, shift: float, seed: int) -> pa.Table:
    """Draw rows; the label follows the first number, and the second where the model is weak."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(shift, 1.0, (N_NUMERIC, n_rows))
    levels = np.array([f"level {at:02d}" for at in range(20)])
    columns = dict(zip(NAMES, numbers, strict=False))
    columns |= {name: levels[rng.integers(0, 20, n_rows)] for name in NAMES[N_NUMERIC:]}
    chance = 1 / (1 + np.exp(-(2 - numbers[1]) * numbers[0]))
    columns["p"] = 1 / (1 + np.exp(-1.5 * numbers[0]))
    columns["y"] = (rng.uniform(size=n_rows) < chance).astype(float)
    micros = np.sort(rng.integers(0, length // timedelta(microseconds=1), n_rows))
    columns[EVENT_AT] = np.datetime64(start.replace(tzinfo=None), "us") + micros
    return pa.table({**columns, MODEL_VERSION: np.ones(n_rows, dtype=np.int64)})


def main() -> None:
    """Print the table."""
    past = rows(N_WINDOWS * REFERENCE_ROWS, MONDAY, N_WINDOWS * WEEK, 0.0, 0)
    before, seconds = TableColumns(past), {}

    def timed(name: str, work: Callable[[], Found]) -> Found:
        began = time.process_time()
        found = work()
        seconds[name] = time.process_time() - began
        return found

    reached = performance(past["y"].to_numpy(), past["p"].to_numpy(), SCHEMA)
    cut = Cut(past[EVENT_AT].to_numpy(), POLICY)
    prepared = timed("preparing columns", lambda: prepare(before, SCHEMA, performance=reached))
    prepared = timed("calibrating", lambda: calibrated(prepared, before, cut))
    prepared = timed(
        "sample, back-test of estimates, and what comes together",
        lambda: estimable(prepared, before, cut, "roc_auc"),
    )
    start = MONDAY + N_WINDOWS * WEEK
    now, window = rows(N_ROWS, start, WEEK, 0.1, 1), Window(start, start + WEEK)
    once = len(seconds)
    scores = timed(
        "drift and quality by column",
        lambda: column_scores(prepared, TableColumns(now), DriftPolicy(), QualityPolicy()),
    )
    last = rows(N_ROWS, start - WEEK, WEEK, 0.0, 2)
    timed("rows and times that are not new", lambda: stale_scores(now, last, prepared))
    beyond = timed(
        "profile and wobble", lambda: beyond_wobble(now, window, prepared, POLICY, AlertBudget())
    )
    alarming = suspects(Scored(prepared, [*scores, *beyond.scores]))
    timed(
        f"what broke: all columns, {len(alarming.moved)} of which alarm",
        lambda: search(now, past.slice(past.num_rows - CLEAN_ROWS), prepared, alarming),
    )
    timed("what comes together", lambda: multivariate_score(now, prepared))
    asked = replace(prepared, importance=dict.fromkeys(NAMES, 1.0))
    timed("ranking, were all columns to breach", lambda: weigh(NAMES, asked, now))
    told = timed("estimate", lambda: estimate_score(now, prepared, 1, PerformancePolicy("roc_auc")))
    assert told.value is not None, told.detail
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}\n"
    )
    print("| part | CPU s |\n| --- | ---: |")
    for at, (name, used) in enumerate(seconds.items()):
        print(f"| {'once a version: ' if at < once else ''}{name} | {used:.2f} |")
    print(f"| **a window in all** | **{sum(list(seconds.values())[once:]):.2f}** |")


if __name__ == "__main__":
    main()
