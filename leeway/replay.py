"""Replay: a history taken through the whole loop, window by window, on a clock that is set."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from leeway.deployment import Deployment
from leeway.past import Past, Step
from leeway.policies import retrained
from monitor import intake
from monitor.adapters.clocks import FileClock
from monitor.batch import PREDICTION_ID
from monitor.body import Body
from monitor.reserved import ID_FIELD
from retrain.adapters.sql_runs import SqlRuns
from retrain.ports import RequestKind
from retrain.run import run
from retrain.serving import Serving
from retrain.trial import trial
from retrain.world import claim

SEALED_EVERY = 10
"""Windows between two sealings of the replayed log."""


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
        self._runs = SqlRuns(deployment.engine)
        self._serving = Serving(deployment.registry)
        self._shadowing = deployment.shadowing()
        self._schema = deployment.schema(model)
        self._retrained = retrained(model, deployment.config.models[model], self._schema)

    def run(self, past: Past, progress: Callable[[float], None]) -> None:
        """Take the steps, each window's labels a lag after its end."""
        waiting: list[tuple[datetime, int, pa.Table]] = []
        for number, step in enumerate(past.steps, start=1):
            progress(number / len(past.steps))
            self._set(step.end)
            waiting = self._labels_until(step.end, waiting)
            if not step.rows.num_rows:
                self._judge(step.end)
                continue
            labels = self._predict(step, number)
            waiting.append((step.end + self._label_lag, number, labels))
            waiting = self._labels_until(step.end, waiting)
            self._judge(step.end)
            if self._replace_every and number % self._replace_every == 0:
                self._replace(f"{number} windows have passed")
            if number % SEALED_EVERY == 0:
                self._deployment.log.seal()
        # What still waits comes now: a clock that went on would bring windows without any row.
        self._labels_until(datetime.max.replace(tzinfo=UTC), waiting)
        self._judge(past.steps[-1].end)

    def _set(self, instant: datetime) -> None:
        clock = self._deployment.clock
        assert isinstance(clock, FileClock)
        clock.set(instant)

    def _predict(self, step: Step, number: int) -> pa.Table:
        """Log a window as its champion predicts it; return the ids and labels of its rows."""
        target = self._schema.target
        body = _body(step.rows.drop_columns([target]))
        request = self._request(f"rows-{number}")
        predict = self._serving.champion(self._model).predict if self._is_served() else None
        batches = intake.predictions(body, self._schema, request, predict=predict)
        self._deployment.log.append(batches).result()
        for shadow in self._shadowing.shadow(batches[:1]):
            shadow.result()
        ids = batches[0].rows.column(PREDICTION_ID)
        labels = pa.table({ID_FIELD: ids, intake.LABEL_FIELD: step.rows.column(target)})
        return labels.filter(pc.is_valid(labels.column(intake.LABEL_FIELD)))

    def _is_served(self) -> bool:
        """Tell a model of Leeway's from one whose predictions the history has."""
        champion = self._deployment.registry.champion(self._model)
        versions = {one.number: one for one in self._deployment.registry.versions(self._model)}
        return versions[champion].has_model

    def _labels_until(
        self, instant: datetime, waiting: list[tuple[datetime, int, pa.Table]]
    ) -> list[tuple[datetime, int, pa.Table]]:
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
        while request := claim(self._world, "backtest"):
            if request.kind is RequestKind.TRIAL:
                trial(request, self._retrained, self._world)
            else:
                run(request, self._retrained, self._world)

    def _replace(self, why: str) -> None:
        self._runs.ask(self._model, RequestKind.RETRAIN, "backtest", why, self._now())
        request = self._runs.claim(RequestKind.RETRAIN, "backtest", self._now())
        assert request is not None
        run(request, self._retrained, self._world, gated=False)

    def _now(self) -> datetime:
        return self._deployment.clock.now()


def _body(rows: pa.Table) -> Body:
    return Body({name: rows.column(name) for name in rows.column_names}, rows.num_rows)
