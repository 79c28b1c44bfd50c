"""Worker: claims requests and carries them out, in a process of its own."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from math import inf

import structlog

from retrain.lease import BEATS, Lease, WorkPolicy
from retrain.record import Request, RequestKind
from retrain.run import run
from retrain.trial import trial
from retrain.version import Retrained
from retrain.world import World, claim

_log = structlog.get_logger("leeway.worker")

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Worker:
    """How a worker does its work.

    Parameters
    ----------
    policy : WorkPolicy
        What it allows a run.
    limited : callable
        Limits the memory of what is done within it.
    end_process : callable
        Ends this process at once.
    """

    policy: WorkPolicy
    limited: Callable[[int | None], AbstractContextManager[None]]
    end_process: Callable[[], object]


def work(
    models: Mapping[str, Retrained], world: World, worker: Worker, *, stop: Callable[[], bool]
) -> None:
    """Carry out requests until told to stop.

    Parameters
    ----------
    models : mapping of str to Retrained
        The models by name.
    world : World
        Everything outside.
    worker : Worker
        How it is done.
    stop : callable
        True when the process should end.
    """
    name = f"worker {os.getpid()} on {platform.node()}"
    runs, looked_at = world.runs, -inf
    while not stop():
        if time.monotonic() - looked_at > worker.policy.lease.total_seconds() / BEATS:
            looked_at = time.monotonic()
            runs.release(world.clock.now(), "its worker stopped in the middle of the run")
        request = claim(world, name)
        if request is None:
            time.sleep(POLL_SECONDS)
            continue
        if request.model not in models:
            _log.error("a request for a model that leeway.yaml no longer has", model=request.model)
            continue
        limited = worker.limited(worker.policy.memory_limit_bytes)
        give_up = partial(_give_up, request, world, worker)
        with Lease(runs, request, name, worker.policy, give_up), limited:
            _carry_out(request, models[request.model], world)


def _carry_out(request: Request, model: Retrained, world: World) -> None:
    if request.kind is RequestKind.TRIAL:
        trial(request, model, world)
        return
    _log.info("run started", model=request.model, why=request.why)
    result = run(request, model, world)
    _log.info("run ended", model=request.model, outcome=result.outcome, reason=result.reason)


def _give_up(request: Request, world: World, worker: Worker, why: str) -> None:
    _log.error("run given up", model=request.model, reason=why)
    try:
        world.runs.give_up(request, why, world.clock.now())
    finally:
        worker.end_process()


def parent_is_gone(parent: int | None) -> Callable[[], bool]:
    """Return a question: has the process that started this one ended, however it ended?

    The parent says its own number: asked for here it could have ended already. A worker that
    nobody supervises (None) outlives the shell it was started from.
    """
    return lambda: parent is not None and os.getppid() != parent
