"""The store on real, migrated databases: SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from monitor.action import Action, Reason
from monitor.adapters import tables
from monitor.adapters.database import open_database
from monitor.adapters.sql_store import LONGEST_RETRY, SqlStore
from monitor.alert import Alert, AlertChange
from monitor.batch import Refused
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.diagnosis import DiagnosisKind
from monitor.errors import NotFoundError
from monitor.incident import FEED
from monitor.window import Counts, Seen, Window

MONDAY, WEEK = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=7)
OPENED = Alert(Check.DRIFT, AlertChange.OPENED, "drift has moved")
EVERY_TABLE = tables.metadata.sorted_tables


def contents(books):
    """Return every row of every table."""
    with books.engine.connect() as connection:
        return {t.name: connection.execute(select(t)).all() for t in EVERY_TABLE}


def standing(books, since=MONDAY):
    return books.store.standing("m", since=since)


def test_a_second_record_of_a_revision_says_so_and_changes_nothing(books):
    cycle = books.cycle(alerts=[OPENED], action=Action.RETRAIN, status=Status.BREACH)
    assert books.record(cycle)
    before = contents(books)
    assert not books.record(replace(cycle, at=cycle.at + WEEK, duration_seconds=9.0))
    assert contents(books) == before


def test_a_cycle_is_recorded_with_all_that_follows_or_not_at_all(books):
    before = contents(books)
    unfit = replace(OPENED, sentence=None)  # the alert's row comes after the verdict's
    cycle = books.cycle(action=Action.RETRAIN, status=Status.BREACH)
    decision = replace(cycle.decision, alerts=(unfit,))
    with pytest.raises(IntegrityError, match=r"(?i)not.null"):
        books.record(replace(cycle, decision=decision))
    assert contents(books) == before


def test_of_many_processes_recording_one_revision_one_is_first(books, where):
    engines = [open_database(where) for _ in range(4)]
    cycle = books.cycle(alerts=[OPENED], action=Action.RETRAIN, status=Status.BREACH)
    with ThreadPoolExecutor(4) as pool:
        firsts = list(pool.map(lambda e: SqlStore(e).record(cycle, ["log"]), engines))
    for engine in engines:
        engine.dispose()
    assert sorted(firsts) == [False, False, False, True]
    rows = contents(books)
    assert [len(rows[n]) for n in ("revisions", "alerts", "outbox", "requests")] == [1, 1, 1, 1]


def test_a_later_revision_replaces_the_window_and_keeps_the_history(books):
    books.record(books.cycle(counts=Counts(50, 0, 2)))
    books.record(books.cycle(revision=2, counts=Counts(51, 49, 2)))
    (known,) = books.store.judged("m").values()
    assert (known.revision, known.counts) == (2, Counts(51, 49, 2))
    assert len(contents(books)["revisions"]) == 2


def test_judged_windows_come_back_as_they_were_oldest_first(books):
    row_window = books.cycle(0)
    judged = replace(row_window.judged, window=replace(row_window.judged.window, rows=(500, 1000)))
    for cycle in (books.cycle(2), replace(row_window, judged=judged), books.cycle(1)):
        books.record(cycle)
    found = books.store.judged("m")
    assert list(found) == ["rows-500", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"]
    assert found["rows-500"].window == judged.window
    assert found["2026-01-12T00:00:00Z"].window == books.cycle(1).judged.window


def test_an_alert_is_open_until_it_is_resolved_or_retracted(books):
    for number, how in enumerate((AlertChange.RESOLVED, AlertChange.RETRACTED)):
        alert = books.open_alert(3 * number)
        assert standing(books).open_alerts[Check.DRIFT].window_start == MONDAY + 3 * number * WEEK
        going_on = replace(alert, change=AlertChange.CONTINUED)
        books.record(books.cycle(3 * number + 1, alerts=[going_on], status=Status.BREACH))
        assert list(standing(books).open_alerts) == [Check.DRIFT]
        books.record(books.cycle(3 * number + 2, alerts=[replace(alert, change=how)]))
        assert standing(books).open_alerts == {}
    assert [a["ended_how"] for a in books.history.alerts("m")] == ["resolved", "retracted"]


def test_an_open_alert_knows_the_newest_windows_that_breach_it_now(books):
    alert = replace(books.open_alert(3), change=AlertChange.CONTINUED)

    def breaches() -> list[int]:
        starts = standing(books).open_alerts[Check.DRIFT].breaches
        return [(start - MONDAY) // WEEK for start in starts.values()]

    assert breaches() == [3]
    for number in (4, 5):
        books.record(books.cycle(number, alerts=[alert], status=Status.BREACH))
    assert breaches() == [5, 4]
    books.record(books.cycle(4, revision=2))
    assert breaches() == [5, 3]
    broken = books.cycle(6, status=Status.BREACH, kind=DiagnosisKind.INCIDENT)
    books.record(broken)
    assert breaches() == [5, 3]


def test_every_channel_gets_the_news_of_an_alert_and_not_that_it_goes_on(books):
    books.record(books.cycle(alerts=[OPENED], status=Status.BREACH), "log", "json-0")
    alert = replace(OPENED, opening=1, change=AlertChange.CONTINUED)
    books.record(books.cycle(1, alerts=[alert], status=Status.BREACH), "log", "json-0")
    waiting = books.store.undelivered(MONDAY + 2 * WEEK)
    assert [(d.channel, d.title) for d in waiting] == [
        ("log", "drift opened"),
        ("json-0", "drift opened"),
    ]


def test_a_message_that_was_taken_is_not_sent_again(books):
    books.open_alert()
    now = MONDAY + WEEK
    (delivery,) = books.store.undelivered(now)
    books.store.delivered(delivery, now, None)
    assert books.store.undelivered(now + 10 * WEEK) == []
    assert books.history.deliveries() == {("log", "delivered"): 1, ("log", "failed"): 0}


def test_a_failed_delivery_waits_twice_as_long_each_time_up_to_an_hour(books):
    books.open_alert()
    now, pauses = MONDAY + WEEK, []
    for _ in range(10):
        (delivery,) = books.store.undelivered(now)
        books.store.delivered(delivery, now, "connection refused")
        with books.engine.connect() as connection:
            due = connection.execute(select(tables.outbox.c.next_attempt_at)).scalar_one()
        assert books.store.undelivered(due - timedelta(seconds=1)) == []
        pauses.append((due - now).total_seconds())
        now = due
    assert pauses[:4] == [15, 30, 60, 120]
    assert pauses[-1] == LONGEST_RETRY.total_seconds()
    assert books.history.deliveries() == {("log", "delivered"): 0, ("log", "failed"): 10}


def test_a_window_is_searched_again_when_rows_came_or_the_search_had_crashed(books):
    window = books.cycle().judged.window
    assert not books.store.has_searched("m", window, 50)
    books.record(books.cycle())
    assert books.store.has_searched("m", window, 50)
    assert not books.store.has_searched("m", window, 51)
    crashed = Score(
        Check.QUALITY, None, FEED, None, None, BreachWhen.ABOVE, 0, 50, status=Status.ERROR
    )
    books.record(books.cycle(revision=2, scores=[crashed]))
    assert not books.store.has_searched("m", window, 50)


def test_a_fall_that_has_opened_a_run_is_answered_for_its_champion(books):
    assert not books.store.has_answered("m", 1)
    books.record(books.cycle(action=Action.RETRAIN, status=Status.BREACH))  # on drift
    assert not books.store.has_answered("m", 1)
    fallen = books.cycle(1, action=Action.RETRAIN, status=Status.BREACH)
    decision = replace(fallen.decision, reason=Reason.PERFORMANCE)
    books.record(replace(fallen, decision=decision))
    assert books.store.has_answered("m", 1)
    assert not books.store.has_answered("m", 2)


def test_a_run_is_asked_for_with_the_verdict_and_stands_as_pending(books):
    assert not standing(books).run_pending
    assert standing(books).last_run_at == MONDAY
    books.record(books.cycle(action=Action.RETRAIN, status=Status.BREACH))
    assert standing(books).run_pending
    assert standing(books).last_run_at == MONDAY + WEEK
    (request,) = contents(books)["requests"]
    assert (request.kind, request.trigger, request.why) == (
        "retrain",
        "drift breach",
        "the reason of week 0",
    )


def test_new_labels_are_counted_from_a_time_on_in_mature_windows_without_incident(books):
    incident = {"kind": DiagnosisKind.INCIDENT}
    for number, counts, more in (
        (0, Counts(50, 50), {}),
        (1, Counts(50, 50), {}),
        (2, Counts(50, 20), {}),
        (3, Counts(50, 50), incident),
        (4, Counts(0, 0), {}),
        (5, Counts(50, 45), {}),
    ):
        books.record(books.cycle(number, counts=counts, **more))
    found = standing(books, since=MONDAY + WEEK)
    assert (found.n_new_windows, found.n_new_labels) == (2, 95)


def test_labels_since_the_last_run_are_those_of_windows_that_ended_after_it(books):
    run = {"action": Action.RETRAIN, "status": Status.BREACH}
    for number, more in ((0, {}), (1, run), (2, {}), (3, {})):
        books.record(books.cycle(number, counts=Counts(50 + number, 50 + number), **more))
    found = standing(books)
    assert (found.n_new_labels, found.n_since_run) == (50 + 51 + 52 + 53, 52 + 53)


def test_an_incident_is_open_until_its_alert_ends_whatever_comes_between(books):
    broken = books.open_incident()
    assert standing(books).incident_open
    books.record(books.cycle(1, counts=Counts(0, 0), status=Status.NO_DATA))
    books.record(books.cycle(2, counts=Counts(5, 5), status=Status.NO_DATA))
    assert standing(books).incident_open
    books.record(books.cycle(3, alerts=[replace(broken, change=AlertChange.RESOLVED)]))
    assert not standing(books).incident_open


def test_an_incident_is_over_when_a_person_closes_it(books):
    broken = books.open_incident()
    books.record(books.cycle(1, counts=Counts(0, 0)))
    books.store.close_incident("m", broken.opening, MONDAY + 2 * WEEK, "so it is")
    assert not standing(books).incident_open


def breach(column, method="missing", status=Status.BREACH, detail=""):
    limit = 0.1, BreachWhen.ABOVE, 50, 50
    return Score(Check.QUALITY, column, method, 1.0, *limit, status=status, detail=detail)


def test_what_a_person_closes_is_accepted_of_the_version_and_as_it_was_judged_last(books):
    broken = books.open_incident()
    is_one = {"kind": DiagnosisKind.INCIDENT}
    sound = breach("sound", status=Status.OK)
    scaled = breach("x", "scale", detail="times 10")
    books.record(books.cycle(0, 2, scores=[breach("retracted")], **is_one))
    books.record(books.cycle(0, 3, scores=[breach("g"), sound], **is_one))
    books.record(books.cycle(1, scores=[scaled], **is_one))
    assert books.store.accepted("m", 1) == {}
    closed_at = MONDAY + 2 * WEEK
    books.store.close_incident("m", broken.opening, closed_at, "so it is")
    after = books.cycle(1, 3, scores=[breach("after")], **is_one)
    books.record(books.cycle(1, 2, scores=[]))
    books.record(replace(after, at=closed_at + timedelta(seconds=1)))
    signs = {("g", "missing", ""), ("x", "scale", "times 10"), ("x", "out_of_range", "")}
    assert books.store.accepted("m", 1) == dict.fromkeys(signs, "so it is")
    assert books.store.accepted("m", 2) == {}


def test_what_breaks_after_a_persons_word_or_ends_by_itself_is_not_accepted(books):
    first = books.open_incident()
    books.store.close_incident("m", first.opening, MONDAY + WEEK, "so it is")
    second = books.open_incident(2)
    found = books.cycle(3, scores=[breach("h")], kind=DiagnosisKind.INCIDENT)
    books.record(found)
    books.record(books.cycle(4, alerts=[replace(second, change=AlertChange.RESOLVED)]))
    assert books.store.accepted("m", 1) == {}


def test_a_check_of_quality_that_crashed_is_told_and_is_no_incident(books):
    books.record(books.cycle(0, kind=DiagnosisKind.NONE))
    books.open_alert(1, Check.QUALITY)
    assert Check.QUALITY in standing(books).open_alerts
    assert not standing(books).incident_open


def test_a_pause_and_a_registration_stay_as_they_are_when_repeated(books):
    books.store.pause("m", paused=True)
    books.store.register("m", MONDAY + WEEK)
    assert standing(books).paused
    assert books.history.model("m")["registered_at"] == MONDAY
    books.store.pause("m", paused=False)
    assert not standing(books).paused


def test_refused_rows_are_added_up_by_reason_since_the_first_came(books):
    first, later = MONDAY + timedelta(minutes=7), MONDAY + timedelta(hours=1)
    for reason, n_rows, at in (("bad_id", 3, later), ("bad_time", 1, first), ("bad_id", 2, later)):
        books.store.refuse("m", reason, n_rows, at + timedelta(seconds=30))
    books.store.refuse("m", "bad_id", 4, MONDAY + WEEK)
    assert books.history.refusals_by_model()["m"] == {"bad_id": 9, "bad_time": 1}
    found = books.store.refused("m", Window(MONDAY, MONDAY + WEEK))
    assert found == Refused(6, ("bad_id", "bad_time"), first)
    assert books.store.refused("m", Window(MONDAY - WEEK, MONDAY)) == Refused()


def test_a_failed_cycle_stays_on_the_model_until_one_succeeds(books):
    books.store.fail("m", "disk full", MONDAY)
    assert books.history.model("m")["error"] == "disk full"
    books.record(books.cycle())
    assert books.history.model("m")["error"] is None
    assert books.history.model("m")["last_success_at"] == MONDAY + WEEK


def test_a_cycle_of_any_duration_is_counted_once(books):
    for number, seconds in enumerate((0.0, 0.1, 0.3, 1e6)):
        books.record(replace(books.cycle(number), duration_seconds=seconds))
    counted = books.history.cycle_seconds()
    assert [(edge, n) for edge, n, _ in counted] == [(0.1, 2), (0.5, 1), (1e308, 1)]
    assert sum(seconds for *_, seconds in counted) == pytest.approx(1e6 + 0.4)


def test_a_model_nobody_registered_is_not_found(books):
    with pytest.raises(NotFoundError, match="'stranger'"):
        books.store.standing("stranger", since=MONDAY)


def test_a_score_without_a_number_keeps_its_reason(books):
    books.record(books.cycle())
    with books.engine.connect() as connection:
        n_scores = connection.execute(select(func.count()).select_from(tables.scores)).scalar_one()
    document = books.history.window("m", "2026-01-05T00:00:00Z")
    assert n_scores == len(document["scores"]) == 3
    assert [s["status"] for s in document["scores"]] == ["OK", "NO_DATA", "OK"]


def test_an_estimate_stands_for_the_same_rows_of_the_same_version(books):
    told = Score(
        Check.ESTIMATE, None, "roc_auc", 0.7, 0.67, BreachWhen.BELOW, 100, 50,
        standard_error=0.02, reference_value=0.8, status=Status.OK, detail="an estimate",
    )  # fmt: skip
    cycle = books.cycle(scores=(told,))
    window = cycle.judged.window
    assert books.store.estimated("m", window, 1, 50) is None
    books.record(cycle)
    assert books.store.estimated("m", window, 1, 50) == replace(told, status=None)
    assert books.store.estimated("m", window, 1, 51) is None
    assert books.store.estimated("m", window, 2, 50) is None


def auc(value):
    return Score(
        Check.PERFORMANCE, None, "roc_auc", value, None, BreachWhen.BELOW, 900, 50,
        standard_error=0.01, status=Status.OK,
    )  # fmt: skip


def judged_by(record, champion):
    return replace(record, judged=replace(record.judged, champion=champion))


def measured_before(books, number, version=1):
    window = books.cycle(number).judged.window
    return [one.value for one in books.store.measured("m", window, version, "roc_auc")]


def test_what_was_measured_before_is_of_final_windows_without_incident(books):
    books.record(books.cycle(0, scores=[auc(0.70)]))
    books.record(books.cycle(1, scores=[auc(0.71)], kind=DiagnosisKind.INCIDENT))
    books.record(books.cycle(2, scores=[auc(0.72)], counts=Counts(50, 20)))
    books.record(books.cycle(3, scores=[auc(0.73)]))
    books.record(books.cycle(0, 2, scores=[auc(0.75)]))
    assert measured_before(books, 4) == [0.75, 0.73]
    assert measured_before(books, 3) == [0.75]


def test_what_was_measured_before_ends_where_another_version_served(books):
    for number, champion in enumerate((1, 2, 2, 1)):
        books.record(judged_by(books.cycle(number, scores=[auc(0.7 + number)]), champion))
    assert measured_before(books, 3, version=2) == [1.7, 2.7]
    assert measured_before(books, 4, version=1) == [3.7]
    assert measured_before(books, 3, version=1) == []


def test_when_labels_came_is_kept_with_the_window_and_noted_again_when_it_is_counted(books):
    first = books.cycle(0, counts=Counts(50, 20, lags=((0.0, 20),)))
    books.record(first)
    books.record(books.cycle(1))
    window = first.judged.window
    books.record(books.cycle(0, 2, counts=Counts(51, 30, lags=((0.0, 20), (60.0, 10)))))
    later = Counts(51, 32, lags=((0.0, 20), (60.0, 12)))
    books.store.counted("m", window, Seen(51, 32), later)
    (found,) = books.store.arrivals("m", [window])
    assert (found.window, found.first_judged_at) == (window, first.at)
    assert (found.counts.n_rows, found.counts.n_labels, found.counts.lags) == (51, 32, later.lags)
    (known, _) = books.store.judged("m").values()
    assert (known.counts.n_labels, known.provisional) == (30, True)
