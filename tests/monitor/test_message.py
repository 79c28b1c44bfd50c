"""What people read about an alert."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.alert import Alert, AlertChange, Judged
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.decision import Action, Decision, ModelState, Reason, RetrainPolicy, decide
from monitor.diagnosis import diagnose
from monitor.message import messages
from monitor.verdict import Verdict
from monitor.window import Window

URL = "http://leeway.example"
MONDAY = datetime(2013, 7, 1, tzinfo=UTC)
WINDOW = Window(MONDAY, MONDAY + timedelta(days=7))


def judged(*scores: Score, **statuses: Status):
    checks = {check: statuses.get(check, Status.OK) for check in Check}
    verdict = Verdict(Status.BREACH, checks, scores, 0.8, provisional=False)
    return Judged(WINDOW, 1, 4, verdict, diagnose(verdict))


def drift(column, value):
    return Score(
        Check.DRIFT, column, "psi", value, 0.1, BreachWhen.ABOVE, 100, 100, status=Status.BREACH
    )


def told(change, action=Action.NONE, check=Check.DRIFT):
    decision = Decision(
        action, Reason.DRIFT, "this is why", (Alert(check, change, "this happened", 3),)
    )
    return messages("late", judged(), decision, URL)


def test_a_message_names_three_columns_the_window_the_decision_and_where_to_look():
    scores = [drift("temp", 0.4), drift("wind", 0.3), drift("hour", 0.9), drift("dest", 0.2)]
    one = judged(*scores, drift=Status.BREACH)
    state = ModelState(champion=4, last_run_at=MONDAY, n_new_windows=3)
    decision = decide(one, state, RetrainPolicy(), MONDAY + timedelta(days=20))
    (message,) = messages("late", one, decision, URL)
    assert message.title == "[late] drift opened"
    assert message.body.splitlines() == [
        (
            "80% of the columns drifted, most of all hour (psi 0.9 > 0.1), temp (psi 0.4 > 0.1), "
            "wind (psi 0.3 > 0.1)."
        ),
        "Window: 2013-07-01 00:00 to 2013-07-08 00:00 UTC, judged against version 4.",
        (
            "Leeway retrains: 80% of the columns drifted, most of all hour (psi 0.9 > 0.1), "
            "temp (psi 0.4 > 0.1), wind (psi 0.3 > 0.1)."
        ),
        "http://leeway.example/models/late/windows/2013-07-01T00:00:00Z",
    ]
    assert message.alert is decision.alerts[0]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action.NONE, "Nothing was done: this is why."),
        (Action.HOLD, "Leeway holds: this is why."),
        (Action.RETRAIN, "Leeway retrains: this is why."),
    ],
)
def test_whoever_is_alerted_hears_what_is_done_and_why(action, words):
    (message,) = told(AlertChange.OPENED, action)
    assert message.body.splitlines()[2] == words


def test_there_are_words_for_every_action():
    assert all(told(AlertChange.OPENED, action) for action in Action)


@pytest.mark.parametrize("change", [AlertChange.RESOLVED, AlertChange.RETRACTED])
def test_the_end_of_an_alert_is_told_without_a_decision(change):
    (message,) = told(change)
    assert message.title == f"[late] drift {change}"
    assert message.body.splitlines() == [
        "this happened.",
        "Window: 2013-07-01 00:00 to 2013-07-08 00:00 UTC, judged against version 4.",
        "http://leeway.example/models/late/windows/2013-07-01T00:00:00Z",
    ]


def test_an_alert_that_goes_on_is_not_repeated():
    assert told(AlertChange.CONTINUED) == ()


def test_a_calm_window_has_no_message():
    decision = Decision(Action.NONE, Reason.ALL_WELL, "nothing stands out", ())
    assert messages("late", judged(), decision, URL) == ()


def test_every_alert_has_a_message_of_its_own():
    alerts = (
        Alert(Check.DRIFT, AlertChange.RESOLVED, "drift is back within bounds", 3),
        Alert(Check.PERFORMANCE, AlertChange.OPENED, "roc_auc fell"),
    )
    decision = Decision(Action.HOLD, Reason.PAUSED, "paused", alerts)
    found = messages("late", judged(), decision, URL)
    assert [m.title for m in found] == ["[late] drift resolved", "[late] performance opened"]
    assert [m.alert for m in found] == list(alerts)
