"""Lease: a worker's hold on a request, which ends by itself when the worker does."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from monitor.errors import StorageError
from retrain.ports import Runs
from retrain.record import Request

_log = structlog.get_logger("leeway.worker")

BEATS = 5
"""Renewals in the time of a lease: one that fails is not the end."""


@dataclass(frozen=True)
class WorkPolicy:
    """What a worker allows a run.

    Parameters
    ----------
    lease : timedelta
        How long a worker may be silent before it is taken for dead.
    time_limit : timedelta
        How long one run may take.
    memory_limit_bytes : int or None
        What one run may take beyond the worker's own memory.
    """

    lease: timedelta = timedelta(seconds=30)
    time_limit: timedelta = timedelta(hours=2)
    memory_limit_bytes: int | None = None


class Lease:
    """Renews a worker's hold on a request from enter to exit.

    A run that takes too long cannot be interrupted in the middle of a fit: it is put on record as
    failed, and the process ended.

    Parameters
    ----------
    runs : Runs
        Where the request is.
    request : Request
        What is carried out.
    by : str
        The worker.
    policy : WorkPolicy
        How long it may take.
    give_up : callable
        Puts on record that a run took too long, and why, and ends this process.
    """

    def __init__(
        self,
        runs: Runs,
        request: Request,
        by: str,
        policy: WorkPolicy,
        give_up: Callable[[str], object],
    ) -> None:
        self._runs, self._request, self._by = runs, request, by
        self._policy, self._give_up = policy, give_up
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew it."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Renew it no more."""
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        deadline = time.monotonic() + self._policy.time_limit.total_seconds()
        pause = self._policy.lease.total_seconds() / BEATS
        while not self._over.wait(min(pause, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                limit = self._policy.time_limit.total_seconds()
                self._give_up(f"it took longer than {limit:g} s (worker.time_limit)")
                return
            try:
                self._runs.renew(self._request, self._by)
            except StorageError:
                _log.exception("the lease could not be renewed; it is tried again")
