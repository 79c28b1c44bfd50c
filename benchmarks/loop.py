"""What the loop gains for each promotion: `leeway backtest` on real tables in the order of time.

    python benchmarks/loop.py TABLES [NAME ...]

TABLES is a folder of Parquet tables with a `tasks.json`: for each its numeric, categorical, target
and time columns, task, metric, reference_rows and window_rows. Recovery is the share of the gain of
replacing the champion in every window (`always`) over never retraining. In hindsight: the recovery
of as many promotions of the versions of `always` at the best times, which are known only
afterwards. Prints a Markdown table.
"""

import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml

from leeway.config import Environment
from leeway.deployment import opened
from monitor.checks.performance import METRICS, default_metric, performance
from monitor.columns import FloatArray
from retrain.dataset import from_table
from retrain.prediction import predict

Document = dict[str, Any]

POLICIES = "never,always,every:4,configured"


def prepared(tables: Path, name: str, task: Document, home: Path) -> None:
    """Write a reference, a history and a leeway.yaml; the policy is the default one.

    The tables' windows are days, so that waiting a week between two runs is waiting for labels.
    """
    columns = {"target": task["target"]}
    columns |= {kind: task[kind] for kind in ("numeric", "categorical")}
    if task["time"] != "position":
        columns["time"] = task["time"]
    used = [*task["numeric"], *task["categorical"], task["target"]]
    used += [columns["time"]] if "time" in columns else []
    table = pq.read_table(tables / f"{name}.parquet", columns=used)
    pq.write_table(table.slice(0, task["reference_rows"]), home / "reference.parquet")
    pq.write_table(table.slice(task["reference_rows"]), home / "history.parquet")
    model = {
        "task": task["task"],
        "reference": "reference.parquet",
        "columns": columns,
        "window": {"rows": task["window_rows"]},
        "performance": {"metric": task["metric"]},
        "retrain": {"when": ["gain", "performance", "drift"], "cooldown": "PT0S"},
    }
    (home / "leeway.yaml").write_text(yaml.safe_dump({"models": {name: model}}))


def replayed(tables: Path, name: str, task: Document) -> str:
    """Run the backtest of one table and return its row."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepared(tables, name, task, home)
        facts, replays = home / "facts.json", home / "replays"
        command = [sys.executable, "-m", "leeway", "backtest"]
        command += ["--config", str(home / "leeway.yaml"), "--data", str(home / "history.parquet")]
        command += ["--json", str(facts), "--folder", str(replays), "--compare", POLICIES]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        document: Document = json.loads(facts.read_text())
        policies = {one["name"]: one for one in document["policies"]}
        losses = losses_of(replays / "always", name, home / "history.parquet", policies["always"])
    return line(name, document, losses)


def losses_of(home: Path, name: str, history: Path, always: Document) -> FloatArray:
    """Return what each champion of `always` loses in each window, shape (n_windows, n_windows).

    Row k is the champion of window k; before that window it does not exist, and loses infinity.
    """
    rows, windows = pq.read_table(history), always["windows"]
    losses = np.full((len(windows), len(windows)), np.inf)
    with opened(home / "leeway.yaml", Environment(api_key=None, clock_file=home / "clock")) as made:
        schema, model = made.schema(name), made.config.models[name]
        metric = model.performance.metric or default_metric(schema.task)
        known = from_table(rows, schema, schema.target)
        starts = np.cumsum([0, *(window["n_rows"] for window in windows)])
        for k, window in enumerate(windows):
            pipeline = made.registry.load(name, window["champion"]).pipeline
            made_up = predict(pipeline, known.features.iloc[starts[k] :], schema)
            for j in range(k, len(windows)):
                labels = known.target[starts[j] : starts[j + 1]]
                guesses = made_up[starts[j] - starts[k] : starts[j + 1] - starts[k]]
                found = performance(labels, guesses, schema)[metric].value
                losses[k, j] = METRICS[metric].loss(found)
    return losses


def in_hindsight(losses: FloatArray, n_promotions: int) -> float:
    """Return the least mean loss that so many promotions, at the best times, could have had."""
    n_windows = len(losses)
    so_far = np.concatenate([np.zeros((n_windows, 1)), np.cumsum(finite(losses), axis=1)], axis=1)
    best = np.full(n_windows + 1, np.inf)
    best[1:] = so_far[0, 1:]
    for _ in range(n_promotions):
        best = np.array(
            [
                min([best[end], *(best[k] + so_far[k, end] - so_far[k, k] for k in range(1, end))])
                for end in range(n_windows + 1)
            ]
        )
    return float(best[n_windows] / n_windows)


def finite(losses: FloatArray) -> FloatArray:
    """Return the losses with 0 where a champion does not exist yet."""
    return np.where(np.isfinite(losses), losses, 0.0)


def line(name: str, document: Document, losses: FloatArray) -> str:
    """Return a table's row: means, recovery, promotions, and the difference from never."""
    policies = {one["name"]: one for one in document["policies"]}
    never, always, configured = (policies[key] for key in ("never", "always", "configured"))
    sign = 1 if document["bigger_is_better"] else -1
    pairs = [
        (one["metric"], other["metric"])
        for one, other in zip(configured["windows"], never["windows"], strict=True)
        if one["metric"] is not None and other["metric"] is not None
    ]
    gains = sign * np.array([one - other for one, other in pairs])
    error = gains.std(ddof=1) / np.sqrt(gains.size)
    whole = sign * (always["mean"] - never["mean"])
    recovery = gains.mean() / whole if whole > 0 else float("nan")
    static, all_of_it = losses[0].mean(), np.diag(losses).mean()
    least = in_hindsight(losses, configured["promotions"])
    hindsight = (static - least) / (static - all_of_it) if whole > 0 else float("nan")
    per_ten = 10 * configured["promotions"] / len(configured["windows"])
    means = " | ".join(f"{policies[key]['mean']:.4g}" for key in policies)
    return (
        f"| {name} | {document['metric']} | {means} | {recovery:.2f} | {hindsight:.2f} | "
        f"{per_ten:.2f} | {configured['rollbacks']} | {configured['fits']} | "
        f"{configured['alerts']} | {gains.mean():+.3g} ± {error:.2g} |"
    )


def main() -> None:
    """Print a line for each table."""
    tables = Path(sys.argv[1])
    tasks = json.loads((tables / "tasks.json").read_text())
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}\n\n"
        "| table | metric | never | always | every:4 | configured | recovery | in hindsight | "
        "promotions in 10 windows | rollbacks | fits | alerts | gain over never |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for name in sys.argv[2:] or tasks:
        print(replayed(tables, name, tasks[name]), flush=True)


if __name__ == "__main__":
    main()
