"""Measure: what one way of comparing takes, without the start of Python and the imports.

A peer's script ends with ``measure({way: prepare, ...})`` and is run, in the peer's environment,
as ``by_PEER.py WAY REFERENCE CURRENT SMALL_REFERENCE SMALL_CURRENT``; one line of JSON comes back.
"""

import ctypes
import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_SECONDS = 1.0
ENOUGH_RUNS = 5
PACKAGES = ("evidently", "nannyml", "whylogs", "frouros", "scipy", "numpy", "pandas", "pyarrow")


@dataclass(frozen=True)
class Case:
    """The two files to compare, of one schema."""

    reference: Path
    current: Path

    @cached_property
    def categorical(self) -> list[str]:
        """The columns of text."""
        return [field.name for field in pq.read_schema(self.reference) if field.type == pa.string()]

    @cached_property
    def numeric(self) -> list[str]:
        """The other columns."""
        return [name for name in pq.read_schema(self.reference).names if self.is_numeric(name)]

    def is_numeric(self, name: str) -> bool:
        """Say whether a column holds numbers."""
        return name not in self.categorical

    def frames(self) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Return reference and current as pandas read them."""
        import pandas as pd  # noqa: PLC0415 - 50 MiB that not every way needs

        return pd.read_parquet(self.reference), pd.read_parquet(self.current)


@dataclass(frozen=True)
class Work:
    """What is measured, and how its result is read afterwards: column to score."""

    run: Callable[[], Any]
    scores: Callable[[Any], Mapping[str, float]] = dict


Prepare = Callable[[Case], Work]


def status_mebibytes(key: str) -> float:
    """Return a figure of this process in MiB: VmRSS is memory now, VmHWM its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def settle() -> None:
    """Give freed memory back, or the work would use it unseen."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)


def forget_peak() -> bool:
    """Start the peak anew; False where the kernel does not let us."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def versions() -> dict[str, str]:
    """Return the versions of the packages there are."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def measured(work: Work) -> dict[str, Any]:
    """Run the work until a second is full, at most five times; the least counts."""
    settle()
    idle, forgotten = status_mebibytes("VmRSS"), forget_peak()
    cpu, wall, peak, result = [], [], 0.0, None
    while len(wall) < ENOUGH_RUNS and sum(wall) < ENOUGH_SECONDS:
        result = None
        cpu_before, wall_before = time.process_time(), time.perf_counter()
        result = work.run()
        cpu.append(time.process_time() - cpu_before)
        wall.append(time.perf_counter() - wall_before)
        # of the first run: what it leaves behind is no cost of the second
        peak = peak or status_mebibytes("VmHWM")
    if not forgotten:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cpu_seconds": min(cpu),
        "wall_seconds": min(wall),
        "runs": len(wall),
        "idle_mebibytes": idle,
        "peak_mebibytes": peak,
        "scores": {name: float(score) for name, score in work.scores(result).items()},
    }


def measure(ways: Mapping[str, Prepare]) -> None:
    """Measure the way that the command line names and print the figures."""
    # Where memory runs out the kernel should end this process and not its parent.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    prepare, files = ways[sys.argv[1]], [Path(argument) for argument in sys.argv[2:6]]
    # Once with few rows: what is imported or compiled at first use is no cost of a comparison.
    prepare(Case(*files[2:])).run()
    figures = measured(prepare(Case(*files[:2])))
    print("\n" + json.dumps({**figures, "versions": versions()}))
