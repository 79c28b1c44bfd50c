"""Shadow: versions that do not serve predict the same rows, beside the way of the answer."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Condition, Thread

import structlog

from monitor.batch import MODEL_VERSION, Batch, Receipt
from monitor.ports import Log
from retrain.live import Beside, Live
from retrain.scored import Scored, scored
from retrain.serving import Served, Serving

_log = structlog.get_logger("leeway.shadow")

MAX_WAITING_ROWS = 100_000
"""Beyond this many waiting rows more are dropped: the answers have the machine first."""

GATHER_SECONDS = 0.1
"""How long rows gather: a hundred rows predicted together cost little more than one."""

BESIDE_SECONDS = 1.0
"""How long who is beside a champion is not asked again."""

TIMED_SECONDS = 10.0
"""How often rows are predicted by the champion once more, to time both: a sample is enough."""


class Shadowing:
    """Takes rows that were answered, and logs what those beside the champion predict for them.

    Nothing waits for it: what it cannot take, predict or log is dropped and counted.

    Parameters
    ----------
    serving : Serving
        Where versions come from, and the champion that they are timed beside.
    log : Log
        Where the rows go.
    beside : callable
        Says who predicts beside a model's champion; None where nobody does.
    note : callable
        Told the model and what came of its rows.
    dropped : callable
        Told the model and the number of rows that were dropped.
    """

    def __init__(
        self,
        serving: Serving,
        log: Log,
        beside: Callable[[str], Beside | None],
        note: Callable[[str, Live], object],
        dropped: Callable[[str, int], object] = lambda *_: None,
    ) -> None:
        self._serving = serving
        self._log = log
        self._ask = beside
        self._note = note
        self._dropped = dropped
        self._waiting: deque[Batch] = deque()
        self._n_waiting_rows = 0
        self._changed = Condition()
        self._closed = False
        self._thread: Thread | None = None
        self._known: dict[str, tuple[Beside | None, float]] = {}
        self._timed_at: dict[str, float] = {}
        self._versions: dict[str, dict[int, Served]] = {}

    def offer(self, batch: Batch) -> None:
        """Take rows that were predicted by the champion; returns at once."""
        known, until = self._known.get(batch.model, (None, 0.0))
        if known is None and time.monotonic() <= until:
            return  # nobody is beside it: the thread need not wake for these rows
        with self._changed:
            if self._closed or self._n_waiting_rows + batch.rows.num_rows > MAX_WAITING_ROWS:
                self._dropped(batch.model, batch.rows.num_rows)
                return
            self._waiting.append(batch)
            self._n_waiting_rows += batch.rows.num_rows
            if self._thread is None:  # a process that never predicts has no thread for it
                self._thread = Thread(target=self._run, name="shadow", daemon=True)
                self._thread.start()
            elif len(self._waiting) == 1:
                self._changed.notify()

    def close(self) -> None:
        """Log what waits, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def shadow(self, batches: Sequence[Batch]) -> None:
        """Log now what those beside the champion predict for rows of one model."""
        self._score(batches, self._ask(batches[0].model), timed=False)

    def _run(self) -> None:
        while group := self._collect():
            for model in dict.fromkeys(one.model for one in group):
                batches = [one for one in group if one.model == model]
                try:
                    self._score(batches, self._beside(model), timed=self._is_time(model))
                except Exception:  # noqa: BLE001 - nothing may end the thread that scores the next
                    _log.exception("nobody could be asked to predict beside", model=model)
                    self._dropped(model, _n_rows(batches))

    def _collect(self) -> list[Batch]:
        """Wait for rows and take all of them; none means that it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(lambda: self._closed, GATHER_SECONDS)
            group = list(self._waiting)
            self._waiting.clear()
            self._n_waiting_rows = 0
        return group

    def _beside(self, model: str) -> Beside | None:
        known, until = self._known.get(model, (None, 0.0))
        now = time.monotonic()
        if now > until:
            known = self._ask(model)
            self._known[model] = known, now + BESIDE_SECONDS
        return known

    def _is_time(self, model: str) -> bool:
        now = time.monotonic()
        due = now - self._timed_at.get(model, -TIMED_SECONDS) >= TIMED_SECONDS
        if due:
            self._timed_at[model] = now
        return due

    def _score(self, batches: Sequence[Batch], beside: Beside | None, *, timed: bool) -> None:
        model = batches[0].model
        loaded = self._versions.get(model, {})
        wanted = beside.versions if beside is not None else ()
        self._versions[model] = {one: loaded[one] for one in wanted if one in loaded}
        mine = [one for one in batches if beside is not None and _is_of(one, beside.champion)]
        for version in wanted if mine else ():
            assert beside is not None
            live = Live(version, beside.champion)
            try:
                self._score_with(live, mine, timed=timed and version == beside.challenger)
            except Exception:  # noqa: BLE001 - what one cannot do keeps the others from nothing
                _log.exception("live rows were not scored", model=model, version=version)
                self._dropped(model, _n_rows(mine))

    def _score_with(self, nothing: Live, batches: Sequence[Batch], *, timed: bool) -> None:
        """Predict with one version, log what it says, and note what came of it."""
        model, live = batches[0].model, nothing
        served = self._version(model, nothing.version)
        for one in scored(served, batches):
            if one.made is None:
                self._dropped(model, one.rows.num_rows)
            live = live.plus(one.live(nothing, self._logged(one)))
            if timed and one.made is not None:
                live = live.plus(self._timed(model, nothing, one))
        if live.error:
            _log.error("live rows could not be predicted", model=model, why=live.failure)
        self._note(model, live)

    def _logged(self, one: Scored) -> list[bool]:
        """Log shadow rows; says which batches were new and are on disk."""
        if one.made is None:
            return [False] * len(one.batches)
        outcomes = self._log.append_together([[shadow] for shadow in one.shadows()]).result()
        for batch, outcome in zip(one.batches, outcomes, strict=True):
            if not isinstance(outcome, Receipt):
                self._dropped(batch.model, batch.n_rows)
        return [isinstance(told, Receipt) and not told.repeated for told in outcomes]

    def _timed(self, model: str, nothing: Live, one: Scored) -> Live:
        """Return what a version and the champion take for the same rows, if it still serves."""
        champion = self._serving.champion(model)
        if champion.version != nothing.champion:
            return nothing
        started = time.perf_counter()
        champion.predict(one.rows)
        seconds = time.perf_counter() - started
        return replace(nothing, seconds=one.seconds, champion_seconds=seconds)

    def _version(self, model: str, version: int) -> Served:
        loaded = self._versions[model]
        if version not in loaded:
            loaded[version] = self._serving.another(model, version)
        return loaded[version]


def _is_of(batch: Batch, version: int) -> bool:
    versions = batch.column(MODEL_VERSION)
    return bool(batch.n_rows) and bool(versions[0].as_py() == version)


def _n_rows(batches: Sequence[Batch]) -> int:
    return sum(one.n_rows for one in batches)
