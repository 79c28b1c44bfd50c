"""What any registry must do; another one adds a line to `REGISTRIES`."""

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import insert

from monitor.adapters.sql_store import SqlStore
from monitor.adapters.tables import requests
from monitor.errors import BundleRefusedError, NotFoundError, NotPossibleError, SupersededError
from retrain.adapters.sql_registry import SqlRegistry
from retrain.adapters.sql_runs import SqlRuns
from retrain.record import Ended, Entry, Outcome, RequestKind
from tests.conftest import Home

HOUR = timedelta(hours=1)
MODEL = "late"

REGISTRIES = {
    "sql": lambda engine, folder: SqlRegistry(engine, folder / "models"),
}
"""How each is opened, on a state database with requests and runs and with a folder of its own."""


@pytest.fixture(scope="module")
def learned_bundle(learned, tmp_path_factory):
    """A bundle with a fitted model."""
    home = Home(tmp_path_factory.mktemp("bundle") / "home")
    shutil.copytree(learned.folder, home.folder)
    with home.opened() as opened:
        yield opened.deployment.registry.load(MODEL, 1)


@pytest.fixture
def now(week_start):
    """The time at which version 1 was promoted."""
    return week_start(0)


@pytest.fixture(params=REGISTRIES)
def opened(request, engine, tmp_path, now):
    """Open the registry once more, as another process does."""
    SqlStore(engine).register(MODEL, now)
    return lambda: REGISTRIES[request.param](engine, tmp_path)


@pytest.fixture
def register(opened, learned_bundle, now):
    """Register a version; what is said of its lineage differs."""

    def of(*, has_model: bool = True, **lineage: object) -> int:
        pipeline = learned_bundle.pipeline if has_model else None
        made = replace(learned_bundle.lineage, **lineage)
        return opened().register(replace(learned_bundle, pipeline=pipeline, lineage=made), now)

    return of


@pytest.fixture
def registry(opened, register, now):
    """A registry with version 1 as champion."""
    found = opened()
    found.promote(MODEL, register(), now, "first version")
    return found


@pytest.fixture
def runs(engine):
    """Requests and runs."""
    return SqlRuns(engine)


@pytest.fixture
def begun(registry, runs, now):
    """Begin a run against the champion; returns its number."""

    def begin() -> int:
        runs.ask(MODEL, RequestKind.RETRAIN, "by hand", "it is time", now)
        request = runs.claim(RequestKind.RETRAIN, "worker", now)
        return runs.start(request, registry.champion(MODEL), now)

    return begin


@pytest.fixture
def three(registry, register, now):
    """Version 3 is champion, and version 2 was before."""
    for number in (2, 3):
        registry.promote(MODEL, register(), now + number * HOUR, "better")
    return registry


def test_a_version_gets_the_next_number_and_does_not_serve_yet(registry, register):
    assert [register(), register()] == [2, 3]
    assert [one.number for one in registry.versions(MODEL)] == [1, 2, 3]
    assert registry.aliases(MODEL) == {"champion": registry.champion(MODEL)} == {"champion": 1}


def test_a_version_is_read_back_as_it_was_registered(registry, learned_bundle, now):
    one, (known,) = registry.load(MODEL, 1), registry.versions(MODEL)
    assert (one.gate, one.lineage) == (learned_bundle.gate, learned_bundle.lineage)
    assert one.recipe == known.recipe == learned_bundle.recipe
    assert one.reference.schema == learned_bundle.reference.schema
    assert (known.model, known.created_at, known.has_model) == (MODEL, now, True)
    assert registry.is_model_of(learned_bundle.pipeline, MODEL, 1)


def test_what_is_registered_and_moved_later_changes_no_version(three, learned_bundle, now):
    before = three.model_file(MODEL, 1)
    content = before.path.read_bytes()
    three.roll_back(MODEL, now + 4 * HOUR, "far back", 1)
    assert three.model_file(MODEL, 1) == before
    assert before.path.read_bytes() == content
    assert three.load(MODEL, 1).lineage == learned_bundle.lineage


