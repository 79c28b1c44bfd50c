"""What people read about an alert."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.action import Action, Reason, Trigger
from monitor.alert import Alert, AlertChange, Judged, Opening
from monitor.checks.calibrated import METHOD
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.checks.unlabelled import BLIND
from monitor.decision import Decision, RetrainPolicy, decide
from monitor.diagnosis import diagnose
from monitor.message import Telling, messages
from monitor.model_state import ModelState
from monitor.verdict import Verdict
from monitor.window import Window

URL = "http://leeway.example"
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
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


TELLING = Telling(URL, MONDAY + timedelta(days=7))


def told(change, action=Action.NONE, check=Check.DRIFT, telling=TELLING, why="this is why"):
    decision = Decision(action, Reason.DRIFT, why, (Alert(check, change, "this happened", 3),))
    return messages("late", judged(), decision, telling)


def test_a_message_names_three_columns_the_window_the_decision_and_where_to_look():
    scores = [drift("temp", 0.4), drift("wind", 0.3), drift("hour", 0.9), drift("dest", 0.2)]
    one = judged(*scores, drift=Status.BREACH)
    state = ModelState(champion=4, last_run_at=MONDAY, n_new_windows=3)
    on_drift = RetrainPolicy(when=frozenset({Trigger.DRIFT}))
    decision = decide(one, state, on_drift, MONDAY + timedelta(days=20))
    (message,) = messages("late", one, decision, TELLING)
    assert message.title == "[late] the inputs have drifted"
    assert message.body.splitlines() == [
        (
            "80% of the columns drifted, most of all hour (psi 0.9 > 0.1), temp (psi 0.4 > 0.1), "
            "wind (psi 0.3 > 0.1)."
        ),
        "How sure: on 100 rows.",
        "Ordered by drift alone: how much the model rests on its columns is not known.",
        "What Leeway does: it retrains.",
        "Window: 2013-07-01 00:00 to 2013-07-08 00:00 UTC, judged against version 4.",
        "The window: http://leeway.example/models/late/windows/2013-07-01T00:00:00Z",
        "The model: http://leeway.example/models/late",
        "What to do: http://leeway.example/runbooks/LeewayDrift",
    ]
    assert message.alert is decision.alerts[0]


def test_a_fall_comes_with_its_band_the_reference_and_the_columns_that_moved():
    fallen = Score(
        *(Check.PERFORMANCE, None, "roc_auc", 0.7, 0.77, BreachWhen.BELOW, 900, 280),
        standard_error=0.02,
        reference_value=0.8,
        status=Status.BREACH,
    )
    one = judged(fallen, drift("temp", 0.4), performance=Status.BREACH, drift=Status.WARNING)
    state = ModelState(champion=4, last_run_at=MONDAY, n_new_windows=3)
    decision = decide(one, state, RetrainPolicy(), MONDAY + timedelta(days=5))
    (message,) = messages("late", one, decision, TELLING)
    assert message.title == "[late] performance has fallen"
    assert message.body.splitlines()[:5] == [
        "roc_auc is 0.700, its limit 0.770.",
        "How sure: on 280 labelled rows, 95 % band 0.661 to 0.739; reference 0.800.",
        (
            "Why: performance has fallen though most inputs look as before; whether their relation "
            "to the outcome changed is not tested."
        ),
        "Columns that moved most: temp (psi 0.4 > 0.1).",
        "What Leeway does: it holds; not retrained: cooling down for another 2 days.",
    ]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action.NONE, "What Leeway does: nothing; this is why."),
        (Action.HOLD, "What Leeway does: it holds; this is why."),
        (Action.RETRAIN, "What Leeway does: it retrains, because this is why."),
    ],
)
def test_whoever_is_alerted_hears_what_is_done_and_why(action, words):
    (message,) = told(AlertChange.OPENED, action)
    assert message.body.splitlines()[1] == words


def test_there_are_words_for_every_action_check_and_change():
    assert all(told(AlertChange.OPENED, action) for action in Action)
    for change in set(AlertChange) - {AlertChange.CONTINUED}:
        assert all(told(change, check=check) for check in Check)


@pytest.mark.parametrize("check", Check)
def test_whoever_is_alerted_is_shown_a_runbook_that_exists(check):
    (message,) = told(AlertChange.OPENED, check=check)
    name = message.body.rpartition("http://leeway.example/runbooks/")[2]
    assert (RUNBOOKS / f"{name}.md").is_file()


def test_a_check_that_crashed_is_not_called_a_breach():
    one = judged(quality=Status.ERROR)
    alert = Alert(Check.QUALITY, AlertChange.OPENED, "quality could not be checked: x: overflow")
    decision = Decision(Action.NONE, Reason.CHECK_FAILED, "not everything was checked", (alert,))
    (message,) = messages("late", one, decision, TELLING)
    assert message.title == "[late] quality could not be checked"
    assert message.body.endswith("/runbooks/LeewayCheckFailed")


@pytest.mark.parametrize(
    ("change", "word"), [(AlertChange.RESOLVED, "over"), (AlertChange.RETRACTED, "taken back")]
)
def test_the_end_of_an_alert_is_told_without_a_decision(change, word):
    (message,) = told(change)
    assert message.title == f"[late] {word}: the inputs have drifted"
    assert message.body.splitlines() == [
        "this happened.",
        "Window: 2013-07-01 00:00 to 2013-07-08 00:00 UTC, judged against version 4.",
        "The window: http://leeway.example/models/late/windows/2013-07-01T00:00:00Z",
        "The model: http://leeway.example/models/late",
    ]


def heard(told_at, window_start=MONDAY - timedelta(days=7)):
    opening = Opening(3, "before", window_start, told_at)
    return Telling(URL, MONDAY + timedelta(days=7), timedelta(days=1), {Check.DRIFT: opening})


def test_an_alert_that_goes_on_is_told_again_once_the_interval_has_passed():
    now = MONDAY + timedelta(days=7)
    assert told(AlertChange.CONTINUED, telling=heard(now - timedelta(hours=23))) == ()
    (again,) = told(AlertChange.CONTINUED, telling=heard(now - timedelta(hours=24)))
    assert again.title == "[late] still: the inputs have drifted"


def test_late_news_of_the_window_that_opened_an_alert_are_no_reason_to_repeat_it():
    long_ago = MONDAY - timedelta(days=30)
    assert told(AlertChange.CONTINUED, telling=heard(long_ago, window_start=MONDAY)) == ()


def test_an_alert_that_nobody_was_told_of_is_not_repeated():
    assert told(AlertChange.CONTINUED) == ()
    assert told(AlertChange.CONTINUED, telling=heard(None)) == ()


def test_a_calm_window_has_no_message():
    decision = Decision(Action.NONE, Reason.ALL_WELL, "nothing stands out", ())
    assert messages("late", judged(), decision, TELLING) == ()


def test_every_alert_has_a_message_of_its_own():
    alerts = (
        Alert(Check.DRIFT, AlertChange.RESOLVED, "drift is back within bounds", 3),
        Alert(Check.PERFORMANCE, AlertChange.OPENED, "roc_auc fell"),
    )
    decision = Decision(Action.HOLD, Reason.PAUSED, "paused", alerts)
    found = messages("late", judged(), decision, TELLING)
    assert [m.title for m in found] == [
        "[late] over: the inputs have drifted",
        "[late] performance has fallen",
    ]
    assert [m.alert for m in found] == list(alerts)


def wobbled(column, p, status=Status.BREACH):
    return Score(
        Check.DRIFT, column, METHOD, p, 0.1, BreachWhen.BELOW, 26, 500,
        status=status, detail="location +6.1 standard errors from its usual",
    )  # fmt: skip


def test_under_a_budget_a_message_says_how_far_beyond_its_wobble_a_column_is():
    scores = [wobbled("temp", 0.0004), wobbled("wind", 0.9, Status.OK), drift("temp", 0.4)]
    one = judged(*scores[:2], replace(scores[2], status=Status.WARNING), drift=Status.BREACH)
    decision = decide(one, ModelState(4, MONDAY), RetrainPolicy(), MONDAY)
    (message,) = messages("late", one, decision, TELLING)
    assert message.body.splitlines()[:2] == [
        (
            "1 of 2 columns moved more than they wobble from one window to the next, most of all "
            "temp (location +6.1 standard errors from its usual)."
        ),
        (
            "How sure: on 500 rows beside 26 reference windows, an adjusted p-value of 0.0004 "
            "where 0.1 counts."
        ),
    ]


def test_a_message_of_a_model_that_is_not_calibrated_says_so():
    why = replace(
        wobbled(None, None), detail="uncalibrated: the reference has 4 windows, 8 are needed"
    )
    one = judged(drift("temp", 0.4), replace(why, status=Status.NO_DATA), drift=Status.BREACH)
    decision = decide(one, ModelState(4, MONDAY), RetrainPolicy(), MONDAY)
    (message,) = messages("late", one, decision, TELLING)
    assert message.body.splitlines()[1] == (
        "How sure: on 100 rows; uncalibrated: the reference has 4 windows, 8 are needed, so "
        "Evidently's limits judge."
    )


def test_an_estimate_says_its_band_and_what_it_cannot_see():
    score = Score(
        Check.ESTIMATE, None, "roc_auc", 0.6, 0.7, BreachWhen.BELOW, 900, 500,
        standard_error=0.01, reference_value=0.75, status=Status.BREACH, detail=BLIND,
    )  # fmt: skip
    one = judged(score, estimate=Status.BREACH)
    decision = decide(one, ModelState(4, MONDAY), RetrainPolicy(frozenset()), MONDAY)
    (message,) = messages("late", one, decision, TELLING)
    assert message.title == "[late] performance has probably fallen"
    assert message.body.splitlines()[1:3] == [
        (
            "How sure: on 500 rows, 95 % band 0.580 to 0.620; reference 0.750; an estimate without "
            "labels: it cannot see concept drift."
        ),
        (
            "What Leeway does: nothing; estimated, roc_auc is 0.600, its limit 0.700; an estimate "
            "alone retrains nothing."
        ),
    ]
