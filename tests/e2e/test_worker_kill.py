"""`kill -9` of a real worker at every step of a run, two workers side by side, and their limits."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest

from retrain.lease import WorkPolicy
from retrain.record import RequestKind
from retrain.worker import Worker, work
from tests.lived import model_of
from tests.patience import eventually

PATIENCE_SECONDS = 120
STEPS = (0.0, 0.1, 0.8, 0.95)
"""Shares done at which a worker is killed: collecting, searching, comparing, promoting."""


@pytest.fixture
def ready(home):
    """A deployment that has lived through weeks in which the label follows another column."""
    home.configure("tick:", "worker: {lease: PT2S}\ntick:")
    home.configure("cooldown: P1D", "cooldown: P1D, when: []")
    with home.opened() as app:
        for number in range(5):
            app.live(number, by_x=0.2, by_y=4.0)
            app.deployment.watcher().check("late")
    return home


@pytest.fixture
def worker(ready):
    """Start workers on the deployment; what still runs in the end is killed."""
    started = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "leeway", "serve", "--role", "worker", "--config"]
        with (ready.folder / "worker.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [*command, str(ready.config)], env=ready.environment(), stdout=log, stderr=log
                )
            )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def ask(app):
    runs = app.deployment.retrain_world().runs
    return runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", app.clock.now())


def run_of(app, request):
    runs = app.deployment.retrain_world().runs.runs("late")
    return next((run for run in runs if run["request_id"] == request), None)


def wait_for(app, request, until, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        run = run_of(app, request)
        if run is not None and (until(run) or run["ended_at"]):
            return run
        assert time.monotonic() < deadline, f"waited until {what}"
        time.sleep(0.002)


def check_nothing_is_half_done(app, request):
    """Champion and run say the same, and every version that is there can be loaded."""
    registry, run = app.deployment.registry, run_of(app, request)
    champion = registry.champion("late")
    if run["outcome"] == "promoted":
        assert champion == run["details"]["version"]
    else:
        assert champion == 1
    for version in registry.versions("late"):
        assert registry.load("late", version.number).pipeline is not None


def test_a_worker_killed_at_any_step_leaves_the_champion_alone_and_the_next_one_says_so(
    ready, worker
):
    with ready.opened() as app:
        process = worker()
        for step in STEPS:
            request = ask(app)
            wait_for(app, request, lambda run, s=step: run["progress"] >= s, f"{step} is done")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            check_nothing_is_half_done(app, request)
            process = worker()
            run = wait_for(app, request, lambda run: run["ended_at"], "the run is ended")
            check_nothing_is_half_done(app, request)
            if run["outcome"] == "promoted":
                break  # in the moment before the signal came
            assert run["reason"].startswith("its worker stopped in the middle of the run (worker ")
        else:
            request = ask(app)
            run = wait_for(app, request, lambda run: run["ended_at"], "a new run has ended")
        assert run["outcome"] == "promoted"
        check_nothing_is_half_done(app, request)


def test_a_second_worker_does_not_end_the_run_of_the_first(ready, worker):
    with ready.opened() as app:
        request = ask(app)
        first = worker()
        wait_for(app, request, lambda _run: True, "the run has begun")
        second = worker()
        run = wait_for(app, request, lambda run: run["ended_at"], "the run has ended")
        assert run["outcome"] == "promoted"
        assert (first.poll(), second.poll()) == (None, None)


LEASE = timedelta(seconds=2)


@pytest.fixture
def long_run(ready):
    """Carry out a run in this process, which stays in its search until it is told to go on."""
    go_on, stopped = threading.Event(), threading.Event()

    def stopwatch() -> float:
        go_on.wait(PATIENCE_SECONDS)
        return 0.0

    with ready.opened() as app, ThreadPoolExecutor(1) as pool:
        world = replace(app.deployment.retrain_world(), monotonic=stopwatch)
        mine = Worker(WorkPolicy(LEASE), nullcontext, lambda: pytest.fail("it gave up"))
        running = pool.submit(work, {"late": model_of(app)}, world, mine, stop=stopped.is_set)
        try:
            yield app, go_on
        finally:
            go_on.set()
            stopped.set()
        running.result(PATIENCE_SECONDS)


def held(app, seconds):
    """Return who has the run's request for some time, how often it was claimed, and until when."""
    seen, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        row, *_ = app.deployment.retrain_world().runs.requests("late")
        seen.append((row["claimed_by"], row["n_claims"], row["lease_until"]))
        assert run_of(app, row["id"])["ended_at"] is None
        time.sleep(0.1)
    return seen


def test_a_worker_that_is_alive_keeps_its_run_for_many_leases(long_run, worker):
    app, go_on = long_run
    runs, request = app.deployment.retrain_world().runs, ask(app)
    wait_for(app, request, lambda _run: True, "the run has begun")
    other = worker()
    runs.ask("late", RequestKind.TRIAL, "gain", "would a run pay?", app.clock.now())
    eventually(lambda: runs.newest_trial("late"), "the other worker looks for work")
    seen = held(app, 4 * LEASE.total_seconds())
    go_on.set()
    run = wait_for(app, request, lambda run: run["ended_at"], "the run has ended")
    assert run["outcome"] == "promoted"
    ((by, n_claims),) = {one[:2] for one in seen}
    assert (f"worker {os.getpid()} " in by, n_claims) == (True, 1)
    assert seen[-1][2] - seen[0][2] > 3 * LEASE
    assert other.poll() is None


def test_a_run_over_its_time_is_failed_and_its_worker_ends(ready, worker):
    ready.configure("{lease: PT2S}", "{lease: PT2S, time_limit: PT0.05S}")
    with ready.opened() as app:
        request, process = ask(app), worker()
        assert process.wait(PATIENCE_SECONDS) == 3
        run = run_of(app, request)
        assert run["outcome"] == "failed"
        assert run["reason"] == "it took longer than 0.05 s (worker.time_limit)"
        check_nothing_is_half_done(app, request)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts it")
def test_a_run_over_its_memory_is_failed_and_the_worker_goes_on(ready, worker):
    # Less than a thread's stack, and enough to say so: without any room Python itself may hang.
    ready.configure("{lease: PT2S}", "{lease: PT2S, memory_limit_bytes: 4000000}")
    with ready.opened() as app:
        request, process = ask(app), worker()
        run = wait_for(app, request, lambda run: run["ended_at"], "the run has ended")
        assert run["outcome"] == "failed", run["reason"]
        assert re.match("MemoryError|RuntimeError: can't start new thread", run["reason"])
        assert process.poll() is None
        check_nothing_is_half_done(app, request)
