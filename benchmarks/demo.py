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

PAGE_MEBIBYTES = os.sysconf("SC_PAGE_SIZE") / 2**20


def tree_mebibytes(root: int) -> float:
    """Return the resident memory of a process and all below it, in MiB."""
    parents: dict[int, int] = {}
    resident: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            resident[int(entry.name)] = (
                int((entry / "statm").read_text().split()[1]) * PAGE_MEBIBYTES
            )
        except OSError:
            continue  # it has ended since
        parents[int(entry.name)] = int(stat[1])
    wanted = {root}
    while below := {pid for pid, parent in parents.items() if parent in wanted} - wanted:
        wanted |= below
    return sum(resident.get(pid, 0.0) for pid in wanted)


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
