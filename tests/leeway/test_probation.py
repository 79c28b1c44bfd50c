"""A promoted version that does harm is taken back, and only by fresh evidence replaced again."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import select, text

from leeway.policies import retrained
from monitor.adapters import tables as t
from monitor.cycle import deliver
from monitor.errors import NotPossibleError
from retrain.calibrated import Calibrated
from retrain.dataset import from_table
from retrain.holdout import split_off
from retrain.record import Outcome, RequestKind
from retrain.run import run
from retrain.serving import Served

FEATURES = ["x", "y", "g"]
HOUR = timedelta(hours=1)


def promote(app, frame, why="better"):
    """Promote a version that learned from rows made up to order."""
    registry = app.deployment.registry
    bundle = registry.load("late", 1)
    pipeline = bundle.pipeline.fit(frame[FEATURES], frame["late"].astype(str))
    trained_until = frame["at"].max().to_pydatetime()
    lineage = replace(bundle.lineage, trained_until=trained_until)
    number = registry.register(replace(bundle, pipeline=pipeline, lineage=lineage), app.clock.now())
    registry.promote("late", number, app.clock.now(), why)
    return number


@pytest.fixture
def harmful(app, made_up, week_start):
    """A deployment whose second version has everything the wrong way round, promoted in week 0."""
    app.clock.set(week_start(0) + HOUR)
    promote(app, made_up(-1, by_x=-3.0))
    app.clock.set(week_start(0) + 2 * HOUR)
    return app


def probations(app):
    with app.deployment.engine.connect() as connection:
        return [dict(r) for r in connection.execute(select(t.probations)).mappings()]


def decisions(app):
    with app.deployment.engine.connect() as connection:
        query = select(t.revisions.c.action, t.revisions.c.reason).order_by(t.revisions.c.id)
        return [tuple(row) for row in connection.execute(query)]


def test_a_champion_that_does_harm_is_rolled_back_with_its_bundle_in_the_same_cycle(harmful):
    harmful.live(0)
    harmful.deployment.watcher().check("late")
    assert harmful.deployment.registry.champion("late") == 1
    assert decisions(harmful) == [("roll_back", "probation breach")]
    (one,) = probations(harmful)
    assert (one["version"], one["predecessor"], one["ended_how"]) == (2, 1, "breached")
    assert one["e_value"] >= 20
    assert one["n_rows"] == 280
    assert harmful.serving.champion("late").version == 1
    assert harmful.deployment.registry.n_rollbacks("late") == 1


def test_people_and_machines_are_told_of_it(home, webhook, made_up, week_start):
    home.configure(
        "tick:",
        f"notify: {{to: ['{webhook.address}'], "
        f"promoted: ['http://127.0.0.1:{webhook.port}/deploy']}}\ntick:",
    )
    with home.opened() as app:
        app.clock.set(week_start(0) + HOUR)
        promote(app, made_up(-1, by_x=-3.0))
        app.live(0)
        watcher = app.deployment.watcher()
        watcher.check("late")
        deliver(watcher.world)
    titles = [one["title"] for one in webhook.received if "title" in one]
    assert "[late] the new version does harm: rolled back" in titles
    (told,) = [one for one in webhook.received if one.get("title", "").endswith("rolled back")]
    assert (
        "Version 2, on probation since 2026-02-02 01:00 UTC, has a ROC AUC worse by"
        in told["message"]
    )
    assert [one["event"] for one in webhook.received if "event" in one] == [
        "promoted",
        "rolled_back",
    ]


def test_a_champion_that_does_no_harm_stays_and_passes(home, made_up, week_start):
    home.configure("cooldown: P1D", "cooldown: P1D, when: [], probation: {windows: 3}")
    with home.opened() as app:
        app.clock.set(week_start(0) + HOUR)
        promote(app, made_up(-4, 4))
        for number in range(4):
            app.live(number)
            app.deployment.watcher().check("late")
        assert app.deployment.registry.champion("late") == 2
        (one,) = probations(app)
        assert (one["ended_how"], one["n_windows"], one["n_rows"]) == ("passed", 3, 840)
        assert one["e_value"] < 20
        assert app.deployment.shadows.beside("late") is None


def test_evidence_gathers_over_windows_and_restarts(home, made_up, week_start):
    home.configure("cooldown: P1D", "cooldown: P1D, when: []")
    values = []
    for number in range(3):
        with home.opened() as app:
            if number == 0:
                app.clock.set(week_start(0) + HOUR)
                promote(app, made_up(-3, 3))
            app.live(number)
            app.deployment.watcher().check("late")
            values.append((probations(app)[0]["n_rows"], probations(app)[0]["e_value"]))
    assert [n_rows for n_rows, _ in values] == [280, 560, 840]
    assert len({value for _, value in values}) == 3


def test_late_labels_count_when_they_come(harmful, week_start):
    frame = harmful.live(0, labelled=False)
    harmful.deployment.watcher().check("late")
    assert harmful.deployment.registry.champion("late") == 2
    assert probations(harmful)[0]["n_rows"] == 0
    harmful.label(frame, "late labels")
    harmful.clock.set(week_start(1) + HOUR)
    harmful.deployment.watcher().check("late")
    assert harmful.deployment.registry.champion("late") == 1


def test_a_broken_feed_says_nothing_of_the_champion(harmful, made_up, week_start):
    frame = made_up(0)
    harmful.clock.set(week_start(1))
    harmful.predict(frame.drop(columns="late").assign(y=float("nan")), "broken week")
    harmful.label(frame, "labels")
    harmful.deployment.watcher().check("late")
    assert decisions(harmful) == [("hold", "incident")]
    assert probations(harmful)[0]["n_rows"] == 0
    assert harmful.deployment.registry.champion("late") == 2


def test_while_a_person_has_paused_it_nothing_is_rolled_back_until_it_goes_on(harmful):
    store = harmful.deployment.store
    store.pause("late", paused=True)
    harmful.live(0)
    harmful.deployment.watcher().check("late")
    assert decisions(harmful) == [("hold", "paused")]
    assert harmful.deployment.registry.champion("late") == 2
    store.pause("late", paused=False)
    harmful.live(1)
    harmful.deployment.watcher().check("late")
    assert harmful.deployment.registry.champion("late") == 1


def test_a_version_that_a_person_took_back_first_is_not_taken_back_twice(harmful):
    harmful.live(0)
    registry = harmful.deployment.registry
    with harmful.deployment.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO requests (model, kind, trigger, why, asked_at, version) "
                "VALUES ('late', 'roll_back', 'probation breach', 'harm', '2026-02-09', 2)"
            )
        )
    registry.roll_back("late", harmful.clock.now(), "by hand")
    assert registry.roll_back_as_decided(harmful.clock.now()) == []
    assert registry.n_rollbacks("late") == 1
    assert harmful.deployment.retrain_world().runs.open_requests("late") == []


def test_a_rollback_that_was_decided_before_a_crash_is_carried_out_after_it(
    home, made_up, week_start
):
    with home.opened() as app:
        app.clock.set(week_start(0) + HOUR)
        promote(app, made_up(-1, by_x=-3.0))
        app.live(0)
        watcher = app.deployment.watcher()
        watcher._carry_out = lambda: None  # killed right after the cycle was recorded
        watcher.check("late")
        assert app.deployment.registry.champion("late") == 2
    with home.opened() as app:
        app.deployment.watcher().check("late")
        assert app.deployment.registry.champion("late") == 1
        assert app.deployment.registry.n_rollbacks("late") == 1


def test_without_probation_there_are_no_shadow_rows(home, made_up, week_start):
    home.configure("cooldown: P1D", "cooldown: P1D, probation: {rows: 0}")
    with home.opened() as app:
        app.clock.set(week_start(0) + HOUR)
        promote(app, made_up(-1, by_x=-3.0))
        app.live(0)
        app.deployment.watcher().check("late")
        assert app.deployment.registry.champion("late") == 2
        assert probations(app) == []
        assert {kind for _, kind in app.deployment.log.totals()} == {"prediction", "label"}


def test_the_same_rows_do_not_promote_a_second_time_what_was_rolled_back(harmful):
    """What spoke for it is spent: only rows that are newer may open the gate again."""
    registry, world = harmful.deployment.registry, harmful.deployment.retrain_world()
    before = registry.load("late", 2).lineage.trained_until
    assert registry.used_until("late") == before
    harmful.live(0)
    harmful.deployment.watcher().check("late")
    assert registry.champion("late") == 1
    assert registry.load("late", 1).lineage.trained_until < before
    assert registry.used_until("late") == before
    assert registry.at("late", harmful.clock.now() + HOUR).trained_until == before

    model = retrained(
        "late", harmful.deployment.config.models["late"], harmful.deployment.schema("late")
    )
    rows = from_table(world.rows.labelled("late", harmful.clock.now()).rows, model.schema, "_label")
    _, holdout, _ = split_off(rows, registry.used_until("late"), model.search.window, most=2)
    assert holdout.event_at.min() > before.replace(tzinfo=None)


def test_a_run_on_nothing_but_spent_rows_fails_with_its_reason(app, made_up, week_start):
    registry, world = app.deployment.registry, app.deployment.retrain_world()
    app.clock.set(week_start(0) + HOUR)
    app.live(0)
    app.deployment.watcher().check("late")
    promote(app, made_up(0))  # its evidence was week 0
    app.clock.set(week_start(1) + HOUR)
    registry.roll_back("late", app.clock.now(), "did harm")
    model = retrained("late", app.deployment.config.models["late"], app.deployment.schema("late"))
    world.runs.ask("late", RequestKind.RETRAIN, "by hand", "again", app.clock.now())
    result = run(world.runs.claim(RequestKind.RETRAIN, "test", app.clock.now()), model, world)
    assert result.outcome is Outcome.FAILED
    assert "no labelled row is newer" in result.reason
    assert registry.champion("late") == 1


def test_a_rollback_asked_for_is_no_retrain_request_to_a_worker(harmful):
    world = harmful.deployment.retrain_world()
    world.runs.ask("late", RequestKind.ROLL_BACK, "probation breach", "harm", harmful.clock.now())
    assert world.runs.claim(RequestKind.RETRAIN, "worker", harmful.clock.now()) is None
    with pytest.raises(NotPossibleError):
        world.runs.ask("late", RequestKind.ROLL_BACK, "again", "harm", harmful.clock.now())


def test_of_several_classes_the_chances_are_weighed_from_the_log(
    new_home, learned, made_up, week_start
):
    """The second version names every class as the first does, and is far less sure of it."""
    new_home.config.write_text(learned.config.read_text().replace("binary", "multiclass"))
    named = np.array(["early", "on time", "late"])

    def of_classes(frame) -> pd.DataFrame:
        return frame.assign(late=named[np.digitize(frame["x"], [-0.5, 0.5])])

    of_classes(made_up(-4, 4)).to_parquet(new_home.folder / "reference.parquet")
    new_home.clock.set(week_start(0) + HOUR)
    with new_home.opened() as app:
        registry = app.deployment.registry
        bundle = registry.load("late", 1)
        unsure = Calibrated(bundle.pipeline, slope=0.05)
        registry.register(replace(bundle, pipeline=unsure), app.clock.now())
        registry.promote("late", 2, app.clock.now(), "better")
        week = of_classes(made_up(0))
        app.clock.set(week_start(1))
        app.predict(week.drop(columns="late"), "week 0")
        app.label(week, "labels 0")
        app.deployment.watcher().check("late")
        (one,) = probations(app)
        features = pa.Table.from_pandas(week[FEATURES])
        truth = week["late"].to_numpy()[:, None] == np.array(bundle.reference.schema.classes)
        losses = [
            ((Served(version, registry.load("late", version)).chances(features) - truth) ** 2).sum()
            for version in (1, 2)
        ]
    assert one["n_rows"] == 280
    assert one["harm"] == pytest.approx((losses[1] - losses[0]) / 2 / 280)
    assert (one["gain"], one["e_value"] > 20) == (0.0, True)
