"""A run whose worker is killed before any of its commits: it leaves nothing, or all of it.

Run as a program it is the worker that is killed.
"""

import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import event

from leeway.config import Environment
from leeway.deployment import opened
from leeway.policies import retrained
from monitor.errors import NotFoundError
from retrain.adapters.sql_runs import SqlRuns
from retrain.record import Outcome, RequestKind
from retrain.run import run
from tests.patience import eventually

ROOT = Path(__file__).parents[2]
MODEL = "late"
LEFT = "its worker is gone"


class Worker:
    """A process that carries out requests, each in a child that is killed before a commit."""

    def __init__(self, folder) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def carry_out(self, kind, n_commits):
        """Carry out a request until so many commits are done; tell whether that was all of it."""
        self.process.stdin.write(f"{kind} {n_commits}\n")
        self.process.stdin.flush()
        return {"done": True, "killed": False}[self.process.stdout.readline().strip()]

    def close(self) -> None:
        """End the process."""
        with closing(self.process.stdin), closing(self.process.stdout):
            pass
        assert self.process.wait(60) == 0


@pytest.fixture(params=["home", "home_on_postgres"])
def place(request):
    return request.getfixturevalue(request.param)


def test_a_run_killed_before_any_commit_leaves_nothing_but_its_reason(place):
    with place.opened() as app, closing(Worker(place.folder)) as worker:
        live(app, range(5), by_x=2.6, by_y=0.8)
        held = killed_ever_later(app, worker, RequestKind.RETRAIN)
        assert held["outcome"] == Outcome.HELD, held["reason"]
        aliases, _, inside = standing(app)
        assert aliases == {"champion": 1, "challenger": inside.version}
        assert inside.looks == 2
        live(app, [5], by_x=2.6, by_y=0.8)
        looked = killed_ever_later(app, worker, RequestKind.LOOK)
        assert looked["details"]["look"] == 3


def test_a_promotion_is_whole_or_has_not_been(place):
    with place.opened() as app, closing(Worker(place.folder)) as worker:
        live(app, range(5), by_x=0.2, by_y=4.0)
        promoted = killed_ever_later(app, worker, RequestKind.RETRAIN)
        assert promoted["outcome"] == Outcome.PROMOTED, promoted["reason"]
        version = promoted["details"]["version"]
        assert standing(app) == ({"champion": version, "previous": 1}, [1, version], None)
        assert promoted["details"]["comparison"]["passed"]


def live(app, weeks, **concept: float):
    app.deployment.store.pause(MODEL, paused=True)
    for number in weeks:
        app.live(number, **concept)
        app.deployment.watcher().check(MODEL)


def killed_ever_later(app, worker, kind):
    """Ask until it is carried out, the worker killed one commit later each time; return the run."""
    runs, before, now = app.deployment.retrain_world().runs, standing(app), app.clock.now()
    later = SqlRuns(app.deployment.engine, now=lambda: datetime.now(UTC) + timedelta(days=1))
    n_runs = len(runs.runs(MODEL))
    for n_commits in count():
        if not runs.open_requests(MODEL):
            runs.ask(MODEL, kind, "by hand", "it is time", now)
        if worker.carry_out(kind, n_commits):
            break
        eventually(lambda: ended_all(runs, later, now), "the runs whose workers are killed end")
        assert standing(app) == before
    *failed, ended = runs.runs(MODEL)[n_runs:]
    assert all(one["reason"].startswith(LEFT) for one in failed)
    # Without its first commit nobody has claimed it, and without the second it has no run.
    assert len(failed) == n_commits - 2 > 2
    return ended


def ended_all(runs, later, now):
    """End what killed workers leave; PostgreSQL frees their rows when it notices that they are."""
    later.release(now, LEFT)
    return all(one["ended_at"] for one in runs.runs(MODEL))


def standing(app):
    """Return what stands in the registry and in the gate; every version can be loaded."""
    registry = app.deployment.registry
    numbers = [one.number for one in registry.versions(MODEL)]
    for number in numbers:
        assert registry.load(MODEL, number).pipeline is not None
    with pytest.raises(NotFoundError):
        registry.load(MODEL, max(numbers) + 1)
    return registry.aliases(MODEL), numbers, app.deployment.runs.inside(MODEL)


def carry_out(folder, kind, n_commits):
    """Carry out a request in a child, which is killed when it would commit once more."""
    child = os.fork()
    if not child:
        done = count()

        def kill(_connection) -> None:
            if next(done) == n_commits:
                os.kill(os.getpid(), signal.SIGKILL)

        environment = Environment(api_key=None, clock_file=folder / "clock")
        with opened(folder / "leeway.yaml", environment) as deployment:
            event.listen(deployment.engine, "commit", kill)
            runs = SqlRuns(deployment.engine, lease=timedelta(0))
            request = runs.claim(RequestKind(kind), "worker", deployment.clock.now())
            model = deployment.config.models[MODEL]
            retrain = retrained(MODEL, model, deployment.schema(MODEL))
            run(request, retrain, replace(deployment.retrain_world(), runs=runs))
            os._exit(0)
    return {0: "done", signal.SIGKILL: "killed"}[os.waitpid(child, 0)[1]]


if __name__ == "__main__":
    for line in sys.stdin:
        wanted, number = line.split()
        print(carry_out(Path(sys.argv[1]), wanted, int(number)), flush=True)  # noqa: T201 - the test reads it