def test_versions_registered_at_once_get_numbers_of_their_own(registry, register):
    with ThreadPoolExecutor(2) as pool:
        numbers = list(pool.map(lambda _: register(), range(6)))
    assert sorted(numbers) == [2, 3, 4, 5, 6, 7]
    assert all(registry.load(MODEL, number).pipeline is not None for number in numbers)


def test_a_model_that_differs_in_the_last_bit_is_not_a_versions_model(registry, learned_bundle):
    other = deepcopy(learned_bundle.pipeline)
    other[-1].coef_ = np.nextafter(other[-1].coef_, np.inf)
    assert not registry.is_model_of(other, MODEL, 1)


def test_a_model_file_comes_with_its_size_and_digest(registry, register):
    file = registry.model_file(MODEL, 1)
    content = file.path.read_bytes()
    assert (file.n_bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (
        file.bundle_sha256 != registry.model_file(MODEL, register(reason="another")).bundle_sha256
    )


def test_a_version_that_is_only_watched_has_no_model_file(registry, register):
    number = register(has_model=False)
    assert registry.load(MODEL, number).pipeline is None
    assert not registry.versions(MODEL)[-1].has_model
    with pytest.raises(NotFoundError, match="2"):
        registry.model_file(MODEL, number)


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"altered"), lambda p: p.unlink()])
def test_an_altered_or_lost_model_file_is_refused_and_leaves_the_other_versions(
    registry, register, spoil
):
    register()
    spoil(registry.model_file(MODEL, 1).path)
    for read in (registry.load, registry.model_file):
        with pytest.raises(BundleRefusedError, match=r"model\.skops"):
            read(MODEL, 1)
    assert registry.load(MODEL, 2).pipeline is not None


def test_promotion_and_rollback_move_champion_and_previous_together(registry, register, now):
    register()
    registry.promote(MODEL, 2, now + HOUR, "better")
    assert registry.aliases(MODEL) == {"champion": 2, "previous": 1}
    assert registry.champion(MODEL) == 2
    assert registry.roll_back(MODEL, now + 2 * HOUR, "worse after all") == 1
    assert registry.aliases(MODEL) == {"champion": 1}  # never again to what was just rolled back
    with pytest.raises(NotPossibleError, match="no version to go back to"):
        registry.roll_back(MODEL, now + 3 * HOUR, "to what was worse")
    registry.promote(MODEL, 2, now + 3 * HOUR, "better again")
    assert registry.aliases(MODEL) == {"champion": 2, "previous": 1}
    assert registry.n_rollbacks(MODEL) == 1


def test_a_second_rollback_goes_further_back(three, now):
    assert three.aliases(MODEL) == {"champion": 3, "previous": 2}
    assert three.roll_back(MODEL, now + 4 * HOUR, "worse") == 2
    assert three.aliases(MODEL) == {"champion": 2, "previous": 1}
    assert three.roll_back(MODEL, now + 5 * HOUR, "worse") == 1
    with pytest.raises(NotPossibleError, match="no version to go back to"):
        three.roll_back(MODEL, now + 6 * HOUR, "still worse")
    assert (three.aliases(MODEL), three.n_rollbacks(MODEL)) == ({"champion": 1}, 2)


def test_a_rollback_may_name_any_former_version(three, now):
    assert three.roll_back(MODEL, now + 4 * HOUR, "far back", 1) == 1
    assert three.aliases(MODEL) == {"champion": 1}


def test_what_cannot_be_moved_is_refused_with_its_reason_and_moves_nothing(three, now):
    with pytest.raises(NotPossibleError, match="champion already"):
        three.promote(MODEL, 3, now, "again")
    with pytest.raises(NotFoundError, match="9 of late"):
        three.promote(MODEL, 9, now, "unknown")
    with pytest.raises(NotFoundError, match="9 of late"):
        three.roll_back(MODEL, now, "unknown", 9)
    assert three.aliases(MODEL) == {"champion": 3, "previous": 2}


def test_a_model_without_any_version_is_not_found(three, now):
    for ask in (three.champion, lambda m: three.at(m, now), lambda m: three.roll_back(m, now, "")):
        with pytest.raises(NotFoundError, match="stranger"):
            ask("stranger")
    assert three.versions("stranger") == []
    assert three.champions() == {MODEL: 3}


