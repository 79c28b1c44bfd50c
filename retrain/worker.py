"""Worker: claims requests and carries them out, in a process of its own."""

import os
import time
from collections.abc import Callable, Mapping

import structlog

from retrain.ports import RequestKind
from retrain.run import World, run
from retrain.version import Retrained

_log = structlog.get_logger("leeway.worker")

POLL_SECONDS = 0.2


def work(models: Mapping[str, Retrained], world: World, *, stop: Callable[[], bool]) -> None:
    """Carry out requests until told to stop.

    Parameters
    ----------
    models : mapping of str to Retrained
        The models by name.
    world : World
        Everything outside.
    stop : callable
        True when the process should end.
    """
    name = f"worker-{os.getpid()}"
    while not stop():
        request = world.runs.claim(RequestKind.RETRAIN, name, world.clock.now())
        if request is None:
            time.sleep(POLL_SECONDS)
            continue
        if request.model not in models:
            _log.error("a request for a model that leeway.yaml no longer has", model=request.model)
            continue
        _log.info("run started", model=request.model, why=request.why)
        result = run(request, models[request.model], world)
        _log.info("run ended", model=request.model, outcome=result.outcome, reason=result.reason)


def parent_is_gone(parent: int | None) -> Callable[[], bool]:
    """Return a question: has the process that started this one ended, however it ended?

    The parent says its own number: asked for here it could have ended already. A worker that
    nobody supervises (None) outlives the shell it was started from.
    """
    return lambda: parent is not None and os.getppid() != parent
