"""Scheduler: ticks, on one process at a time."""

import threading
from collections.abc import Callable, Collection, Mapping

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from monitor.alert import Judged
from monitor.cycle import deliver, watch
from monitor.errors import NotFoundError
from monitor.ports import Leader
from monitor.world import Watched, World, uncalibrated_now

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
    carry_out : callable
        Carries out at once what the decisions ask for and no worker is needed for: rollbacks.
    """

    def __init__(
        self,
        watched: Mapping[str, Watched],
        world: World,
        carry_out: Callable[[], object] = lambda: None,
    ) -> None:
        self.watched = watched
        self.world = world
        self._carry_out = carry_out
        self._lock = threading.Lock()

    def check(self, model: str) -> list[Judged]:
        """Judge what is due for one model; NotFoundError for one that is not watched."""
        if model not in self.watched:
            raise NotFoundError("model", model)
        with self._lock:
            judged = watch(self.watched[model], self.world)
            self._carry_out()
            return judged

    def check_all(self, held: Collection[str] = ()) -> None:
        """Judge what is due for every model but those held back, whose rows are coming in yet.

        One that fails does not hold up the others.
        """
        with self._lock:
            for watched in self.watched.values():
                if watched.name in held:
                    continue
                try:
                    watch(watched, self.world)
                except Exception:  # noqa: BLE001 - noted on the model; the others go on
                    _log.exception("the cycle could not be run", model=watched.name)
            self._carry_out()

    def uncalibrated(self, model: str) -> str:
        """Say why a model's drift is not judged by its alert budget; empty where it is."""
        known = self.watched.get(model)
        return uncalibrated_now(known, self.world) if known else ""

    def deliver(self) -> None:
        """Send what is in the outbox."""
        with self._lock:
            deliver(self.world)


def scheduler(
    watcher: Watcher,
    collect: Callable[[], Collection[str]],
    housekeeping: Callable[[], object],
    leader: Leader,
    every_seconds: float,
) -> BackgroundScheduler:
    """Return a scheduler that ticks while this process leads.

    Parameters
    ----------
    watcher : Watcher
        Judges and delivers.
    collect : callable
        Collects rows before windows are judged; returns the models that are not to be judged yet.
    housekeeping : callable
        What else the leader does every minute: sealing the log.
    leader : Leader
        One process of a deployment; the others try again at each tick.
    every_seconds : float
        Time between ticks.
    """

    def tick() -> None:
        try:
            if leader.hold():
                watcher.check_all(held=collect())
                watcher.deliver()
        except Exception:  # noqa: BLE001 - a scheduler that dies watches nothing
            _log.exception("the tick failed; the next one tries again")

    def keep_house() -> None:
        try:
            if leader.hold():
                housekeeping()
        except Exception:  # noqa: BLE001 - as above: what waits stays where it is
            _log.exception("the log could not be sealed; the next minute tries again")

    jobs = BackgroundScheduler(timezone="UTC")
    jobs.add_job(tick, "interval", seconds=every_seconds, max_instances=1, coalesce=True)
    jobs.add_job(keep_house, "interval", seconds=HOUSEKEEPING_SECONDS, coalesce=True)
    return jobs
