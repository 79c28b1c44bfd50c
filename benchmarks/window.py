"""What judging one window costs, part by part and as a cycle, after the reference is prepared.

100 000 rows of 40 numbers and 10 categories, with a probability; the reference is 13 windows of
20 000 labelled rows. The parts leave out reading the log and writing the verdict; the cycles are
those of a deployment on the disk, whose version 1 Leeway has trained, and which judges five windows
with all their labels, each sealed: four like the reference, and one in which all numbers have
moved. Prints Markdown tables.
"""

import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from leeway.config import Environment
from leeway.deployment import Deployment, ensure_first_versions, opened
from monitor import intake
from monitor.adapters.clocks import FileClock
from monitor.alert import Judged
from monitor.batch import EVENT_AT, MODEL_VERSION
from monitor.body import Body
from monitor.checks.beyond import beyond_wobble
from monitor.checks.calibrated import AlertBudget
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.estimable import estimable
from monitor.checks.fall import PerformancePolicy
from monitor.checks.feed import search
from monitor.checks.multivariate import multivariate_scores
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
from retrain.serving import Serving

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

ONCE = "once a version: "
MODEL, N_CALM = "wide", 4
LEEWAY_YAML = f"""\
models:
  {MODEL}:
    task: binary
    reference: reference.parquet
    columns: {{time: at, target: y}}
    window: {{every: P7D}}
    retrain: {{candidates: [logistic], max_fits: 1}}
"""


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


def parts() -> dict[str, float]:
    """Return the CPU seconds of each part; those that are once a version come first."""
    past = reference()
    before, seconds = TableColumns(past), {}

    def timed(name: str, work: Callable[[], Found]) -> Found:
        began = time.process_time()
        found = work()
        seconds[name] = time.process_time() - began
        return found

    reached = performance(past["y"].to_numpy(), past["p"].to_numpy(), SCHEMA)
    cut = Cut(past[EVENT_AT].to_numpy(), POLICY)
    once = ONCE
    prepared = timed(
        f"{once}preparing columns", lambda: prepare(before, SCHEMA, performance=reached)
    )
    prepared = timed(f"{once}calibrating", lambda: calibrated(prepared, before, cut))
    prepared = timed(
        f"{once}sample, back-test of estimates, and what comes together",
        lambda: estimable(prepared, before, cut, "roc_auc"),
    )
    start = MONDAY + N_WINDOWS * WEEK
    now, window = rows(N_ROWS, start, WEEK, 0.1, 1), Window(start, start + WEEK)
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
        lambda: search(now, [past.slice(past.num_rows - CLEAN_ROWS)], prepared, alarming),
    )
    timed("what comes together", lambda: multivariate_scores(now, prepared))
    asked = replace(prepared, importance=dict.fromkeys(NAMES, 1.0))
    timed("ranking, were all columns to breach", lambda: weigh(NAMES, asked, now))
    told = timed("estimate", lambda: estimate_score(now, prepared, 1, PerformancePolicy("roc_auc")))
    assert told.value is not None, told.detail
    return seconds


def reference() -> pa.Table:
    """Draw the reference."""
    return rows(N_WINDOWS * REFERENCE_ROWS, MONDAY, N_WINDOWS * WEEK, 0.0, 0)


def cycles() -> list[tuple[float, Judged]]:
    """Return the CPU seconds of each cycle, and what it judged."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        pq.write_table(sent(reference()), home / "reference.parquet")
        (home / "leeway.yaml").write_text(LEEWAY_YAML)
        clock = FileClock(home / "clock")
        clock.set(MONDAY + N_WINDOWS * WEEK)
        environment = Environment(api_key=None, clock_file=home / "clock")
        with opened(home / "leeway.yaml", environment) as made:
            ensure_first_versions(made, lambda _share, _text: None)
            return [cycle(made, clock, number) for number in range(N_CALM + 1)]


def sent(table: pa.Table) -> pa.Table:
    """Return rows as a client sends them, with their labels and without a prediction."""
    named = {"at": table[EVENT_AT], **{name: table[name] for name in NAMES}}
    return pa.table({**named, "y": table["y"].cast(pa.int64())})


def cycle(made: Deployment, clock: FileClock, number: int) -> tuple[float, Judged]:
    """Let a week pass, which is predicted, logged and sealed, and judge it."""
    start = MONDAY + (N_WINDOWS + number) * WEEK
    now = sent(rows(N_ROWS, start, WEEK, 0.1 if number == N_CALM else 0.0, 3 + number))
    clock.set(start + WEEK)
    served = Serving(made.registry).champion(MODEL)
    body = Body({name: now.column(name) for name in now.column_names}, now.num_rows)
    request = intake.Request(MODEL, f"week {number}", None, clock.now(), served.version)
    made.log.append(intake.predictions(body, served.schema, request, served.columns)).result()
    made.log.seal()
    watcher = made.watcher()
    began = time.process_time()
    (judged,) = watcher.check(MODEL)
    used = time.process_time() - began
    assert judged.n_labels == N_ROWS
    return used, judged


def main() -> None:
    """Print the tables."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}\n"
    )
    print("| part | CPU s |\n| --- | ---: |")
    seconds = parts()
    for name, used in seconds.items():
        print(f"| {name} | {used:.2f} |")
    in_all = sum(used for name, used in seconds.items() if not name.startswith(ONCE))
    print(f"| **a window in all** | **{in_all:.2f}** |\n")
    print("| a cycle | status | scores | CPU s |\n| --- | --- | ---: | ---: |")
    for number, (used, judged) in enumerate(cycles(), start=1):
        what = "all numbers moved" if number > N_CALM else "like the reference"
        found = f"{judged.verdict.status} | {len(judged.verdict.scores)}"
        print(f"| window {number}, {what} | {found} | {used:.2f} |")


if __name__ == "__main__":
    main()
