"""Versions and aliases on SQLite and PostgreSQL, bundles in a real folder."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from monitor.errors import BundleRefusedError, NotFoundError, NotPossibleError
from retrain.adapters import tables
from retrain.adapters.sql_registry import SqlRegistry
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


def test_a_version_gets_the_next_number_and_does_not_serve_yet(registry, bundle, week_start):
    assert [registry.register(bundle, week_start(0)) for _ in range(2)] == [2, 3]
    assert [version.number for version in registry.versions("late")] == [1, 2, 3]
    assert registry.champion("late") == 1
    assert registry.load("late", 3).gate == bundle.gate


def test_promotion_and_rollback_move_both_aliases_and_are_on_record(
    registry, bundle, app, week_start
):
    registry.register(bundle, week_start(0))
    registry.promote("late", 2, week_start(0) + HOUR, "better")
    assert registry.aliases("late") == {"champion": 2, "previous": 1}
    assert registry.roll_back("late", week_start(0) + 2 * HOUR, "worse after all") == 1
    assert registry.aliases("late") == {"champion": 1}
    with pytest.raises(NotPossibleError):
        registry.roll_back("late", week_start(0) + 3 * HOUR, "to what was worse")
    registry.promote("late", 2, week_start(0) + 3 * HOUR, "better again")
    assert moves(app) == [
        ("promote", 1, None, "first version"),
        ("promote", 2, 1, "better"),
        ("roll_back", 1, 2, "worse after all"),
        ("promote", 2, 1, "better again"),
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


def test_a_second_rollback_goes_further_back(registry, bundle, week_start):
    for number in (2, 3):
        registry.register(bundle, week_start(0))
        registry.promote("late", number, week_start(number), "better")
    assert [registry.roll_back("late", week_start(n), "worse") for n in (4, 5)] == [2, 1]
    with pytest.raises(NotPossibleError, match="no version to go back to"):
        registry.roll_back("late", week_start(6), "still worse")


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


def test_the_champion_of_a_time_is_who_was_promoted_before_it(registry, bundle, week_start):
    registry.register(bundle, week_start(0))
    registry.promote("late", 2, week_start(2), "better")
    registry.roll_back("late", week_start(3), "worse")
    champions = [registry.at("late", week_start(n) + d).version for n, d in (
        (-9, HOUR), (1, HOUR), (2, 0 * HOUR), (2, HOUR), (3, 0 * HOUR), (3, HOUR),
    )]  # fmt: skip
    assert champions == [1, 1, 1, 2, 2, 1]


def test_a_rollback_may_name_any_former_version(registry, bundle, week_start):
    for number in (2, 3):
        registry.register(bundle, week_start(0))
        registry.promote("late", number, week_start(number), "better")
    assert registry.roll_back("late", week_start(4), "far back", 1) == 1
    assert registry.champion("late") == 1


def test_what_cannot_be_moved_is_refused_with_its_reason(registry, week_start):
    with pytest.raises(NotPossibleError, match="champion already"):
        registry.promote("late", 1, week_start(0), "again")
    with pytest.raises(NotPossibleError, match="no version to go back to"):
        registry.roll_back("late", week_start(0), "nowhere")
    with pytest.raises(NotFoundError, match="9 of late"):
        registry.promote("late", 9, week_start(0), "unknown")
    for ask in (registry.champion, lambda model: registry.at(model, week_start(0))):
        with pytest.raises(NotFoundError, match="stranger"):
            ask("stranger")


def test_what_a_crash_left_in_a_folder_does_not_stand_in_the_way(registry, bundle, app):
    left = app.deployment.config.data / "models" / "late" / "2"
    shutil.copytree(left.with_name("1"), left)
    (left / "half.npy").touch()
    assert registry.register(bundle, app.clock.now()) == 2
    assert registry.load("late", 2).gate == bundle.gate
    assert not (left / "half.npy").exists()


def test_versions_registered_at_once_get_numbers_of_their_own(registry, bundle, app):
    other = SqlRegistry(app.deployment.engine, app.deployment.config.data / "models")
    with ThreadPoolExecutor(2) as pool:
        numbers = pool.map(lambda r: r.register(bundle, app.clock.now()), [registry, other] * 3)
        assert sorted(numbers) == [2, 3, 4, 5, 6, 7]


def test_an_altered_bundle_is_refused(registry):
    path = registry.model_file("late", 1).path
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(BundleRefusedError, match=r"model\.skops"):
        registry.load("late", 1)
