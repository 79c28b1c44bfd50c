"""What people and metrics read, out of a real database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.action import Action, Reason
from monitor.alert import AlertChange
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.decision import Decision
from monitor.errors import NotFoundError
from monitor.window import Counts

MONDAY, WEEK = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=7)
KEYS = ["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"]
DRIFT_ALONE = (Score(Check.DRIFT, "x", "ks", 0.4, 0.05, BreachWhen.BELOW, 9, 9, status=Status.OK),)


def test_a_model_without_windows_is_there_with_none(books):
    (model,) = books.history.models()
    assert (model["model"], model["window"], model["alerts"]) == ("m", None, [])
    assert books.history.windows("m") == []


def test_windows_are_shown_in_their_latest_revision_oldest_first(books):
    for number in (2, 0, 1):
        books.record(books.cycle(number))
    books.record(books.cycle(1, revision=2, status=Status.BREACH, counts=Counts(60, 60)))
    windows = books.history.windows("m")
    assert [w["id"] for w in windows] == KEYS
    assert [w["index"] for w in windows] == [0, 1, 2]
    assert [(w["revision"], w["status"], w["n_rows"]) for w in windows] == [
        (1, "OK", 50),
        (2, "BREACH", 60),
        (1, "OK", 50),
    ]
    assert windows[0]["metrics"] == {"roc_auc": 0.8}


def test_what_was_set_going_is_not_undone_by_a_later_hold_and_each_revision_is_kept(books):
    done = [(Action.RETRAIN, Reason.PERFORMANCE), (Action.HOLD, Reason.RUN_PENDING)]
    for revision, (action, reason) in enumerate(done, 1):
        one = books.cycle(0, revision=revision)
        books.record(replace(one, decision=Decision(action, reason, f"because of {reason}", ())))
    books.record(books.cycle(1))
    first, second = books.history.windows("m")
    assert (first["decision"], first["reason"]) == (Action.RETRAIN, Reason.PERFORMANCE)
    assert books.history.window("m", KEYS[0])["decision"] == Action.RETRAIN
    decisions = books.history.decisions("m")
    assert [(one["decision"], one["reason"]) for one in decisions[KEYS[0]]] == done
    assert [one["sentence"] for one in decisions[KEYS[1]]] == [second["sentence"]]


def test_a_window_comes_with_its_scores_and_all_its_revisions(books):
    books.record(books.cycle(0, scores=DRIFT_ALONE))
    books.record(books.cycle(0, revision=2))
    books.record(books.cycle(1))
    window = books.history.window("m", KEYS[0])
    assert [r["revision"] for r in window["revisions"]] == [1, 2]
    assert [s["method"] for s in window["scores"]] == ["ks", "z", "roc_auc"]
    assert (window["index"], window["sentence"]) == (0, "the reason of week 0")
    assert (window["start"], window["end"]) == (MONDAY, MONDAY + WEEK)


def test_the_newest_window_by_time_stands_for_the_model_whatever_was_judged_last(books):
    books.record(books.cycle(1, status=Status.BREACH))
    books.record(books.cycle(0))
    assert books.history.model("m")["window"]["id"] == KEYS[1]


def test_open_alerts_are_on_the_model_and_ended_ones_in_its_list(books):
    alert = books.open_alert()
    assert [a["check"] for a in books.history.model("m")["alerts"]] == ["drift"]
    books.record(books.cycle(1, alerts=[replace(alert, change=AlertChange.RESOLVED)]))
    assert books.history.model("m")["alerts"] == []
    (ended,) = books.history.alerts("m")
    assert (ended["opened_at"], ended["ended_at"]) == (MONDAY + WEEK, MONDAY + 2 * WEEK)


@pytest.mark.parametrize("ask", ["model", "windows", "decisions", "alerts"])
def test_a_model_nobody_registered_is_not_found(books, ask):
    with pytest.raises(NotFoundError, match="'stranger'"):
        getattr(books.history, ask)("stranger")


def test_a_window_that_was_not_judged_is_not_found(books):
    with pytest.raises(NotFoundError, match="window"):
        books.history.window("m", KEYS[0])
