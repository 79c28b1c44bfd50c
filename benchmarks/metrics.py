"""Time and memory of /metrics with 200 models of 200 series each.

Fills a database through the real store, starts a real `leeway serve --role api` on it, and scrapes
it as Prometheus does. Prints a table in Markdown.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

from leeway.config import Environment
from leeway.demo.run import free_port
from leeway.deployment import Deployment, ensure_first_versions, opened
from monitor.action import Action, Reason
from monitor.alert import Judged
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.decision import Decision
from monitor.diagnosis import Diagnosis, DiagnosisKind
from monitor.record import CycleRecord
from monitor.verdict import Verdict
from monitor.window import Counts, Window

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(days=7)
N_COLUMNS = 40
"""More than the budget of series lets through, as wide models have."""

MODEL_YAML = """\
  model{number:03}:
    task: binary
    reference: reference.parquet
    columns: {{target: y, prediction: p, time: at}}
    window: {{every: P7D}}
    retrain: {{when: []}}
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--windows", type=int, default=26)
    parser.add_argument("--scrapes", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, arguments.models, arguments.windows)
        measure(folder, arguments.windows, arguments.scrapes)


def fill(folder: Path, n_models: int, n_windows: int) -> None:
    """Register the models and record their windows."""
    draw = np.random.default_rng(0)
    n_rows = 600
    columns = {f"column{i:02}": draw.normal(size=n_rows) for i in range(N_COLUMNS)}
    at = pd.date_range(MONDAY - 4 * WEEK, periods=n_rows, freq="1h")
    frame = pd.DataFrame(
        {"at": at, **columns, "p": draw.uniform(size=n_rows), "y": draw.integers(0, 2, n_rows)}
    )
    frame.to_parquet(folder / "reference.parquet")
    models = "".join(MODEL_YAML.format(number=i) for i in range(n_models))
    (folder / "leeway.yaml").write_text(f"models:\n{models}")
    (folder / "one.yaml").write_text(f"models:\n{MODEL_YAML.format(number=0)}")
    with opened(folder / "leeway.yaml", Environment()) as deployment:
        ensure_first_versions(deployment, lambda _share, _text: None)
        for number in range(n_windows):
            judge_all(deployment, number)


def judge_all(deployment: Deployment, number: int) -> None:
    """Record one window of every model."""
    for model in deployment.config.models:
        record(deployment, model, number)


def record(deployment: Deployment, model: str, number: int) -> None:
    """Record one window with every score that a real one has."""
    start = MONDAY + number * WEEK
    scores = [
        Score(
            *(check, column, method, 0.01 * number, 0.1, BreachWhen.ABOVE, 600, 600),
            status=Status.OK,
        )
        for column in [f"column{i:02}" for i in range(N_COLUMNS)]
        for check, method in (
            (Check.DRIFT, "wasserstein"),
            (Check.QUALITY, "missing"),
            (Check.QUALITY, "out_of_range"),
        )
    ]
    metrics = ("roc_auc", "accuracy", "precision", "recall", "f1", "log_loss")
    scores += [
        Score(
            *(Check.PERFORMANCE, None, metric, 0.8, 0.7, BreachWhen.BELOW, 600, 600),
            standard_error=0.01,
            reference_value=0.8,
            status=Status.OK,
        )
        for metric in metrics
    ]
    verdict = Verdict(
        Status.OK, dict.fromkeys(Check, Status.OK), tuple(scores), 0.0, provisional=False
    )
    judged = Judged(
        Window(start, start + WEEK), 1, 1, verdict, Diagnosis(DiagnosisKind.NONE, (), "")
    )
    decision = Decision(Action.NONE, Reason.ALL_WELL, "nothing stands out", ())
    counts = Counts(600, 600)
    deployment.store.record(
        CycleRecord(model, judged, counts, decision, (), start + WEEK, 0.2), ("log",)
    )


@contextmanager
def server(config: Path) -> Iterator[tuple[str, int]]:
    """Start a server; yields its address and process id."""
    port = free_port()
    command = [sys.executable, "-m", "leeway", "serve", "--role", "api", "--port", str(port)]
    process = subprocess.Popen([*command, "--config", str(config)])
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(url):
            assert process.poll() is None, "the server has ended"
            time.sleep(0.2)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Tell whether a server answers."""
    try:
        return httpx.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


def resident_mib(pid: int) -> float:
    """Return the memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process; unlike a clock it does not count who else is at work."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def scrape(client: httpx.Client) -> tuple[str, float]:
    """Return what a scrape brings, and the seconds it took."""
    began = time.perf_counter()
    text = client.get("/metrics").raise_for_status().text
    return text, time.perf_counter() - began


def measure(folder: Path, n_windows: int, n_scrapes: int) -> None:
    """Scrape, and print what it took."""
    with server(folder / "one.yaml") as (_, pid):
        idle = resident_mib(pid)
    config = folder / "leeway.yaml"
    with server(config) as (url, pid), httpx.Client(base_url=url, timeout=60) as client:
        seconds, memory, cpu = [], [], [cpu_seconds(pid)]
        for _ in range(n_scrapes):
            text, took = scrape(client)
            seconds.append(took)
            memory.append(resident_mib(pid) - idle)
            cpu.append(cpu_seconds(pid))
        with opened(config, Environment()) as deployment:
            judge_all(deployment, n_windows)
        _, after = scrape(client)
    n_samples = sum(not line.startswith("#") for line in text.splitlines())
    print("| what | value |\n|---|---|")
    print(f"| samples | {n_samples} |")
    print(f"| first scrape | {seconds[0]:.2f} s |")
    print(f"| median of the others | {statistics.median(seconds[1:]):.2f} s |")
    print(f"| CPU time of each of the others | {(cpu[-1] - cpu[1]) / (n_scrapes - 1):.2f} s |")
    print(f"| slowest of the others | {max(seconds[1:]):.2f} s |")
    print(f"| scrape after every model was judged anew | {after:.2f} s |")
    print(f"| memory over a server of one model, after 2 scrapes | {memory[1]:.0f} MiB |")
    print(f"| the same after {n_scrapes} | {memory[-1]:.0f} MiB |")


if __name__ == "__main__":
    main()
