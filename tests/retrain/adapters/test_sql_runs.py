"""Requests and runs on SQLite and PostgreSQL, claimed by threads and by processes."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from monitor.adapters import tables
from monitor.adapters.sql_store import SqlStore
from monitor.errors import NotFoundError, NotPossibleError
from retrain.adapters.sql_runs import MAX_CLAIMS, SqlRuns
from retrain.record import Ended, Outcome, Request, RequestKind

RETRAIN = RequestKind.RETRAIN
CLAIM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from monitor.adapters.database import open_database
from retrain.adapters.sql_runs import SqlRuns
from retrain.record import RequestKind
where = sys.argv[1]
runs = SqlRuns(open_database(Path(where) if where.startswith("/") else where))
print("ready", flush=True)
sys.stdin.readline()
while found := runs.claim(RequestKind.RETRAIN, "a process", datetime.now(UTC)):
    print(found.id, flush=True)
"""


@pytest.fixture
def now(week_start):
    """The present."""
    return week_start(0)


@pytest.fixture
def runs(engine, now):
    """The runs of some models."""
    for number in range(20):
        SqlStore(engine).register(f"m{number}", now)
    return SqlRuns(engine)


def ask(runs, now, model="m0"):
    return runs.ask(model, RETRAIN, "by hand", "it is time", now)


def silent(runs):
    """Return the runs as a worker sees them when the others have been silent for a minute."""
    return SqlRuns(runs._engine, now=lambda: datetime.now(UTC) + timedelta(minutes=1))


def begun(runs, now, model="m0"):
    ask(runs, now, model)
    return runs.start(runs.claim(RETRAIN, "worker", now), 1, now)


def test_a_request_is_claimed_once_the_oldest_first(runs, now):
    numbers = [ask(runs, now, model) for model in ("m0", "m1")]
    claimed = [runs.claim(RETRAIN, "worker", now) for _ in numbers]
    assert [(c.id, c.model) for c in claimed] == [(numbers[0], "m0"), (numbers[1], "m1")]
    assert runs.claim(RETRAIN, "worker", now) is None
    assert (claimed[0].trigger, claimed[0].why, claimed[0].asked_at) == (
        "by hand",
        "it is time",
        now,
    )


def test_the_same_is_asked_for_once_at_a_time(runs, now):
    run = begun(runs, now)
    with pytest.raises(NotPossibleError, match="asked for already"):
        ask(runs, now)
    runs.finish(Ended(run, Outcome.REFUSED, "no gain", {}), now)
    assert ask(runs, now) == 2


def test_of_many_threads_one_claims_a_request(runs, now):
    for number in range(20):
        ask(runs, now, f"m{number}")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: runs.claim(RETRAIN, f"t{i}", now), range(40)))
    assert sorted(one.id for one in found if one) == list(range(1, 21))


def test_of_two_processes_one_claims_a_request(runs, now, where):
    for number in range(20):
        ask(runs, now, f"m{number}")
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", CLAIM, str(where)]
    processes = [
        subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": root},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    claimed = []
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        with closing(process.stdin), process.stdout:
            claimed += [int(line) for line in process.stdout]
        assert process.wait(60) == 0
    assert sorted(claimed) == list(range(1, 21))


def test_a_model_has_one_run_at_a_time_whatever_it_is_asked_for(runs, now):
    run = begun(runs, now)
    runs.ask("m0", RequestKind.LOOK, "gain", "labels are there", now)
    runs.ask("m1", RequestKind.LOOK, "gain", "labels are there", now)
    assert runs.claim(RequestKind.LOOK, "another", now).model == "m1"
    assert runs.claim(RequestKind.LOOK, "another", now) is None
    runs.finish(Ended(run, Outcome.REFUSED, "no gain", {}), now)
    assert runs.claim(RequestKind.LOOK, "another", now).model == "m0"


def test_of_many_threads_none_begins_a_second_run_of_a_model(runs, now):
    for number in range(20):
        ask(runs, now, f"m{number}")
        runs.ask(f"m{number}", RequestKind.LOOK, "gain", "labels are there", now)
    kinds = [RETRAIN, RequestKind.LOOK] * 40
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda kind: runs.claim(kind, "worker", now), kinds))
    claimed = [one.model for one in found if one]
    assert len(claimed) == len(set(claimed)) > 0


