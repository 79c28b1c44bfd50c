"""Moves and waits on record, and what failed in the middle; the rest is in the contract."""

import shutil
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from monitor.errors import NotPossibleError
from retrain.adapters import tables
from retrain.record import Ended, Outcome, RequestKind
from retrain.waiting import WAITS, Waiting

HOUR = timedelta(hours=1)


REFUSE = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON moves BEGIN SELECT RAISE(ABORT, 'full'); END",
    "postgresql": "ALTER TABLE moves ADD CONSTRAINT full_table CHECK (version < 2)",
}


@pytest.fixture(params=["home", "home_on_postgres"])
def app(request):
    """A deployment on SQLite, then on PostgreSQL."""
    with request.getfixturevalue(request.param).opened() as found:
        yield found


@pytest.fixture
def registry(app):
    """A registry with version 1 as champion."""
    return app.deployment.registry


@pytest.fixture
def bundle(registry):
    """A bundle to register again."""
    return registry.load("late", 1)


def moves(app):
    with app.deployment.engine.connect() as connection:
        c = tables.moves.c
        return [tuple(r) for r in connection.execute(select(c.kind, c.version, c.previous, c.why))]


def test_promotion_and_rollback_are_on_record_with_why(registry, bundle, app, week_start):
    registry.register(bundle, week_start(0))
    registry.promote("late", 2, week_start(0) + HOUR, "better")
    registry.roll_back("late", week_start(0) + 2 * HOUR, "worse after all")
    assert moves(app) == [
        ("promote", 1, None, "first version"),
        ("promote", 2, 1, "better"),
        ("roll_back", 1, 2, "worse after all"),
    ]


@pytest.fixture
def waits(app, registry, bundle, week_start):
    """Version 2, which has passed the gate and waits for a person; version 3 is registered, too."""
    for _ in range(2):
        registry.register(bundle, week_start(0))
    runs, now = app.deployment.retrain_world().runs, week_start(1)
    runs.ask("late", RequestKind.RETRAIN, "performance", "it has fallen", now)
    number = runs.start(runs.claim(RequestKind.RETRAIN, "a worker", now), 1, now)
    reason = f"better by 0.1{WAITS}: leeway promote late 2"
    runs.finish(Ended(number, Outcome.HELD, reason, {"version": 2, "needs_approval": True}), now)
    assert runs.waiting("late") == Waiting(2, number, 1, now)
    assert registry.aliases("late") == {"champion": 1, "challenger": 2}
    return runs


def held_and_record(app, runs):
    with app.http() as http:
        metrics = http.get("/metrics").text
    assert 'leeway_retrain_runs_total{model="late",outcome="held"} 1.0' in metrics
    record = runs.run("late", 1)
    assert f'leeway_retrain_runs_total{{model="late",outcome="{record["outcome"]}"}} 1.0' in metrics
    return record["outcome"], record["reason"]


def test_the_watch_sees_who_waits_for_a_person_and_since_when(app, registry, waits, week_start):
    assert held_and_record(app, waits)[0] == "held"
    found = registry.at("late", week_start(2))
    assert (found.challenger, found.waits_since) == (2, week_start(1))


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (2, ("promoted", "better by 0.1; promoted by a person: I like it")),
        (3, ("cancelled", "better by 0.1; but version 3 has become the champion: I like it")),
    ],
)
def test_a_promotion_ends_the_wait_and_what_was_counted_as_held_stays_counted(
    app, registry, waits, week_start, version, told
):
    registry.promote("late", version, week_start(2), "I like it")
    assert waits.waiting("late") is None
    assert held_and_record(app, waits) == told
    found = registry.at("late", week_start(3))
    assert (found.version, found.challenger, found.waits_since) == (version, None, None)


def test_what_a_person_declines_stays_registered_and_may_be_promoted_later(
    app, registry, waits, week_start
):
    passed = waits.waiting("late")
    waits.decline(passed, "not before the holidays")
    told = ("cancelled", "better by 0.1; declined: not before the holidays")
    assert held_and_record(app, waits) == told
    waits.decline(passed, "a second time")
    registry.promote("late", 2, week_start(2), "after them")
    assert (registry.champion("late"), held_and_record(app, waits)) == (2, told)


def test_a_move_that_cannot_be_recorded_moves_no_alias(registry, bundle, app, week_start):
    registry.register(bundle, week_start(0))
    engine = app.deployment.engine
    with engine.begin() as connection:
        connection.execute(text(REFUSE[engine.dialect.name]))
    with pytest.raises(DatabaseError, match="full"):
        registry.promote("late", 2, week_start(0), "better")
    assert registry.champion("late") == 1
    with pytest.raises(NotPossibleError):
        registry.roll_back("late", week_start(0), "to a predecessor that was never noted")


def test_what_a_crash_left_in_a_folder_does_not_stand_in_the_way(registry, bundle, app):
    left = app.deployment.config.data / "models" / "late" / "2"
    shutil.copytree(left.with_name("1"), left)
    (left / "half.npy").touch()
    assert registry.register(bundle, app.clock.now()) == 2
    assert registry.load("late", 2).gate == bundle.gate
    assert not (left / "half.npy").exists()