def test_nobody_is_replaced_who_was_not_compared(three, register, runs, begun, now):
    register()
    run = begun()
    with pytest.raises(SupersededError, match="version 3 has become the champion"):
        three.promote(MODEL, 4, now, "better", Ended(run, Outcome.PROMOTED, "better", {}), over=2)
    assert three.aliases(MODEL) == {"champion": 3, "previous": 2}
    assert runs.run(MODEL, run)["outcome"] is None


def test_a_run_ends_with_its_promotion_and_one_that_was_ended_promotes_nothing(
    registry, register, runs, begun, now
):
    register()
    run = begun()
    ended = Ended(run, Outcome.PROMOTED, "better", {"version": 2})
    registry.promote(MODEL, 2, now + HOUR, "better", ended, over=1)
    assert (runs.run(MODEL, run)["outcome"], runs.open_requests(MODEL)) == ("promoted", [])
    register()
    with pytest.raises(NotPossibleError, match="ended meanwhile"):
        registry.promote(MODEL, 3, now + 2 * HOUR, "better", ended, over=2)
    assert registry.aliases(MODEL) == {"champion": 2, "previous": 1}


def test_what_a_failed_run_has_registered_is_taken_back(registry, register, runs, begun, now):
    run = begun()
    assert register(run=run) == 2
    runs.finish(Ended(run, Outcome.FAILED, "out of memory", {}), now)
    assert [one.number for one in registry.versions(MODEL)] == [1]
    with pytest.raises(NotFoundError, match="2 of late"):
        registry.load(MODEL, 2)


def test_the_number_of_what_was_taken_back_is_not_given_again(
    opened, registry, register, runs, begun, now
):
    for number in (2, 3):
        run = begun()
        assert register(run=run) == number
        runs.finish(Ended(run, Outcome.FAILED, "out of memory", {}), now)
        runs.finish(Ended(run, Outcome.FAILED, "its worker is gone", {}), now)  # and once more
    assert register() == 4
    assert [one.number for one in opened().versions(MODEL)] == [1, 4]
    assert registry.load(MODEL, 4).pipeline is not None


@pytest.fixture
def in_the_gate(three, register, runs, begun, now):
    """A run that has let version 4 into the gate against version 3."""
    register()
    run, champion = begun(), three.champion(MODEL)
    entry = Entry(4, champion, run, 1)
    runs.finish(Ended(run, Outcome.HELD, "too early to say", {}, entry), now)
    return three


@pytest.fixture
def awaiting(three, register, runs, begun, now):
    """A run whose version 4 has passed the gate against version 3 and waits for a person."""
    register()
    run = begun()
    details = {"version": 4, "needs_approval": True}
    runs.finish(Ended(run, Outcome.HELD, "better; it waits for a person", details), now)
    return three


@pytest.mark.parametrize("stands", ["in_the_gate", "awaiting"])
def test_a_challenger_is_called_so_from_the_end_of_its_run_until_another_move(
    request, three, now, stands
):
    assert three.aliases(MODEL) == {"champion": 3, "previous": 2}
    request.getfixturevalue(stands)
    assert three.aliases(MODEL) == {"champion": 3, "challenger": 4, "previous": 2}
    assert three.at(MODEL, now + 4 * HOUR).challenger == 4
    three.promote(MODEL, 4, now + 5 * HOUR, "better")
    assert three.aliases(MODEL) == {"champion": 4, "previous": 3}
    assert three.at(MODEL, now + 6 * HOUR).challenger is None


@pytest.mark.parametrize("stands", ["in_the_gate", "awaiting"])
def test_evidence_against_another_champion_makes_no_challenger(request, three, now, stands):
    request.getfixturevalue(stands)
    three.roll_back(MODEL, now + 5 * HOUR, "worse")
    assert three.aliases(MODEL) == {"champion": 2, "previous": 1}


def test_who_is_declined_is_no_challenger_any_more(awaiting, runs):
    runs.decline(runs.waiting(MODEL), "not before the holidays")
    assert awaiting.aliases(MODEL) == {"champion": 3, "previous": 2}


