"""Versions that do not serve predict the rows that the champion answers, and hold nobody up."""

import json
from dataclasses import replace
from threading import Event

import pyarrow as pa
import pytest

from monitor import intake
from monitor.batch import RowKind
from monitor.body import Body
from monitor.window import Window
from retrain import shadow as shadowing_module
from retrain.live import Beside
from retrain.serving import Served

FEATURES = ["x", "y", "g"]
PATH = "/v1/models/late/predict"


@pytest.fixture
def promoted(app, made_up, week_start):
    """A deployment with a second, different version on probation."""
    registry = app.deployment.registry
    bundle = registry.load("late", 1)
    frame = made_up(-1, by_x=-3.0)
    pipeline = bundle.pipeline.fit(frame[FEATURES], frame["late"].astype(str))
    app.clock.set(week_start(0))
    registry.register(replace(bundle, pipeline=pipeline), app.clock.now())
    registry.promote("late", 2, app.clock.now(), "better")
    app.clock.set(week_start(1))
    return app


@pytest.fixture
def rows(made_up):
    """Rows without a prediction."""
    frame = made_up(0).drop(columns="late").head(20)
    return json.loads(frame.to_json(orient="records", date_format="iso"))


def shadows(app):
    return app.deployment.log.totals().get(("late", RowKind.SHADOW), 0)


def test_what_the_champion_answers_the_predecessor_predicts_as_well(
    promoted, rows, made_up, week_start, eventually
):
    with promoted.http() as http:
        answers = [
            http.post(PATH, json=part, headers={"Idempotency-Key": f"k{i}"})
            for i, part in enumerate([rows[:1], rows[1:8], rows[8:]])
        ]
        eventually(lambda: shadows(promoted) == 20, "the shadow rows are in the log")
    assert {one.json()["version"] for one in answers} == {2}
    promoted.label(made_up(0).head(20), "labels")
    log, window = promoted.deployment.log, Window(week_start(0), week_start(1))
    horizon = promoted.deployment.config.models["late"].labels.horizon
    for _ in ("inbox", "files"):
        pairs = log.pairs("late", window, "prediction", (2, 1), horizon=horizon)
        made = [value for one in answers for value in one.json()["predictions"]]
        assert pairs.column("prediction").to_pylist() == pytest.approx(made)
        served = Served(1, promoted.deployment.registry.load("late", 1))
        read = log.read("late", window, FEATURES)
        expected = served.predict(read).to_pylist()
        assert pairs.column("_shadow").to_pylist() == pytest.approx(expected)
        log.seal()


def test_a_repeated_request_has_one_shadow(promoted, rows, eventually):
    with promoted.http() as http:
        for _ in range(3):
            http.post(PATH, json=rows, headers={"Idempotency-Key": "one"})
        eventually(lambda: shadows(promoted) == 20, "the shadow rows are in the log")
    assert shadows(promoted) == 20


def test_without_a_probation_nothing_is_shadowed(app, rows, week_start):
    app.clock.set(week_start(1))
    with app.http() as http:
        assert http.post(PATH, json=rows).json()["version"] == 1
    assert shadows(app) == 0


def test_after_a_rollback_nothing_is_shadowed(promoted, rows):
    promoted.deployment.registry.roll_back("late", promoted.clock.now(), "by hand")
    with promoted.http() as http:
        assert http.post(PATH, json=rows).json()["version"] == 1
    assert shadows(promoted) == 0


def test_what_is_too_much_is_dropped_and_counted_and_the_answer_comes(promoted, rows, monkeypatch):
    monkeypatch.setattr(shadowing_module, "MAX_WAITING_ROWS", 10)
    with promoted.http() as http:
        assert http.post(PATH, json=rows).status_code == 200
        metrics = http.get("/metrics").text
    assert 'leeway_shadow_rows_dropped_total{model="late"} 20.0' in metrics
    assert shadows(promoted) == 0


def test_a_predecessor_that_cannot_be_loaded_fails_no_answer(promoted, rows, eventually):
    promoted.deployment.registry.model_file("late", 1).path.write_bytes(b"altered")
    with promoted.http() as http:
        assert http.post(PATH, json=rows).json()["version"] == 2
        eventually(
            lambda: (
                'leeway_shadow_rows_dropped_total{model="late"} 20.0' in http.get("/metrics").text
            ),
            "the rows are counted as dropped",
        )
        assert http.post(PATH, json=rows).status_code == 200


def test_an_offer_returns_while_the_predecessor_is_still_busy(promoted, made_up, eventually):
    """The answer who is beside the champion is held back: an offer does not wait for it."""
    asked, go_on = Event(), Event()

    def slow(model: str) -> Beside | None:
        asked.set()
        go_on.wait(60)
        return deployment.shadows.beside(model)

    deployment = promoted.deployment
    shadowing = shadowing_module.Shadowing(
        promoted.serving, deployment.log, slow, deployment.shadows.note
    )
    frame = made_up(0).drop(columns="late")
    served = promoted.serving.champion("late")
    body = Body({n: pa.chunked_array([pa.array(frame[n])]) for n in frame}, len(frame))
    request = intake.Request("late", "any", "digest", promoted.clock.now(), served.version)
    (batch,) = intake.predictions(body, served.schema, request, predict=served.columns)
    shadowing.offer(batch)
    assert asked.wait(60)
    for number in range(50):
        shadowing.offer(replace(batch, request_id=f"more {number}"))
    assert shadows(promoted) == 0
    go_on.set()
    shadowing.close()
    eventually(lambda: shadows(promoted) == 51 * len(frame), "all shadow rows are in the log")
