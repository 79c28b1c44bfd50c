"""A challenger scores live traffic beside the champion, and what came of it is known."""

import json
from dataclasses import replace

import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from leeway.policies import retrained
from monitor.adapters.history import History
from monitor.batch import RowKind
from monitor.window import Window
from retrain.live import Beside
from retrain.record import Ended, Entry, Outcome, RequestKind
from retrain.run import run

FEATURES = ["x", "y", "g"]
PATH = "/v1/models/late/predict"


def register(app, frame, pipeline=None, features=FEATURES):
    """Register a version that learned from rows made up to order."""
    bundle = app.deployment.registry.load("late", 1)
    pipeline = (pipeline or bundle.pipeline).fit(frame[features], frame["late"].astype(str))
    until = frame["at"].max().to_pydatetime()
    lineage = replace(bundle.lineage, trained_until=until)
    made = replace(bundle, pipeline=pipeline, lineage=lineage)
    return app.deployment.registry.register(made, app.clock.now())


def let_in(app, version, champion=1):
    """Let a version into the gate, by a run that ends so."""
    now, runs = app.clock.now(), app.deployment.retrain_world().runs
    runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", now)
    request = runs.claim(RequestKind.RETRAIN, "test", now)
    number = runs.start(request, champion, now)
    entry = Entry(version, champion, number, 1)
    runs.finish(Ended(number, Outcome.HELD, "look 1 of 5", {}, entry), now)


@pytest.fixture
def rows(made_up):
    """Rows without a prediction, two of them without a value."""
    frame = made_up(0).drop(columns="late").head(20)
    frame.loc[[3, 7], "x"] = None
    return json.loads(frame.to_json(orient="records", date_format="iso"))


@pytest.fixture
def inside(app, made_up, week_start):
    """A deployment with a challenger in the gate that has learned the contrary."""
    app.clock.set(week_start(0))
    let_in(app, register(app, made_up(-1, by_x=-3.0)))
    app.clock.set(week_start(1))
    return app


@pytest.fixture
def fragile(app, made_up, week_start):
    """A deployment with a challenger in the gate that cannot take a missing value."""
    app.clock.set(week_start(0))
    numbers = make_column_transformer(("passthrough", ["x", "y"]))
    let_in(app, register(app, made_up(-1), make_pipeline(numbers, LogisticRegression())))
    app.clock.set(week_start(1))
    return app


def shadows(app):
    return app.deployment.log.totals().get(("late", RowKind.SHADOW), 0)


def look(app):
    """Take the next look at the challenger."""
    world, now = app.deployment.retrain_world(), app.clock.now()
    world.runs.ask("late", RequestKind.LOOK, "by hand", "labels have come", now)
    request = world.runs.claim(RequestKind.LOOK, "test", now)
    config = app.deployment.config.models["late"]
    return run(request, retrained("late", config, app.deployment.schema("late")), world)


def test_a_challenger_in_the_gate_scores_live_rows_that_nobody_is_shown(inside, rows, eventually):
    with inside.http() as http:
        answers = [http.post(PATH, json=part).json() for part in (rows[:1], rows[1:])]
        eventually(lambda: inside.deployment.shadows.all("late"), "the challenger has scored")
        (told,) = http.get("/v1/models/late/shadows").json()
        page = http.get("/models/late").text
    live = inside.deployment.shadows.of("late", 2, 1)
    assert {answer["version"] for answer in answers} == {1}
    assert (live.n_rows, live.n_failed, shadows(inside)) == (20, 0, 20)
    assert live.n_other > 10
    assert live.champion_seconds > 0
    assert (told["n_rows"], told["sentence"]) == (20, live.sentence)
    assert f"V{live.sentence[1:]}." in page
    assert "another class in" in page


def test_a_request_that_is_repeated_counts_once_for_each_version(inside, rows, eventually):
    with inside.http() as http:
        for _ in range(3):
            http.post(PATH, json=rows, headers={"Idempotency-Key": "one"})
        eventually(lambda: shadows(inside) == 20, "the shadow rows are in the log")
    assert inside.deployment.shadows.of("late", 2, 1).n_rows == 20


