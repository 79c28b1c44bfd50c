"""Replay: a history taken through the whole loop, window by window, on a clock that is set."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from leeway.backtest.home import Done, done_of, note
from leeway.backtest.past import Past, Step
from leeway.deployment import Deployment
from leeway.policies import retrained
from monitor import intake
from monitor.adapters.clocks import FileClock
from monitor.batch import PREDICTION_ID, Batch
from monitor.body import Body
from monitor.reserved import ID_FIELD
from retrain.record import Outcome, Request, RequestKind
from retrain.run import run
from retrain.serving import Serving
from retrain.trial import trial
from retrain.world import claim

SEALED_EVERY = 10
"""Windows between two sealings of the replayed log."""

REPLACED_BY = "backtest"
"""Who asks for a run that replaces the champion without a gate."""

Waiting = tuple[datetime, int, pa.Table]
"""When a window's labels come, its number, and the labels."""


class Replay:
    """One replay, on a deployment of its own.

    Parameters
    ----------
    deployment : Deployment
        With version 1 in place and a clock that can be set.
    model : str
        The model.
    label_lag : timedelta
        How long after a window's end its labels come.
    replace_every : int or None
        Replace the champion after this many windows, without a gate.
    """

    def __init__(
        self,
        deployment: Deployment,
        model: str,
        label_lag: timedelta,
        replace_every: int | None,
    ) -> None:
        self._deployment = deployment
        self._model = model
        self._label_lag = label_lag
        self._replace_every = replace_every
        self._watcher = deployment.watcher()
        self._world = deployment.retrain_world()
        self._runs = deployment.runs
        self._serving = Serving(deployment.registry)
        self._shadowing = deployment.shadowing(self._serving)
        self._schema = deployment.schema(model)
        self._retrained = retrained(model, deployment.config.models[model], self._schema)
        self._retrain_cpu_seconds = 0.0

    def run(self, past: Past, home: Path) -> None:
        """Take the steps, each window's labels a lag after its end.

        Parameters
        ----------
        past : Past
            The history.
        home : Path
            Where the deployment is, and where it is noted how many steps are done: a replay that
            was stopped goes on after them, to the same end.
        """
        before = done_of(home)
        done, self._retrain_cpu_seconds = before.steps, before.retrain_cpu_seconds
        self._ask_again(past.steps[done - 1].end if done else past.begins_at)
        waiting = self._still_waiting(past.steps[:done])
        for number, step in enumerate(past.steps, start=1):
            if number <= done:
                continue
            waiting = self._take(step, number, waiting)
            note(home, Done(number, self._retrain_cpu_seconds))
        # What still waits comes now: a clock that went on would bring windows without any row.
        self._labels_until(datetime.max.replace(tzinfo=UTC), waiting)
        self._judge(past.steps[-1].end)
        note(home, Done(len(past.steps) + 1, self._retrain_cpu_seconds))

    def _take(self, step: Step, number: int, waiting: list[Waiting]) -> list[Waiting]:
        self._set(step.end)
        waiting = self._labels_until(step.end, waiting)
        if step.rows.num_rows:
            batches = self._predicted(step, number)
            self._deployment.log.append(batches).result()
            self._shadowing.shadow(batches[:1])
            waiting.append((step.end + self._label_lag, number, self._labels(step, batches)))
            waiting = self._labels_until(step.end, waiting)
        self._judge(step.end)
        if self._replace_every and step.rows.num_rows and number % self._replace_every == 0:
            self._replace(f"{number} windows have passed")
        if number % SEALED_EVERY == 0:
            self._deployment.log.seal()
        return waiting

    def _ask_again(self, now: datetime) -> None:
        """Ask again for what was begun when the replay was stopped."""
        for request in self._runs.open_requests(self._model):
            if request["claimed_at"] is None and request["trigger"] != REPLACED_BY:
                continue
            kind, trigger, why = RequestKind(request["kind"]), request["trigger"], request["why"]
            begun = Request(request["id"], self._model, kind, trigger, why, request["asked_at"])
            self._runs.give_up(begun, "the backtest was stopped in the middle of it", now)
            if trigger != REPLACED_BY:  # the step that replaces asks again by itself
                self._runs.ask(self._model, kind, trigger, why, request["asked_at"])

    def _still_waiting(self, done: Sequence[Step]) -> list[Waiting]:
        """Return the labels of steps that are done which had not come by then."""
        return [
            (step.end + self._label_lag, number, self._labels(step, self._predicted(step, number)))
            for number, step in enumerate(done, start=1)
            if step.end + self._label_lag > done[-1].end and step.rows.num_rows
        ]

    def _set(self, instant: datetime) -> None:
        clock = self._deployment.clock
        assert isinstance(clock, FileClock)
        clock.set(instant)

    def _predicted(self, step: Step, number: int) -> list[Batch]:
        """Return a window as its champion predicts it; its ids follow from its number."""
        body = _body(step.rows.drop_columns([self._schema.target]))
        request = self._request(f"rows-{number}")
        predict = self._serving.champion(self._model).columns if self._is_served() else None
        return intake.predictions(body, self._schema, request, predict=predict)

    def _labels(self, step: Step, batches: Sequence[Batch]) -> pa.Table:
        """Return the ids and labels of a window's rows, as far as they have any."""
        ids = batches[0].rows.column(PREDICTION_ID)
        labels = pa.table(
            {ID_FIELD: ids, intake.LABEL_FIELD: step.rows.column(self._schema.target)}
        )
        return labels.filter(pc.is_valid(labels.column(intake.LABEL_FIELD)))

    def _is_served(self) -> bool:
        """Tell a model of Leeway's from one whose predictions the history has."""
        champion = self._deployment.registry.champion(self._model)
        versions = {one.number: one for one in self._deployment.registry.versions(self._model)}
        return versions[champion].has_model

    def _labels_until(self, instant: datetime, waiting: list[Waiting]) -> list[Waiting]:
        for due, number, labels in waiting:
            if due <= instant and labels.num_rows:
                self._label(number, labels)
        return [one for one in waiting if one[0] > instant]

    def _label(self, number: int, labels: pa.Table) -> None:
        batch = intake.labels(_body(labels), self._schema, self._request(f"labels-{number}"))
        self._deployment.log.append([batch]).result()

    def _request(self, name: str) -> intake.Request:
        champion = self._deployment.registry.champion(self._model)
        return intake.Request(self._model, name, name, self._deployment.clock.now(), champion)

    def _judge(self, instant: datetime) -> None:
        policy = self._watcher.watched[self._model].verdict.window
        self._set(instant + policy.lateness)
        self._watcher.check(self._model)
        while request := claim(self._world, REPLACED_BY):
            self._carry_out(request)

    def _carry_out(self, request: Request, *, gated: bool = True) -> None:
        """Do what was asked for, and add up what it takes."""
        began = time.process_time()
        if request.kind is RequestKind.TRIAL:
            trial(request, self._retrained, self._world)
        else:
            run(request, self._retrained, self._world, gated=gated)
        self._retrain_cpu_seconds += time.process_time() - began

    def _replace(self, why: str) -> None:
        runs = self._runs.runs(self._model)
        if any(one["why"] == why and one["outcome"] == Outcome.PROMOTED for one in runs):
            return  # it was stopped just after
        self._runs.ask(self._model, RequestKind.RETRAIN, REPLACED_BY, why, self._now())
        request = self._runs.claim(RequestKind.RETRAIN, REPLACED_BY, self._now())
        assert request is not None
        self._carry_out(request, gated=False)

    def _now(self) -> datetime:
        return self._deployment.clock.now()


def _body(rows: pa.Table) -> Body:
    return Body({name: rows.column(name) for name in rows.column_names}, rows.num_rows)