def test_a_worker_that_fell_silent_keeps_no_other_run_waiting(runs, now):
    ask(runs, now)
    runs.claim(RETRAIN, "worker", now)
    runs.ask("m0", RequestKind.LOOK, "gain", "labels are there", now)
    assert runs.claim(RequestKind.LOOK, "another", now) is None
    assert silent(runs).claim(RequestKind.LOOK, "another", now).model == "m0"


def test_a_run_is_seen_from_its_start_to_its_outcome(runs, now, week_start):
    run = begun(runs, now)
    runs.progress(run, 0.5, "fitting tree")
    (going,) = runs.runs("m0")
    assert (going["progress"], going["doing"], going["outcome"]) == (0.5, "fitting tree", None)
    assert [r["id"] for r in runs.open_requests("m0")] == [going["request_id"]]
    runs.finish(Ended(run, Outcome.PROMOTED, "better", {"version": 2}), week_start(1))
    ended = runs.run("m0", run)
    assert (ended["outcome"], ended["reason"], ended["details"]) == (
        "promoted",
        "better",
        {"version": 2},
    )
    assert (ended["started_at"], ended["ended_at"]) == (now, week_start(1))
    assert runs.open_requests("m0") == []


def test_what_a_silent_worker_left_is_ended_with_the_reason_and_the_rest_waits(runs, now):
    run = begun(runs, now)
    waiting = ask(runs, now, "m1")
    assert silent(runs).release(now, "its worker stopped") == 1
    ended = runs.run("m0", run)
    assert (ended["outcome"], ended["reason"]) == ("failed", "its worker stopped (worker)")
    assert runs.open_requests("m0") == []
    assert runs.claim(RETRAIN, "the next worker", now).id == waiting
    assert silent(runs).release(now, "nothing of a run") == 0


def test_what_a_living_worker_has_is_left_alone(runs, now):
    run = begun(runs, now)
    assert runs.release(now, "its worker stopped") == 0
    assert runs.claim(RETRAIN, "another worker", now) is None
    later = silent(runs)
    (request,) = runs.open_requests("m0")
    held = Request(request["id"], "m0", RETRAIN, "by hand", "it is time", now)
    assert later.renew(held, "worker")
    assert later.release(now, "its worker stopped") == 0
    assert not later.renew(held, "another worker")
    assert runs.run("m0", run)["outcome"] is None


def test_a_request_whose_worker_fell_silent_before_its_run_is_claimed_again(runs, now):
    ask(runs, now)
    first = runs.claim(RETRAIN, "one", now)
    assert runs.claim(RETRAIN, "two", now) is None
    again = silent(runs).claim(RETRAIN, "two", now)
    assert again == first
    assert not runs.renew(first, "one")


def test_a_request_that_ends_every_worker_is_given_up(runs, now):
    ask(runs, now)
    for number in range(MAX_CLAIMS):
        later = SqlRuns(
            runs._engine, now=lambda n=number: datetime.now(UTC) + timedelta(minutes=n + 1)
        )
        assert later.claim(RETRAIN, f"worker {number}", now) is not None
    last = SqlRuns(runs._engine, now=lambda: datetime.now(UTC) + timedelta(hours=1))
    assert last.claim(RETRAIN, "the next", now) is None
    last.release(now, "its worker stopped")
    assert runs.open_requests("m0") == []


