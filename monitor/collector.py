"""Collector: collects what is due, each model in a thread of its own."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from monitor.collection import MAX_PIECES, Collected, World, collect
from monitor.errors import LeewayError, SourceError
from monitor.sieve import Refusal

LONGEST_PAUSE_SECONDS = 3_600.0
"""A source that is away is asked again after a doubling pause, at most this."""

GRACE_SECONDS = 5.0
"""How long a tick waits for collections: most end within it, and their rows are judged at once."""

PATIENCE_SECONDS = 600.0
"""A collection that has brought nothing for so long no longer holds up its model's windows."""

_log = structlog.get_logger("leeway.collector")


@dataclass(frozen=True)
class Sources:
    """Where the rows of one model are.

    Parameters
    ----------
    streams : sequence of Collected
        Predictions and labels.
    every_seconds : float
        Time between collections.
    secrets : frozenset of str
        What must not be shown in a message.
    """

    streams: Sequence[Collected]
    every_seconds: float
    secrets: frozenset[str] = frozenset()

    def hide(self, text: str) -> str:
        """Return a text without the secrets, on one line."""
        # The longest first: one may be a part of another.
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text.partition("\n")[0]


@dataclass
class _Going:
    """How the collection of one model stands."""

    due_at: float = 0.0
    moved_at: float = 0.0
    n_failures: int = 0
    behind: bool = False
    wanted_pause: float = 0.0
    thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Collector:
    """Collects from the sources of all models; one that is slow or away holds up no other.

    Parameters
    ----------
    sources : mapping of str to Sources
        By model; those whose rows are only sent in are left out.
    world : monitor.collection.World
        Everything outside.
    monotonic : callable
        A stopwatch in seconds.
    closing : threading.Event
        Set when the process ends; sources that wait should wait for it.
    """

    def __init__(
        self,
        sources: Mapping[str, Sources],
        world: World,
        monotonic: Callable[[], float],
        closing: threading.Event,
    ) -> None:
        self._sources = sources
        self._world = world
        self._monotonic = monotonic
        self._closing = closing
        self._going = {model: _Going() for model in sources}

    def collect(self) -> frozenset[str]:
        """Collect what is due; returns the models whose windows are not to be judged yet.

        These are collected still, or have more to come. A model whose source is away is judged
        on what is there.
        """
        began = self._monotonic()
        for model, going in self._going.items():
            if not going.is_running and going.due_at <= began:
                self._start(model, going)
        for going in self._going.values():
            if going.thread is not None:
                going.thread.join(max(0.0, began + GRACE_SECONDS - self._monotonic()))
        return frozenset(model for model, going in self._going.items() if self._holds(going))

    def close(self) -> None:
        """Let collections end after the piece that they are at."""
        self._closing.set()
        for going in self._going.values():
            if going.thread is not None:
                going.thread.join(GRACE_SECONDS)

    def _start(self, model: str, going: _Going) -> None:
        going.moved_at = self._monotonic()
        # A daemon: a source that hangs must not keep the process.
        going.thread = threading.Thread(
            target=self._run, args=(model, going), name=f"collection of {model}", daemon=True
        )
        going.thread.start()

    def _holds(self, going: _Going) -> bool:
        if not going.is_running:
            return going.behind
        return self._monotonic() - going.moved_at < PATIENCE_SECONDS

    def _run(self, model: str, going: _Going) -> None:
        sources = self._sources[model]
        going.behind, going.wanted_pause = False, 0.0
        errors = [e for one in sources.streams if (e := self._collect(one, sources, going))]
        going.n_failures = going.n_failures + 1 if errors else 0
        pause = sources.every_seconds * 2 ** min(going.n_failures, 16)
        pause = min(pause, max(LONGEST_PAUSE_SECONDS, sources.every_seconds))
        going.behind = going.behind and not errors
        going.due_at = self._monotonic() + max(pause, going.wanted_pause) * (not going.behind)
        if self._closing.is_set():
            return
        try:
            self._world.cursors.note(model, "; ".join(errors) or None, self._world.clock.now())
        except Exception as error:  # noqa: BLE001 - the database may be away; the thread must end
            problem = sources.hide(f"{type(error).__name__}: {error}")
            _log.warning("the outcome of a collection was not noted", model=model, error=problem)

    def _collect(self, collected: Collected, sources: Sources, going: _Going) -> str | None:
        """Collect one stream; returns what went wrong."""
        stream, n_pieces = collected.stream, 0
        try:
            for refusals in collect(collected, self._world):
                n_pieces += 1
                going.moved_at = self._monotonic()
                _tell(stream.model, refusals, sources)
                if self._closing.is_set():
                    return None
        except Exception as error:  # noqa: BLE001 - noted on the model; the others go on
            if isinstance(error, SourceError):
                going.wanted_pause = max(going.wanted_pause, error.retry_after_seconds or 0.0)
            named = "" if isinstance(error, LeewayError) else f"{type(error).__name__}: "
            problem = sources.hide(f"source of {stream.kind}s: {named}{error}")
            _log.warning("collection failed", model=stream.model, error=problem)
            return problem
        going.behind = going.behind or n_pieces >= MAX_PIECES
        return None


def _tell(model: str, refusals: Sequence[Refusal], sources: Sources) -> None:
    """Log why rows were refused: the first of each kind, and how many."""
    kinds: dict[tuple[str, str | None], list[Refusal]] = {}
    for refusal in refusals:
        kinds.setdefault((refusal.error.reason, refusal.error.field), []).append(refusal)
    for (reason, _), alike in kinds.items():
        first = sources.hide(str(alike[0].error))
        n_rows = sum(one.n_rows for one in alike)
        _log.warning("rows refused", model=model, reason=reason, n_rows=n_rows, first=first)
