"""Scheduler: ticks, on one process at a time."""

import threading
from collections.abc import Callable, Mapping

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from filelock import FileLock, Timeout

from monitor.alert import Judged
from monitor.batch import RowKind
from monitor.cycle import Watched, World, deliver, watch
from monitor.errors import NotFoundError

HOUSEKEEPING_SECONDS = 60
"""Often enough for a short inbox, seldom enough for few files."""

_log = structlog.get_logger("leeway.scheduler")


class Watcher:
    """Judges what is due, one call at a time.

    Parameters
    ----------
    watched : mapping of str to Watched
        The models by name.
    world : World
        Everything outside.
    """

    def __init__(self, watched: Mapping[str, Watched], world: World) -> None:
        self.watched = watched
        self.world = world
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, int]] = {}

    def check(self, model: str) -> list[Judged]:
        """Judge what is due for one model; NotFoundError for one that is not watched."""
        if model not in self.watched:
            raise NotFoundError("model", model)
        with self._lock:
            return self._watch(self.watched[model])

    def check_all(self) -> None:
        """Judge what is due for every model; one that fails does not hold up the others."""
        with self._lock:
            for watched in self.watched.values():
                try:
                    self._watch(watched)
                except Exception:  # noqa: BLE001 - noted on the model; the others go on
                    _log.exception("the cycle could not be run", model=watched.name)

    def _watch(self, watched: Watched) -> list[Judged]:
        log, name = self.world.log, watched.name
        extent = (log.extent(name).n_rows, log.extent(name, RowKind.LABEL).n_rows)
        # Old windows are looked at again only when something has come since.
        judged = watch(watched, self.world, look_back=self._seen.get(name) != extent)
        self._seen[name] = extent
        return judged

    def deliver(self) -> None:
        """Send what is in the outbox."""
        with self._lock:
            deliver(self.world)


def scheduler(
    watcher: Watcher, housekeeping: Callable[[], object], lock: FileLock, every_seconds: float
) -> BackgroundScheduler:
    """Return a scheduler that ticks while this process holds the lock.

    Parameters
    ----------
    watcher : Watcher
        Judges and delivers.
    housekeeping : callable
        What else the leader does every minute: sealing the log.
    lock : FileLock
        Held by one process of a deployment; the others try again at each tick.
    every_seconds : float
        Time between ticks.
    """

    def tick() -> None:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return
        try:
            watcher.check_all()
            watcher.deliver()
        except Exception:  # noqa: BLE001 - a scheduler that dies watches nothing
            _log.exception("the tick failed; the next one tries again")

    def keep_house() -> None:
        if lock.is_locked:
            housekeeping()

    jobs = BackgroundScheduler(timezone="UTC")
    jobs.add_job(tick, "interval", seconds=every_seconds, max_instances=1, coalesce=True)
    jobs.add_job(keep_house, "interval", seconds=HOUSEKEEPING_SECONDS, coalesce=True)
    return jobs