def test_what_a_run_has_noted_stays_on_record_when_its_worker_falls_silent(runs, now):
    run = begun(runs, now)
    runs.note(run, {"rows": {"training": 4000}})
    runs.note(run, {"rows": {"training": 4000}, "winner": "tree"})
    runs.progress(run, 0.7, "fitting tree")
    assert silent(runs).release(now, "the worker was stopped") == 1
    ended = runs.run("m0", run)
    assert (ended["outcome"], ended["progress"], ended["doing"]) == ("failed", 0.7, "fitting tree")
    assert ended["details"] == {"rows": {"training": 4000}, "winner": "tree"}
    with pytest.raises(NotPossibleError, match="was ended meanwhile"):
        runs.note(run, {})


def test_a_run_that_took_too_long_is_ended_with_its_request(runs, now):
    ask(runs, now)
    request = runs.claim(RETRAIN, "worker", now)
    run = runs.start(request, 1, now)
    runs.give_up(request, "it took longer than 5 s", now)
    assert runs.run("m0", run)["reason"] == "it took longer than 5 s"
    assert runs.open_requests("m0") == []


def test_a_run_that_was_ended_meanwhile_goes_no_further_and_keeps_its_outcome(runs, now):
    run = begun(runs, now)
    silent(runs).release(now, "its worker stopped")
    with pytest.raises(NotPossibleError, match="ended meanwhile"):
        runs.progress(run, 0.9, "fitting on all rows")
    runs.finish(Ended(run, Outcome.PROMOTED, "better", {"version": 2}), now)
    assert runs.run("m0", run)["outcome"] == "failed"


def test_a_run_of_another_model_is_not_found(runs, now):
    run = begun(runs, now)
    with pytest.raises(NotFoundError, match="1 of m1"):
        runs.run("m1", run)


@pytest.fixture
def held(runs, now):
    """Make a request of a window, then break the feed; returns what ends the incident."""
    engine = runs._engine
    SqlStore(engine).register("m", now)

    def asked(kind: RequestKind) -> Callable[[], int]:
        values = {"model": "m", "kind": kind, "trigger": "gain", "why": "it pays"}
        with engine.begin() as connection:
            connection.execute(
                insert(tables.requests).values(**values, window_key="week", asked_at=now)
            )
            alert = {"model": "m", "check": "quality", "window_key": "next", "window_start": now}
            connection.execute(
                insert(tables.alerts).values(**alert, opened_at=now, sentence="g is empty")
            )
            span = {"model": "m", "key": "next", "start_at": now, "end_at": now + timedelta(7)}
            counts = dict.fromkeys(
                ("n_rows", "n_labels", "n_repeated", "seen_rows", "seen_labels"), 9
            )
            connection.execute(
                insert(tables.windows).values(**span, revision=1, **counts, incident=True)
            )
        return lambda: SqlStore(engine).close_incident("m", None, now, "so it is")

    return asked


@pytest.mark.parametrize("kind", [RETRAIN, RequestKind.LOOK, RequestKind.TRIAL])
def test_what_a_window_asked_for_waits_until_the_incident_is_over_and_says_so(
    runs, held, now, kind
):
    close = held(kind)
    assert runs.claim(kind, "worker", now) is None
    assert [one["held"] for one in runs.open_requests("m")] == [True]
    close()
    assert [one["held"] for one in runs.open_requests("m")] == [False]
    assert runs.claim(kind, "worker", now).model == "m"


def test_a_version_that_does_harm_is_taken_back_during_an_incident(runs, held, now):
    held(RequestKind.ROLL_BACK)
    assert runs.claim(RequestKind.ROLL_BACK, "worker", now).model == "m"


def test_a_person_s_word_runs_during_an_incident_in_place_of_what_waits(runs, held, now):
    close = held(RETRAIN)
    mine = ask(runs, now, "m")
    assert [one["id"] for one in runs.open_requests("m")] == [mine]
    assert runs.claim(RETRAIN, "worker", now).id == mine
    close()
    assert runs.claim(RETRAIN, "worker", now) is None
