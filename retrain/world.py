"""World: everything outside that retraining touches."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.batch import LABEL
from monitor.ports import Clock
from retrain.collected import Part
from retrain.dataset import Dataset, from_table
from retrain.live import Live
from retrain.ports import Registry, Rows, Runs
from retrain.record import Request, RequestKind
from retrain.version import Retrained, with_logged

WORK = (RequestKind.RETRAIN, RequestKind.LOOK, RequestKind.TRIAL)
"""What a worker does, the most urgent first."""


@dataclass(frozen=True)
class World:
    """Everything outside that a run or a trial touches.

    Parameters
    ----------
    rows, registry, runs, clock
        The ports of `retrain.ports` and `monitor.ports`.
    monotonic : callable
        A stopwatch in seconds.
    live : callable
        Tells by model, version and champion what the version made of live rows; None before any.
    """

    rows: Rows
    registry: Registry
    runs: Runs
    clock: Clock
    monotonic: Callable[[], float]
    live: Callable[[str, int, int], Live | None]


def claim(world: World, by: str) -> Request | None:
    """Take the most urgent open request; no other process gets it."""
    for kind in WORK:
        request = world.runs.claim(kind, by, world.clock.now())
        if request is not None:
            return request
    return None


def collect(model: Retrained, world: World) -> Dataset:
    """Return all labelled rows of a model, with the logged predictions."""
    return collected(model, world)[0]


def collected(model: Retrained, world: World) -> tuple[Dataset, tuple[Part, ...]]:
    """Return all labelled rows of a model, and where they come from."""
    found = world.rows.labelled(model.name, world.clock.now())
    return from_table(found.rows, with_logged(model.schema), LABEL), found.parts
