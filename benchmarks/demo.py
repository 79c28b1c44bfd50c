"""What the demo gains and costs: its own numbers, with CPU time and peak memory.

Prints a Markdown table; the processes' CPU seconds and memory come from the operating system.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path


def proportional_mebibytes(pid: int) -> float:
    """Return a process's memory in MiB; pages it shares count in parts: nothing counts twice."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # it has ended since
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def tree_mebibytes(root: int) -> float:
    """Return the memory of a process and all below it, in MiB."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended since
        parents[int(entry.name)] = int(stat[1])
    wanted = {root}
    while below := {pid for pid, parent in parents.items() if parent in wanted} - wanted:
        wanted |= below
    return sum(map(proportional_mebibytes, wanted))


def main() -> None:
    """Run the demo once and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        facts = Path(folder) / "facts.json"
        command = [sys.executable, "-m", "leeway", "demo", "--exit", "--json", str(facts)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = [0.0]

        def sample() -> None:
            while process.poll() is None:
                peak[0] = max(peak[0], tree_mebibytes(process.pid))
                time.sleep(0.2)

        sampler = threading.Thread(target=sample)
        sampler.start()
        process.wait()
        sampler.join()
        wall = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        document = json.loads(facts.read_text())
    never, configured = document["policies"]
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}\n\n"
        "| mean ROC AUC | never retrained | gain | promotions | runs | alerts | wall s | CPU s | "
        "peak MiB |\n|---|---|---|---|---|---|---|---|---|\n"
        f"| {configured['mean']:.4f} | {never['mean']:.4f} | "
        f"{configured['mean'] - never['mean']:+.4f} | {configured['promotions']} | "
        f"{len(document['runs'])} | {configured['alerts']} | {wall:.0f} | "
        f"{used.ru_utime + used.ru_stime:.0f} | {peak[0]:.0f} |"
    )


if __name__ == "__main__":
    main()
