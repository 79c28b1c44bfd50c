"""Supervisor: keeps the worker process alive beside a server."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

PAUSE_SECONDS = 1.0
"""Between two starts: a worker that dies at once must not spin."""


class Supervisor:
    """Keeps a worker process alive beside this one, from enter to exit.

    Parameters
    ----------
    config_file : Path
        leeway.yaml.
    """

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(
            target=self._supervise, name="worker supervisor", daemon=True
        )

    @property
    def pid(self) -> int | str:
        """The worker's process id; without a worker a number that no process has."""
        return self._process.pid if self._process else "none"

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._closing.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(timeout=10)

    def _supervise(self) -> None:
        command = [sys.executable, "-m", "leeway", "serve", "--role", "worker", "--config"]
        environment = {**os.environ, "LEEWAY_SUPERVISOR": str(os.getpid())}
        while not self._closing.is_set():
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, str(self._config_file)], env=environment
            )
            self._process.wait()
            self._closing.wait(PAUSE_SECONDS)
