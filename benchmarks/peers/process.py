"""Processes: a command run to its end, with its time and its memory as the system counted them."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SETTINGS = {
    "DO_NOT_TRACK": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "true",
    "PYTHONWARNINGS": "ignore",
    "PYTHONHASHSEED": "0",  # Evidently sums over a set of texts: in the same order each time
    # With more than one, OpenBLAS's idle threads spin: that doubled Evidently's CPU seconds on two
    # cores and saved no wall time. The benchmark would gain by it, so it goes without.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
REASON_LENGTH = 120


@dataclass(frozen=True)
class Ended:
    """What a process left behind; `failure` is empty when it went well."""

    output: str
    code: int
    failure: str
    cpu_seconds: float
    wall_seconds: float
    peak_mebibytes: float


def run(command: Sequence[str | Path], *, folder: Path, limit_seconds: float) -> Ended:
    """Run a command in a folder; it is killed at the limit."""
    late = threading.Event()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=errors, env={**os.environ, **SETTINGS}
        )

        def stop() -> None:
            late.set()
            os.kill(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit_seconds, stop)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
        wall = time.perf_counter() - began
        # Popen does not know that wait4 was here, and would wait for a process that is gone.
        process.returncode = code = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Ended(
            output=output.read(),
            code=code,
            failure=f"over {limit_seconds:g} s" if late.is_set() else reason(code, errors.read()),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            wall_seconds=wall,
            peak_mebibytes=usage.ru_maxrss / 1024,
        )


def reason(code: int, errors: str) -> str:
    """Say in a line why a process failed; empty when it did not."""
    if code == 0:
        return ""
    if code == -signal.SIGKILL:
        return "killed, most likely because memory ran out"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("ERROR")), (lines or [""])[-1])
    # in a table cell a bar would end it
    return (last or f"ended with code {code}").replace("|", "/")[:REASON_LENGTH]