def test_a_run_that_refuses_lets_the_challenger_out(in_the_gate, runs, begun, now):
    runs.finish(Ended(begun(), Outcome.REFUSED, "no gain", {}), now)
    assert in_the_gate.aliases(MODEL) == {"champion": 3, "previous": 2}


def test_whoever_looks_while_they_move_sees_all_aliases_before_or_after(
    opened, registry, register, now
):
    register()
    seen, n_moves = [], 30
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(_to_and_fro, opened(), n_moves, now)
        while not moving.done() or not seen:
            seen.append(tuple(sorted(registry.aliases(MODEL).items())))
        moving.result()
    moved = [(("champion", one), ("previous", 3 - one)) for one in (1, 2)]
    assert set(seen) <= {(("champion", 1),), *moved}
    assert registry.aliases(MODEL) == {"champion": 1, "previous": 2}


def _to_and_fro(registry, n_moves, now) -> None:
    for number in range(n_moves):
        registry.promote(MODEL, 2 - number % 2, now + number * HOUR, "to and fro")


def test_the_champion_of_a_time_is_who_was_promoted_before_it(registry, register, week_start):
    register()
    registry.promote(MODEL, 2, week_start(2), "better")
    registry.roll_back(MODEL, week_start(3), "worse")
    champions = [registry.at(MODEL, week_start(n) + d).version for n, d in (
        (-9, HOUR), (1, HOUR), (2, 0 * HOUR), (2, HOUR), (3, 0 * HOUR), (3, HOUR),
    )]  # fmt: skip
    assert champions == [1, 1, 1, 2, 2, 1]


def test_a_champion_comes_with_the_reference_of_its_bundle(registry, learned_bundle, now):
    found = registry.at(MODEL, now + HOUR)
    assert found.reference.schema == learned_bundle.reference.schema
    assert found.reference.performance == learned_bundle.reference.performance
    assert found.trained_until == learned_bundle.lineage.trained_until


def test_rows_that_spoke_for_what_was_rolled_back_speak_no_more(registry, register, week_start):
    first = registry.used_until(MODEL)
    register(trained_until=week_start(3))
    assert registry.used_until(MODEL) == first
    registry.promote(MODEL, 2, week_start(4), "better")
    assert registry.used_until(MODEL) == week_start(3)
    registry.roll_back(MODEL, week_start(5), "worse")
    assert registry.used_until(MODEL) == week_start(3)
    assert registry.at(MODEL, week_start(5)).trained_until == week_start(3)
    assert registry.at(MODEL, week_start(4)).trained_until == first


def test_who_replaces_a_champion_that_can_predict_is_on_probation(registry, register, now):
    register()
    registry.promote(MODEL, 2, now + HOUR, "better")
    found = registry.at(MODEL, now + 2 * HOUR).probation
    assert (found.version, found.predecessor, found.since) == (2, 1, now + HOUR)
    registry.roll_back(MODEL, now + 2 * HOUR, "worse")
    assert registry.at(MODEL, now + 3 * HOUR).probation is None
    registry.promote(MODEL, register(has_model=False), now + 3 * HOUR, "served elsewhere")
    assert registry.at(MODEL, now + 4 * HOUR).probation is None


def test_a_rollback_that_was_decided_is_carried_out_once_and_of_its_version_alone(
    three, engine, now
):
    def decide(version) -> None:
        values = {"model": MODEL, "kind": RequestKind.ROLL_BACK, "trigger": "probation breach"}
        with engine.begin() as connection:
            asked = insert(requests).values(**values, why="harm", version=version, asked_at=now)
            connection.execute(asked)

    decide(3)
    (done,) = three.roll_back_as_decided(now + 4 * HOUR)
    assert (done.model, done.version, done.target, done.why) == (MODEL, 3, 2, "harm")
    assert three.aliases(MODEL) == {"champion": 2, "previous": 1}
    assert list(three.roll_back_as_decided(now + 5 * HOUR)) == []
    decide(3)  # it does not serve any more
    assert list(three.roll_back_as_decided(now + 6 * HOUR)) == []
    assert (three.aliases(MODEL), three.n_rollbacks(MODEL)) == ({"champion": 2, "previous": 1}, 1)