def test_predecessor_and_challenger_are_kept_apart(app, made_up, week_start):
    registry, log = app.deployment.registry, app.deployment.log
    app.clock.set(week_start(0))
    registry.promote("late", register(app, made_up(-1)), app.clock.now(), "better")
    let_in(app, register(app, made_up(-1, by_x=-3.0)), champion=2)
    assert app.deployment.shadows.beside("late") == Beside(2, predecessor=1, challenger=3)
    app.live(0)
    window = Window(week_start(0), week_start(1))
    horizon = app.deployment.config.models["late"].labels.horizon
    for _ in ("inbox", "files"):
        read = log.read("late", window, FEATURES, horizon=horizon)
        for version in (1, 3):
            pairs = log.pairs("late", window, "prediction", (2, version), horizon=horizon)
            expected = app.serving.another("late", version).predict(read).to_pylist()
            assert pairs.column("_shadow").to_pylist() == pytest.approx(expected)
            assert pairs.num_rows == 280
        assert log.pairs("late", window, "prediction", (3, 1), horizon=horizon).num_rows == 0
        log.seal()
    assert shadows(app) == 2 * 280
    app.deployment.watcher().check("late")
    (probation,) = History(app.deployment.engine).probations("late")
    assert (probation["predecessor"], probation["n_rows"]) == (1, 280)


def scored(app):
    """Return how many live rows the challenger has predicted, and how many it could not."""
    live = app.deployment.shadows.of("late", 2, 1)
    return live and (live.n_rows, live.n_failed)


def test_a_challenger_that_cannot_predict_live_rows_is_seen_and_refused(fragile, rows, eventually):
    with fragile.http() as http:
        for part in (rows[:3], rows[3:8], rows[8:]):
            assert http.post(PATH, json=part).json()["version"] == 1
        eventually(lambda: scored(fragile) == (15, 5), "all rows are scored")
        metrics, page = http.get("/metrics").text, http.get("/models/late").text
    live = fragile.deployment.shadows.of("late", 2, 1)
    assert shadows(fragile) == 15
    assert live.error.startswith("ValueError: Input X contains NaN")
    assert 'leeway_shadow_rows_failed_total{model="late"} 5.0' in metrics
    assert 'leeway_shadow_rows_dropped_total{model="late"} 5.0' in metrics
    assert "could not predict 5 of 20 live rows" in page
    fragile.live(0)
    ended = look(fragile)
    assert (ended.outcome, ended.reason.split(" (")[0]) == (
        Outcome.REFUSED,
        "version 2 could not predict 5 of 300 live rows that version 1 answered",
    )
    assert ended.details["live"]["n_failed"] == 5
    with fragile.http() as http:
        page = http.get(f"/models/late/runs/{ended.run}").text
    assert "could not predict 5 of 300 live rows" in page
    assert fragile.deployment.shadows.beside("late") is None


def test_who_promotes_it_all_the_same_is_told(home, made_up, week_start):
    with home.opened() as app:
        app.clock.set(week_start(0))
        numbers = make_column_transformer(("passthrough", ["x", "y"]))
        let_in(app, register(app, made_up(-1), make_pipeline(numbers, LogisticRegression())))
        frame = made_up(0).drop(columns="late")
        app.clock.set(week_start(1))
        app.predict(frame.assign(x=None).astype({"x": "float64"}), "broken")
    told = home.cli("promote", "late", "2").stdout
    assert "version 2 of late is the champion" in told
    assert "but version 2 could not predict 280 of 280 live rows" in told


def test_another_champion_ends_the_scoring_and_begins_a_record_of_its_own(inside, made_up):
    inside.predict(made_up(0).drop(columns="late"), "week 0")
    third = register(inside, made_up(-2))
    inside.deployment.registry.promote("late", third, inside.clock.now(), "by hand")
    assert inside.deployment.shadows.beside("late") == Beside(3, predecessor=1)
    inside.predict(made_up(1).drop(columns="late").assign(at=inside.clock.now()), "week 1")
    records = inside.deployment.shadows.all("late")
    assert [(one.version, one.champion, one.n_rows) for one in records] == [
        (1, 3, 280),
        (2, 1, 280),
    ]


def test_where_probation_is_off_nobody_predicts_beside_the_champion(home, made_up, week_start):
    home.configure("cooldown: P1D", "cooldown: P1D, probation: {rows: 0}")
    with home.opened() as app:
        app.clock.set(week_start(0))
        let_in(app, register(app, made_up(-1)))
        app.live(0)
        assert shadows(app) == 0
        assert app.deployment.shadows.all("late") == []
