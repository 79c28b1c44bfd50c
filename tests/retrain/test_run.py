"""Whole runs on a real log, a real registry and real rows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import pandas as pd
import pyarrow as pa
import pytest
from markupsafe import escape

from leeway.policies import retrained
from monitor import intake
from monitor.adapters.history import History
from monitor.body import Body
from monitor.errors import NotPossibleError
from retrain.adapters.sql_runs import SqlRuns
from retrain.record import Outcome, RequestKind
from retrain.repeat import repeat
from retrain.run import run
from retrain.trial import trial
from retrain.world import collect
from tests.lived import MOVED, asked, live, model_of, passed, run_while_another_is_promoted, settled


@pytest.fixture
def retrain(app):
    """Ask for a run, carry it out, and return its result with its record."""

    return partial(asked, app)


@pytest.fixture
def promoted(app):
    """Live in a changed world until a challenger has been promoted."""
    result, record = settled(app)
    assert result.outcome is Outcome.PROMOTED, result.reason
    return result, record


def test_a_feature_that_knows_the_label_is_an_alarm_on_the_record(
    new_home, learned, made_up, week_start
):
    tells_all = {"by_x": 80.0}
    new_home.config.write_text(learned.config.read_text())
    made_up(-4, 4, **tells_all).to_parquet(new_home.folder / "reference.parquet")
    new_home.clock.set(week_start(0))
    with new_home.opened() as app:
        notes = app.deployment.registry.load("late", 1).lineage.notes
        assert notes.leakage[0].startswith("'x' alone tells the label (ROC AUC 0.9")
        live(app, 3, tells_all)
        result, record = asked(app)
        assert record["reason"] == result.reason
        assert f"; leakage alarm: {record['details']['notes']['leakage'][0]}" in result.reason
        with app.http() as http:
            page, metrics = http.get("/models/late").text, http.get("/metrics").text
        assert f"leakage alarm</strong>: {escape(notes.leakage[0])}" in page
        assert notes.calibration in page
        assert f'leeway_leakage_alarms{{model="late"}} {len(notes.leakage)}.0' in metrics


def n_versions(app):
    return len(app.deployment.registry.versions("late"))


def test_a_changed_relation_gets_a_better_challenger_promoted(app, promoted):
    result, record = promoted
    assert (result.outcome, record["outcome"]) == (Outcome.PROMOTED, "promoted"), result.reason
    assert app.deployment.registry.champion("late") == record["details"]["version"]
    comparison = record["details"]["comparison"]
    assert comparison["challenger"] > comparison["champion"] + 0.05
    assert comparison["lower_bound"] > 0
    assert record["reason"] == comparison["reason"]
    assert app.deployment.retrain_world().runs.inside("late") is None


def test_the_rows_that_decide_were_seen_by_neither_of_the_two(app, retrain, week_start):
    live(app, 5, MOVED)
    _, record = retrain()
    held, rows = record["details"]["holdout"], record["details"]["rows"]
    assert held["from"] > str(week_start(3) - timedelta(hours=6))
    assert held["until"] < str(week_start(5))
    assert rows["training"] + rows["holdout"] == 1120 + 5 * 280
    # Nobody has failed, or was cut off: what is not finished was behind in its heat.
    assert {one["status"] for one in record["details"]["trials"]} <= {"finished", "dropped"}


def test_what_the_champion_has_learned_competes_with_all_that_is_newer(app, retrain):
    live(app, 8, MOVED)
    registry, now = app.deployment.registry, app.clock.now()
    first = registry.load("late", 1)
    since = first.lineage.trained_from + timedelta(days=42)
    newer = replace(first, lineage=replace(first.lineage, trained_from=since))
    registry.promote("late", registry.register(newer, now), now, "it forgets what is old")
    _, record = retrain()
    until = datetime.fromisoformat(record["details"]["holdout"]["until"])
    n_windows = (until - since) // timedelta(days=7) + 1
    ranges = {one["recipe"]["training_range"] for one in record["details"]["trials"]}
    assert n_windows == 6
    assert ranges == {None, 4, 8, n_windows}


def test_a_promoted_version_brings_the_new_reference_and_its_lineage(app, promoted):
    version = promoted[1]["details"]["version"]
    registry = app.deployment.registry
    before, made = (registry.load("late", number) for number in (1, version))
    assert (made.lineage.parent, made.lineage.reason) == (1, "it is time")
    assert app.clock.now() - timedelta(days=1) < made.lineage.trained_until < app.clock.now()
    assert made.reference.end == made.lineage.trained_until
    assert made.reference.performance == before.reference.performance
    assert made.gate["roc_auc"].value > before.gate["roc_auc"].value - 0.2


@pytest.fixture
def late_labels(app):
    """Live until a promotion; then the labels come that had not."""
    late = []

    def live_with_few_labels(app, n_weeks, first=0) -> None:
        app.deployment.store.pause("late", paused=True)
        for number in range(first, first + n_weeks):
            frame = app.live(number, labelled=False, **MOVED)
            app.label(frame.head(265), f"labels {number}")
            app.deployment.watcher().check("late")
            late.append(frame.tail(15))

    result, record = settled(app, live_with_few_labels)
    assert result.outcome is Outcome.PROMOTED, result.reason
    app.clock.set(app.clock.now() + timedelta(hours=1))
    for number, frame in enumerate(late):
        app.label(frame, f"late labels {number}")
    app.deployment.watcher().check("late")
    return record


def test_a_run_is_repeated_to_the_same_model_though_labels_have_come_since(home, late_labels):
    with home.opened() as again:  # a worker that has not read the log yet
        world, model = again.deployment.retrain_world(), model_of(again)
        parts = late_labels["details"]["parts"]
        assert len(collect(model, world)) > sum(part["n_rows"] for part in parts)
        told = repeat(late_labels, model, world)
    assert told.startswith(f"run {late_labels['id']} gives version 2 again, bit for bit: logistic")
    shown = home.cli("repeat", "late", str(late_labels["id"]))
    assert (shown.returncode, shown.stdout.replace("\n", " ").strip()) == (0, told), shown.stderr


@pytest.mark.parametrize("name", ["tree", "hist_gradient_boosting", "mlp", "random_forest"])
def test_a_run_of_any_algorithm_is_repeated_to_the_same_model(
    new_home, learned, made_up, week_start, name
):
    config = learned.config.read_text().replace("[logistic]", f"[{name}]")
    new_home.config.write_text(config)
    made_up(-4, 4).to_parquet(new_home.folder / "reference.parquet")
    new_home.clock.set(week_start(0))
    with new_home.opened() as app:
        live(app, 3, MOVED)
        _, record = asked(app, gated=False)
        assert f"again, bit for bit: {name}" in repeat(
            record, model_of(app), app.deployment.retrain_world()
        )


def test_a_challenger_in_the_gate_is_repeated_to_the_same_model(app, retrain):
    live(app, 5, {"by_x": 2.6, "by_y": 0.8})
    result, record = retrain()
    assert result.outcome is Outcome.HELD, result.reason
    world = app.deployment.retrain_world()
    assert "again, bit for bit" in repeat(record, model_of(app), world)
    live(app, 1, {"by_x": 2.6, "by_y": 0.8}, first=5)
    _, look = retrain(RequestKind.LOOK)
    with pytest.raises(NotPossibleError, match=f"by run {record['id']}: repeat that"):
        repeat({**look, "details": {**look["details"], "version": 2}}, model_of(app), world)


def test_rows_that_are_not_what_they_were_are_no_repetition(app, home, promoted):
    record, world = promoted[1], app.deployment.retrain_world()
    file = home.folder / "reference.parquet"
    pd.read_parquet(file).head(1000).to_parquet(file)
    told = "reference.parquet is not what it was: 1120 labelled rows .* they would be 1000"
    with pytest.raises(NotPossibleError, match=told):
        repeat(record, model_of(app), world)


def test_another_model_is_no_repetition(app, promoted):
    record, world = promoted[1], app.deployment.retrain_world()
    other = run_of_another_seed(app, record)
    with pytest.raises(NotPossibleError, match="another model than version 3: scikit-learn"):
        repeat(other, model_of(app), world)


def run_of_another_seed(app, record):
    """Register the promoted version with a model that was fitted otherwise, elsewhere."""
    registry = app.deployment.registry
    made = registry.load("late", record["details"]["version"])
    old = registry.load("late", 1).pipeline
    elsewhere = {**made.lineage.versions, "scikit-learn": "0.1"}
    lineage = replace(made.lineage, versions=elsewhere)
    version = registry.register(replace(made, pipeline=old, lineage=lineage), app.clock.now())
    return {**record, "details": {**record["details"], "version": version}}


def test_a_run_that_made_no_version_cannot_be_repeated(app, retrain):
    _, record = retrain()
    with pytest.raises(NotPossibleError, match="run 1 made no version"):
        repeat(record, model_of(app), app.deployment.retrain_world())


def test_a_promotion_has_measured_what_serving_costs_and_that_nothing_is_skewed(promoted):
    details = promoted[1]["details"]
    assert details["skew"]["n_rows"] >= 1000
    assert (details["skew"]["n_off"], details["skew"]["largest"]) == (0, 0.0)
    for side in ("champion", "challenger"):
        assert 0 < details["serving"][side]["seconds"] < 5
        assert details["serving"][side]["n_bytes"] > 1000


def test_a_challenger_that_answers_too_slowly_is_refused_with_the_numbers(home):
    home.configure("budget: PT20S", "budget: PT20S, serving: {latency: PT0.001S, slowdown: 1}")
    ticks = count()
    with home.opened() as app:
        # A stopwatch that runs faster and faster: who is measured later has taken longer.
        result, record = settled(app, monotonic=lambda: next(ticks) ** 2 / 1e4)
        assert result.outcome is Outcome.REFUSED
        version = record["details"]["challenger"]
        assert "beyond 1 ms and 1 times as much; to serve it all the same: " in record["reason"]
        assert record["reason"].endswith(f"leeway promote late {version}")
        serving = record["details"]["serving"]
        assert serving["challenger"]["seconds"] > serving["champion"]["seconds"]
        assert app.deployment.registry.champion("late") == 1
        assert app.deployment.registry.load("late", version).gate


def test_a_champion_that_was_served_otherwise_is_compared_by_no_gate(app, made_up, week_start):
    def live_elsewhere(app, n_weeks, first=0) -> None:
        """Log predictions that somebody has rounded."""
        app.deployment.store.pause("late", paused=True)
        for number in range(first, first + n_weeks):
            frame = made_up(number, **MOVED)
            app.clock.set(week_start(number + 1))
            served = app.serving.champion("late")
            exact = served.predict(pa.Table.from_pandas(frame[["x", "y", "g"]]))
            rows = frame.drop(columns="late").assign(prediction=exact.to_numpy().round(2))
            body = Body({n: pa.chunked_array([pa.array(rows[n])]) for n in rows}, len(rows))
            known = intake.Request("late", f"{number}", "digest", app.clock.now(), served.version)
            app.deployment.log.append(intake.predictions(body, served.schema, known)).result()
            app.label(frame, f"labels {number}")
            app.deployment.watcher().check("late")

    result, record = settled(app, live_elsewhere)
    assert result.outcome is Outcome.REFUSED
    assert "logged predictions of the champion are not what its model predicts" in result.reason
    skew = record["details"]["skew"]
    assert 0 < skew["n_off"] <= skew["n_rows"]
    assert 1e-6 < skew["largest"] < 0.0051
    assert app.deployment.registry.champion("late") == 1


def test_equal_data_is_no_reason_to_promote_and_the_reason_is_given(app, retrain):
    live(app, 4)
    result, record = retrain()
    number = 4
    while result.outcome is Outcome.HELD:
        assert "look" in record["reason"]
        live(app, 1, first=number)
        number += 1
        result, record = retrain(RequestKind.LOOK)
    assert result.outcome is Outcome.REFUSED
    assert "no gain" in record["reason"] or "is not above 0" in record["reason"]
    assert app.deployment.registry.champion("late") == 1
    assert record["details"]["comparison"]["passed"] is False
    assert app.deployment.retrain_world().runs.inside("late") is None


def test_the_challenger_in_the_gate_stays_as_it_is_and_survives_a_restart(app, home, retrain):
    live(app, 5, {"by_x": 2.6, "by_y": 0.8})
    result, record = retrain()
    assert result.outcome is Outcome.HELD, result.reason
    entry = app.deployment.retrain_world().runs.inside("late")
    assert (entry.version, entry.champion, entry.looks) == (record["details"]["challenger"], 1, 2)
    assert app.deployment.registry.champion("late") == 1
    made = app.deployment.registry.load("late", entry.version)
    live(app, 1, {"by_x": 2.6, "by_y": 0.8}, first=5)
    with home.opened() as again:
        assert again.deployment.retrain_world().runs.inside("late") == entry
        assert again.deployment.champion("late").challenger == entry.version
    _, record = retrain(RequestKind.LOOK)
    assert record["details"]["look"] == 3
    assert record["details"]["challenger"] == entry.version
    assert record["details"]["holdout"]["from"] > str(made.lineage.trained_until)[:19]
    assert abs(record["details"]["comparison"]["n_rows"] - 3 * 280) < 10


def test_evidence_against_a_champion_that_was_replaced_is_void(app, retrain):
    live(app, 5, {"by_x": 2.6, "by_y": 0.8})
    assert retrain()[0].outcome is Outcome.HELD
    world = app.deployment.retrain_world()
    entry = world.runs.inside("late")
    world.registry.promote("late", entry.version, app.clock.now(), "a person said so")
    app.clock.set(app.clock.now() + timedelta(seconds=1))
    assert app.deployment.champion("late").challenger is None
    result, _ = retrain(RequestKind.LOOK)
    assert result.outcome is Outcome.CANCELLED
    assert world.runs.inside("late") is None


@pytest.fixture
def waits(home):
    """A deployment in which version 2 or a later one has passed the gate and waits for a person."""
    home.configure("budget: PT20S", "budget: PT20S, approval: true")
    with home.opened() as app:
        yield app, passed(app)


def test_what_has_passed_waits_for_a_person_and_serves_when_promoted(waits):
    app, record = waits
    version, registry = record["details"]["version"], app.deployment.registry
    assert record["outcome"] == "held"
    assert record["reason"].endswith(f"; it waits for a person: leeway promote late {version}")
    assert registry.champion("late") == 1
    with app.http() as http:
        path = f"/v1/models/late/versions/{version}/promote"
        http.post(path, json={"why": "I have read its card"}).raise_for_status()
        shown = http.get(f"/v1/models/late/runs/{record['id']}").json()
        rows = {"x": [0.1], "y": [0.2], "g": ["a"], "at": [str(app.clock.now())], "id": ["one"]}
        answer = http.post("/v1/models/late/predict", json={"columns": rows})
        assert answer.json()["version"] == registry.champion("late") == version
    before = record["reason"].partition("; it waits")[0]
    told = f"{before}; promoted by a person: I have read its card"
    assert (shown["outcome"], shown["reason"]) == ("promoted", told)


def test_while_a_version_waits_no_other_is_made_unless_a_person_asks(waits):
    app, record = waits
    n_before, since = n_versions(app), f"{record['ended_at']:%d %b %Y %H:%M} UTC"
    waiting = f"version {record['details']['version']} waits for a person since"
    result, _ = asked(app, trigger="performance")
    assert (result.outcome, n_versions(app)) == (Outcome.HELD, n_before)
    assert result.reason.startswith(f"{waiting} {since}: leeway promote late ")
    live(app, 1, {"by_x": -3.0}, first=9)  # the champion falls
    app.deployment.store.pause("late", paused=False)
    app.live(10, by_x=-3.0)
    app.deployment.watcher().check("late")
    assert (
        f"not retrained: {waiting}"
        in History(app.deployment.engine).windows("late")[-1]["sentence"]
    )
    assert app.deployment.retrain_world().runs.open_requests("late") == []

    asked(app)
    declined = app.deployment.retrain_world().runs.run("late", record["id"])
    assert declined["outcome"] == "cancelled"
    assert declined["reason"].endswith("was asked for by hand: it is time")


def test_a_version_does_not_wait_on_evidence_against_a_former_champion(home):
    home.configure("budget: PT20S", "budget: PT20S, approval: true")
    with home.opened() as app:
        result = run_while_another_is_promoted(app)
        assert result.outcome is Outcome.CANCELLED
        assert "but version 2 has become the champion meanwhile" in result.reason
        assert app.deployment.retrain_world().runs.waiting("late") is None


def test_without_new_rows_the_run_fails_and_the_champion_stays(app, retrain):
    result, record = retrain()
    assert (result.outcome, record["outcome"]) == (Outcome.FAILED, "failed")
    assert record["reason"] == "no labelled row is newer than what the champion was trained on"
    assert (app.deployment.registry.champion("late"), n_versions(app)) == (1, 1)


def test_a_gain_on_too_few_days_is_not_believed(app, retrain):
    week = app.live(0, labelled=False, **MOVED)
    app.label(week.head(100), "two days")
    app.deployment.watcher().check("late")
    result, _ = retrain()
    assert result.outcome is not Outcome.PROMOTED
    assert app.deployment.registry.champion("late") == 1


def test_a_run_that_breaks_is_failed_on_record_with_what_broke(app, home, retrain):
    live(app, 3)
    (home.folder / "reference.parquet").write_text("no table")
    result, record = retrain()
    assert record["outcome"] == result.outcome == Outcome.FAILED
    assert record["reason"].startswith("SchemaError: ")


def test_a_run_whose_worker_was_taken_for_dead_promotes_nothing(app):
    live(app, 5, MOVED)
    world = app.deployment.retrain_world()
    world.runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", app.clock.now())
    request = world.runs.claim(RequestKind.RETRAIN, "slow worker", app.clock.now())

    def another_worker_starts() -> float:
        # Called by the stopwatch of the search, that is in the middle of the run.
        others = SqlRuns(app.deployment.engine, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        others.release(app.clock.now(), "the worker was stopped in the middle of the run")
        return 0.0

    config = app.deployment.config.models["late"]
    model = retrained("late", config, app.deployment.schema("late"))
    result = run(request, model, replace(world, monotonic=another_worker_starts))
    assert result.outcome is Outcome.FAILED
    record = world.runs.run("late", 1)
    assert record["reason"].startswith("the worker was stopped")
    known = record["details"]
    assert set(known) == {"parts", "rows", "training", "holdout"}, "what was known by then"
    assert sum(part["n_rows"] for part in known["parts"]) == sum(known["rows"].values())
    assert known["training"]["until"] < known["holdout"]["from"]
    assert (app.deployment.registry.champion("late"), n_versions(app)) == (1, 1)


def test_who_became_champion_during_a_run_is_not_replaced_by_what_was_compared_with_another(app):
    result, registry = run_while_another_is_promoted(app), app.deployment.registry
    assert result.outcome is Outcome.CANCELLED
    assert "version 2 has become the champion of 'late' meanwhile" in result.reason
    assert (registry.champion("late"), n_versions(app)) == (2, 3)


def test_version_1_is_trained_on_the_reference_without_a_gate(app, week_start):
    bundle = app.deployment.registry.load("late", 1)
    assert bundle.pipeline is not None
    assert (bundle.lineage.parent, bundle.lineage.n_rows) == (None, 1120)
    assert bundle.lineage.trained_until < week_start(0)
    assert bundle.reference.performance["roc_auc"].value > 0.85
    assert bundle.reference.columns["prediction"].n_rows == 1120
    assert app.deployment.retrain_world().runs.runs("late") == []


@pytest.fixture
def watched(home, made_up):
    """The deployment with a second model, which is served elsewhere."""
    frame = made_up(-4, 4).assign(guess=lambda f: 1 / (1 + 2.0 ** (-f["x"])))
    frame.to_parquet(home.folder / "watched.parquet")
    home.configure(
        "tick:",
        "  away:\n    reference: watched.parquet\n"
        "    columns: {time: at, target: late, id: id, prediction: guess, numeric: [x, y]}\n"
        "    retrain: {budget: PT20S, candidates: [logistic]}\ntick:",
    )
    with home.opened() as found:
        yield found


def test_a_model_served_elsewhere_gets_a_reference_and_no_model(watched):
    bundle = watched.deployment.registry.load("away", 1)
    assert (bundle.pipeline, bundle.recipe) == (None, {})
    assert bundle.reference.performance["roc_auc"].value > 0.85
    assert "guess" in bundle.reference.columns
    with pytest.raises(NotPossibleError, match="watched only"):
        watched.serving.champion("away")


def test_a_challenger_is_held_against_the_logged_predictions_of_a_model_elsewhere(
    watched, made_up, week_start
):
    watched.deployment.store.pause("away", paused=True)
    watcher = watched.deployment.watcher()
    with watched.http() as client:
        for number in range(5):
            watched.clock.set(week_start(number + 1))
            frame = made_up(number, **MOVED).assign(guess=lambda f: 1 / (1 + 2.0 ** (-f["x"])))
            body = frame.drop(columns="g").to_json(orient="records", date_format="iso")
            assert client.post("/v1/models/away/predictions", content=body).status_code == 202
            watcher.check("away")
    world = watched.deployment.retrain_world()
    config = watched.deployment.config.models["away"]
    model = retrained("away", config, watched.deployment.schema("away"))
    world.runs.ask("away", RequestKind.TRIAL, "gain", "would a run pay?", watched.clock.now())
    trial(world.runs.claim(RequestKind.TRIAL, "test", watched.clock.now()), model, world)
    (shown,) = world.runs.trials("away")
    assert shown["pays"], shown["reason"]
    (asked_for,) = world.runs.open_requests("away")
    assert asked_for["trigger"] == "gain"
    request = world.runs.claim(RequestKind.RETRAIN, "test", watched.clock.now())
    result = run(request, model, world)
    assert result.outcome in (Outcome.PROMOTED, Outcome.HELD), result.reason
    assert result.details["comparison"]["gain"] > 0.05
