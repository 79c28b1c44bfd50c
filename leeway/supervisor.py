"""Supervisor: keeps the worker process alive beside a server."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE_SECONDS = 1.0
"""Between two starts: a worker that dies at once must not spin."""


@contextmanager
def supervised_worker(config_file: Path) -> Iterator[None]:
    """Keep a worker process alive beside this one."""
    command = [sys.executable, "-m", "leeway", "serve", "--role", "worker", "--config"]
    environment = {**os.environ, "LEEWAY_SUPERVISOR": str(os.getpid())}
    closing = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def supervise() -> None:
        while not closing.is_set():
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, str(config_file)], env=environment
            )
            child[:] = [process]
            process.wait()
            closing.wait(PAUSE_SECONDS)

    thread = threading.Thread(target=supervise, name="worker supervisor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        for process in child:
            process.terminate()
        thread.join(timeout=10)
