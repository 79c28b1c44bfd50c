"""What a newcomer gets: `leeway init` on real tables, and a backtest of what it wrote.

    python benchmarks/replays.py [--data FOLDER] [--init] [NAME ...]

FOLDER (by default ../shared/data) has Parquet tables and a `tasks.json`, which names each one's
target and how many rows are its reference. Init is told the target and nothing else, and what it
writes is replayed as it stands. Prints Markdown tables: what was inferred, and (but for `--init`)
what became of the history.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import pyarrow.parquet as pq
import yaml

Document = dict[str, Any]

POLICIES = "never,configured"

INFERRED = """\
| table | task | time | window | numeric | categorical | left out | windows of the reference |
|---|---|---|---|---:|---:|---|---|"""

REPLAYED = """\
| table | windows | with labels | metric | never | configured | alerts | promotions | rollbacks \
| fits | CPU s | seconds |
|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|"""


def prepared(tables: Path, name: str, task: Document, home: Path) -> None:
    """Write a reference and a history; the rows stand in the order of time."""
    table = pq.read_table(tables / f"{name}.parquet")
    pq.write_table(table.slice(0, task["reference_rows"]), home / "reference.parquet")
    pq.write_table(table.slice(task["reference_rows"]), home / "history.parquet")


def leeway(home: Path, *arguments: str) -> str:
    """Run the command in a folder and return what it printed."""
    command = [sys.executable, "-m", "leeway", *arguments]
    done = subprocess.run(command, cwd=home, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def inferred(home: Path, name: str, task: Document) -> str:
    """Let init write a configuration; return the line that tells it."""
    said = leeway(home, "init", "--data", "reference.parquet", "--target", task["target"])
    written = yaml.safe_load((home / "leeway.yaml").read_text())["models"]["reference"]
    return inferred_line(name, written, said)


def replayed(home: Path, name: str) -> str:
    """Replay what init wrote; return the line that tells it."""
    began, before = time.monotonic(), getrusage(RUSAGE_CHILDREN)
    arguments = ["--data", "history.parquet", "--compare", POLICIES, "--json", "facts.json"]
    leeway(home, "backtest", *arguments)
    after = getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    facts = json.loads((home / "facts.json").read_text())
    return f"{replayed_line(name, facts)} {cpu:.0f} | {time.monotonic() - began:.0f} |"


def inferred_line(name: str, written: Document, said: str) -> str:
    """Say what init wrote, and what it left out."""
    columns = written["columns"]
    ((key, length),) = written["window"].items()
    window = f"{length} rows" if key == "rows" else length
    kinds = " | ".join(str(len(columns[kind])) for kind in ("numeric", "categorical"))
    left_out = [line.split("'")[1] for line in said.splitlines() if "is left out" in line]
    judged = said.rpartition("windows of the reference: ")[2].strip()
    return (
        f"| {name} | {written['task']} | {columns.get('time', 'none')} | {window} | {kinds} | "
        f"{', '.join(left_out) or 'none'} | {judged} |"
    )


def replayed_line(name: str, facts: Document) -> str:
    """Say what each policy reached, and what the configured one cost."""
    never, configured = facts["policies"]
    windows = configured["windows"]
    n_labelled = sum(window["metric"] is not None for window in windows)
    costs = ("alerts", "promotions", "rollbacks", "fits")
    counts = " | ".join(str(configured[key]) for key in costs)
    return (
        f"| {name} | {len(windows)} | {n_labelled} | {facts['metric']} | {never['mean']:.4g} | "
        f"{configured['mean']:.4g} | {counts} |"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--init", action="store_true", help="what init writes alone")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if not (arguments.data / "tasks.json").is_file():
        print(f"nothing is replayed: there is no tasks.json in {arguments.data}")
        return
    tasks = json.loads((arguments.data / "tasks.json").read_text())
    of_init, of_replays = [INFERRED], [REPLAYED]
    for name in arguments.names or tasks:
        with tempfile.TemporaryDirectory() as folder:
            prepared(arguments.data, name, tasks[name], Path(folder))
            of_init.append(inferred(Path(folder), name, tasks[name]))
            if not arguments.init:
                of_replays.append(replayed(Path(folder), name))
        print(of_init[-1], of_replays[-1], sep="\n", file=sys.stderr, flush=True)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}")
    for table in [of_init] if arguments.init else [of_init, of_replays]:
        print("", *table, sep="\n")


if __name__ == "__main__":
    main()
