"""What the loop gains for each promotion: `leeway backtest` on real tables in the order of time.

    python benchmarks/loop.py TABLES [NAME ...]

TABLES is a folder of Parquet tables with a `tasks.json`: for each its numeric, categorical, target
and time columns, task, metric, reference_rows and window_rows. Recovery is the share of the gain of
replacing the champion in every window (`always`) over never retraining. Prints a Markdown table.
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


def replayed(tables: Path, name: str, task: Document) -> Document:
    """Run the backtest of one table and return its facts."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepared(tables, name, task, home)
        facts = home / "facts.json"
        command = [
            sys.executable,
            "-m",
            "leeway",
            "backtest",
            "--config",
            str(home / "leeway.yaml"),
        ]
        command += ["--data", str(home / "history.parquet"), "--json", str(facts)]
        subprocess.run([*command, "--compare", POLICIES], check=True, stdout=subprocess.DEVNULL)
        found: Document = json.loads(facts.read_text())
    return found


def line(name: str, document: Document) -> str:
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
    per_ten = 10 * configured["promotions"] / len(configured["windows"])
    means = " | ".join(f"{policies[key]['mean']:.4g}" for key in policies)
    return (
        f"| {name} | {document['metric']} | {means} | {recovery:.2f} | {per_ten:.2f} | "
        f"{configured['fits']} | {gains.mean():+.3g} ± {error:.2g} |"
    )


def main() -> None:
    """Print a line for each table."""
    tables = Path(sys.argv[1])
    tasks = json.loads((tables / "tasks.json").read_text())
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}\n\n"
        "| table | metric | never | always | every:4 | configured | recovery | promotions in 10 "
        "windows | fits | gain over never |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for name in sys.argv[2:] or tasks:
        print(line(name, replayed(tables, name, tasks[name])), flush=True)


if __name__ == "__main__":
    main()
