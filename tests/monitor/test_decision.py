"""What is done about a window, and every reason for doing it or leaving it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.action import Action, Ask, Reason, Trigger
from monitor.alert import AlertChange, Judged, Opening
from monitor.change import Change
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.decision import DEFAULT_NEW_WINDOWS, RetrainPolicy, decide
from monitor.diagnosis import diagnose
from monitor.model_state import ModelState
from monitor.probation import Judgement, Probation, Trial, TrialStatus
from monitor.verdict import Verdict
from monitor.window import MONDAY, Window

modest = settings(max_examples=200, deadline=None, derandomize=True)

DAY = timedelta(days=1)
OK, WARNING, BREACH = Status.OK, Status.WARNING, Status.BREACH
NO_DATA, ERROR = Status.NO_DATA, Status.ERROR
NOW = MONDAY + 20 * DAY
WINDOW = Window(MONDAY, MONDAY + 7 * DAY)
READY = ModelState(champion=1, last_run_at=NOW - 20 * DAY, n_new_windows=3, n_new_labels=300)
POLICY = RetrainPolicy()

DRIFT = Score(Check.DRIFT, "x", "psi", 0.5, 0.1, BreachWhen.ABOVE, 100, 100, status=BREACH)
MISSING = Score(Check.QUALITY, "x", "missing", 0.9, 0.1, BreachWhen.ABOVE, 100, 100, status=BREACH)
FALL = Score(
    Check.PERFORMANCE, None, "roc_auc", 0.6, 0.7, BreachWhen.BELOW, 100, 100, status=BREACH
)
FAILED = {"value": None, "status": ERROR, "failed": True, "detail": "ValueError: no"}
SCORES = {
    Check.DRIFT: DRIFT,
    Check.QUALITY: MISSING,
    Check.PERFORMANCE: FALL,
    Check.ESTIMATE: replace(FALL, check=Check.ESTIMATE),
}


CHANGED = Change("accuracy", 0.0, -0.01, -0.02, 4.0, 0.015)


def judged(status=OK, *, revision=1, champion=1, n_labels=0, change=None, **statuses: Status):
    checks = {check: statuses.get(check, OK) for check in Check}
    scores = tuple(
        SCORES[check] if found is BREACH else replace(SCORES[check], **FAILED)
        for check, found in checks.items()
        if found in (BREACH, ERROR)
    )
    verdict = Verdict(status, checks, scores, 0.5, provisional=False)
    diagnosis = diagnose(verdict, change=change)
    return Judged(WINDOW, revision, champion, verdict, diagnosis, n_labels)


FALLEN, DRIFTED = judged(performance=BREACH), judged(drift=BREACH)
BROKEN = judged(quality=BREACH)


def decided(one, *, policy=POLICY, **state: object):
    return decide(one, replace(READY, **state), policy, NOW)


def act(one, *, policy=POLICY, **state: object):
    found = decided(one, policy=policy, **state)
    return found.action, found.reason


HARMFUL = Judgement(
    Trial(Probation(7, 2, 1, MONDAY)), TrialStatus.BREACHED, "version 2 has a ROC AUC worse by 0.05"
)

PASSED = {"challenger": 2, "waits_since": NOW - 2 * DAY}

# every reason

CASES = {
    Reason.ALL_WELL: (Action.NONE, judged(), {}, POLICY),
    Reason.NOT_ENOUGH_ROWS: (Action.NONE, judged(NO_DATA), {}, POLICY),
    Reason.INCIDENT: (Action.HOLD, BROKEN, {}, POLICY),
    Reason.PERFORMANCE: (Action.RETRAIN, FALLEN, {}, POLICY),
    Reason.DRIFT: (Action.RETRAIN, DRIFTED, {}, RetrainPolicy(when=frozenset({Trigger.DRIFT}))),
    Reason.TRIED: (Action.NONE, DRIFTED, {}, POLICY),
    Reason.SCHEDULE: (Action.RETRAIN, judged(), {"last_run_at": NOW - 28 * DAY}, POLICY),
    Reason.NEW_ROWS: (
        Action.RETRAIN,
        judged(n_labels=100),
        {"n_since_run": 400},
        RetrainPolicy(new_rows=500),
    ),
    Reason.PROBATION: (Action.ROLL_BACK, judged(), {"judgement": HARMFUL}, POLICY),
    Reason.CHECK_FAILED: (Action.NONE, judged(drift=ERROR), {}, POLICY),
    Reason.DECIDED_BEFORE: (Action.NONE, judged(revision=2, drift=BREACH), {}, POLICY),
    Reason.WITHIN_LIMITS: (Action.NONE, judged(change=CHANGED), {}, POLICY),
    Reason.NOT_ASKED: (Action.NONE, DRIFTED, {}, RetrainPolicy(when=frozenset())),
    Reason.SUPERSEDED: (Action.HOLD, FALLEN, {"champion": 2}, POLICY),
    Reason.PAUSED: (Action.HOLD, FALLEN, {"paused": True}, POLICY),
    Reason.RUN_PENDING: (Action.HOLD, FALLEN, {"run_pending": True}, POLICY),
    Reason.COOLING_DOWN: (Action.HOLD, FALLEN, {"last_run_at": NOW - 6 * DAY}, POLICY),
    Reason.TOO_FEW_LABELS: (Action.HOLD, FALLEN, {"n_new_windows": 1}, POLICY),
    Reason.IN_THE_GATE: (Action.HOLD, FALLEN, {"challenger": 2}, POLICY),
    Reason.WAITS_FOR_A_PERSON: (Action.HOLD, FALLEN, PASSED, POLICY),
}


def test_there_is_a_case_for_every_reason():
    assert set(CASES) == set(Reason)


@pytest.mark.parametrize("reason", list(CASES))
def test_each_reason_can_be_reached_and_goes_with_its_action(reason):
    action, one, state, policy = CASES[reason]
    assert act(one, policy=policy, **state) == (action, reason)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Reason.ALL_WELL, "nothing stands out"),
        (Reason.NOT_ENOUGH_ROWS, "the window has too few rows to judge"),
        (
            Reason.INCIDENT,
            "the feed looks broken: x: 90% of rows have no value (reference 0%); not retrained on, fix the feed first",
        ),
        (Reason.PERFORMANCE, "roc_auc is 0.600, its limit 0.700"),
        (Reason.DRIFT, "50% of the columns drifted, most of all x (psi 0.5 > 0.1)"),
        (Reason.CHECK_FAILED, "not everything could be checked: x: ValueError: no"),
        (Reason.DECIDED_BEFORE, "the inputs have moved; decided when the window was first judged"),
        (
            Reason.WITHIN_LIMITS,
            f"the relation of inputs and outcome has changed, though performance is within its limit: {CHANGED.sentence}; that alone retrains nothing",
        ),
        (Reason.PROBATION, "version 2 has a ROC AUC worse by 0.05"),
        (Reason.SCHEDULE, "28 days have passed since the last run"),
        (
            Reason.NOT_ASKED,
            "50% of the columns drifted, most of all x (psi 0.5 > 0.1); leeway.yaml does not retrain on this",
        ),
        (
            Reason.SUPERSEDED,
            "roc_auc is 0.600, its limit 0.700; not retrained: a newer version serves already",
        ),
        (Reason.PAUSED, "roc_auc is 0.600, its limit 0.700; not retrained: a person has paused it"),
        (
            Reason.RUN_PENDING,
            "roc_auc is 0.600, its limit 0.700; not retrained: a run is already asked for",
        ),
        (
            Reason.IN_THE_GATE,
            "roc_auc is 0.600, its limit 0.700; not retrained: version 2 is in the gate and decided on first",
        ),
        (
            Reason.WAITS_FOR_A_PERSON,
            "roc_auc is 0.600, its limit 0.700; not retrained: version 2 waits for a person since 23 Jan 1970",
        ),
        (
            Reason.COOLING_DOWN,
            "roc_auc is 0.600, its limit 0.700; not retrained: cooling down for another 24 hours",
        ),
        (
            Reason.TOO_FEW_LABELS,
            (
                "roc_auc is 0.600, its limit 0.700; not retrained: only 300 new labels in 1 windows "
                "since version 1 was trained, 2 labelled windows are needed"
            ),
        ),
    ],
)
def test_each_reason_is_given_in_plain_words(reason, sentence):
    _, one, state, policy = CASES[reason]
    assert decided(one, policy=policy, **state).sentence == sentence


# an incident holds everything


@pytest.mark.parametrize("drift", [OK, BREACH])
@pytest.mark.parametrize("performance", [OK, BREACH])
@pytest.mark.parametrize(
    "state", [{}, {"last_run_at": NOW - 100 * DAY}, {"paused": True}, {"run_pending": True}]
)
def test_nothing_is_retrained_on_a_broken_feed(drift, performance, state):
    broken = judged(quality=BREACH, drift=drift, performance=performance)
    assert act(broken, **state) == (Action.HOLD, Reason.INCIDENT)


@pytest.mark.parametrize("one", [FALLEN, DRIFTED, judged()])
def test_an_incident_that_is_still_open_holds_what_later_windows_ask_for(one):
    state = {"incident_open": True, "last_run_at": NOW - 100 * DAY}
    assert act(one, **state) == (Action.HOLD, Reason.INCIDENT)


@pytest.mark.parametrize("key", [WINDOW.key, "the window before"])
@pytest.mark.parametrize(
    ("n_labels", "state", "ask"),
    [(100, {}, Ask.TRIAL), (100, {"challenger": 2}, Ask.LOOK), (0, {}, None)],
)
def test_the_window_that_ends_an_incident_asks_for_what_a_sound_window_asks(
    key, n_labels, state, ask
):
    opening = Opening(7, key, WINDOW.start - 7 * DAY * (key != WINDOW.key))
    state |= {"incident_open": True, "open_alerts": {Check.QUALITY: opening}}
    found = decided(judged(n_labels=n_labels), **state)
    assert [(one.check, one.opening) for one in found.alerts] == [(Check.QUALITY, 7)]
    assert (found.ask, found.reason) == (ask, Reason.ALL_WELL)


# triggers


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ({Trigger.PERFORMANCE, Trigger.DRIFT}, Reason.PERFORMANCE),
        ({Trigger.DRIFT}, Reason.DRIFT),
        ({Trigger.PERFORMANCE}, Reason.PERFORMANCE),
        ({Trigger.SCHEDULE}, Reason.NOT_ASKED),
        (set(), Reason.NOT_ASKED),
    ],
)
def test_the_first_breach_that_the_policy_asks_for_opens_the_run(when, reason):
    both = judged(performance=BREACH, drift=BREACH)
    assert act(both, policy=RetrainPolicy(when=frozenset(when)))[1] is reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (WARNING, Reason.ALL_WELL),
        (NO_DATA, Reason.ALL_WELL),
        (ERROR, Reason.CHECK_FAILED),
    ],
)
def test_a_warning_or_a_check_that_failed_retrains_nothing(status, reason):
    assert act(judged(drift=status, performance=status)) == (Action.NONE, reason)


def test_a_check_that_failed_keeps_no_other_from_opening_a_run():
    assert act(judged(drift=ERROR, performance=BREACH))[1] is Reason.PERFORMANCE


def test_a_fall_that_a_run_has_answered_is_left_to_trials_where_there_are_any():
    fallen = judged(performance=BREACH, n_labels=50)
    found = decided(fallen, is_answered=True)
    assert (found.action, found.reason, found.ask) == (Action.NONE, Reason.TRIED, Ask.TRIAL)
    assert found.sentence.endswith("whether newer rows help, a trial tells")
    alone = RetrainPolicy(when=frozenset({Trigger.PERFORMANCE}))
    assert act(fallen, policy=alone, is_answered=True) == (Action.RETRAIN, Reason.PERFORMANCE)


def test_late_labels_may_retrain_on_performance_and_not_on_drift_or_schedule_again():
    assert act(judged(revision=2, performance=BREACH))[1] is Reason.PERFORMANCE
    assert act(judged(revision=2, drift=BREACH))[1] is Reason.DECIDED_BEFORE
    assert act(judged(revision=2), last_run_at=NOW - 100 * DAY)[1] is Reason.ALL_WELL


@pytest.mark.parametrize(("days", "reason"), [(27.99, Reason.ALL_WELL), (28, Reason.SCHEDULE)])
def test_the_schedule_is_due_when_its_time_has_passed(days, reason):
    assert act(judged(), last_run_at=NOW - days * DAY)[1] is reason


def test_without_a_schedule_time_alone_retrains_nothing():
    policy = RetrainPolicy(when=frozenset({Trigger.DRIFT}))
    assert act(judged(), policy=policy, last_run_at=NOW - 900 * DAY)[1] is Reason.ALL_WELL


def test_what_holds_a_trial_back_is_said_where_drift_is_left_to_it():
    found = decided(DRIFTED, last_run_at=NOW - 2 * DAY)
    assert (found.action, found.reason, found.ask) == (Action.NONE, Reason.TRIED, None)
    told = "whether newer rows help, a trial tells, but not yet: cooling down for another 5 days"
    assert found.sentence.endswith(told)


MANY = RetrainPolicy(new_rows=1000)


@pytest.mark.parametrize(("n_before", "reason"), [(899, Reason.ALL_WELL), (900, Reason.NEW_ROWS)])
def test_so_many_new_labelled_rows_open_a_run(n_before, reason):
    found = decided(judged(n_labels=100), policy=MANY, n_since_run=n_before)
    assert found.reason is reason
    if reason is Reason.NEW_ROWS:
        assert (found.action, found.ask) == (Action.RETRAIN, Ask.RETRAIN)
        assert found.sentence == "1000 labelled rows have come since the last run"
    else:
        assert found.ask is Ask.TRIAL


def test_new_rows_open_nothing_without_new_labels_or_where_they_are_no_trigger():
    assert act(judged(), policy=MANY, n_since_run=5000)[1] is Reason.ALL_WELL
    alone = replace(MANY, when=frozenset({Trigger.DRIFT}))
    assert act(judged(n_labels=100), policy=alone, n_since_run=5000)[1] is Reason.ALL_WELL
    assert act(judged(n_labels=100), n_since_run=10**9)[1] is Reason.ALL_WELL


# what stands against it


@pytest.mark.parametrize(("days", "reason"), [(6.99, Reason.COOLING_DOWN), (7, Reason.PERFORMANCE)])
def test_a_run_is_opened_again_when_the_cooldown_is_over(days, reason):
    assert act(FALLEN, last_run_at=NOW - days * DAY)[1] is reason


@pytest.mark.parametrize(
    ("min_labels", "state", "reason"),
    [
        (None, {"n_new_windows": DEFAULT_NEW_WINDOWS}, Reason.PERFORMANCE),
        (
            None,
            {"n_new_windows": DEFAULT_NEW_WINDOWS - 1, "n_new_labels": 10**6},
            Reason.TOO_FEW_LABELS,
        ),
        (100, {"n_new_windows": 0, "n_new_labels": 100}, Reason.PERFORMANCE),
        (100, {"n_new_windows": 9, "n_new_labels": 99}, Reason.TOO_FEW_LABELS),
    ],
)
def test_a_run_needs_two_new_windows_or_the_labels_that_were_asked_for(min_labels, state, reason):
    assert act(FALLEN, policy=RetrainPolicy(min_labels=min_labels), **state)[1] is reason


def test_the_window_at_hand_counts_when_it_brings_its_labels():
    state = {"n_new_windows": DEFAULT_NEW_WINDOWS - 1}
    fallen = judged(performance=BREACH, n_labels=50)
    assert act(fallen, **state)[1] is Reason.PERFORMANCE
    early = replace(fallen, verdict=replace(fallen.verdict, provisional=True))
    assert act(early, **state)[1] is Reason.TOO_FEW_LABELS


LABELLED = judged(n_labels=100)
LATE = judged(n_labels=100, revision=2)


@pytest.mark.parametrize(
    ("one", "state", "when", "ask"),
    [
        (LABELLED, {}, {Trigger.GAIN}, Ask.TRIAL),
        (LABELLED, {}, {Trigger.DRIFT}, None),
        (LABELLED, {"last_run_at": NOW - 28 * DAY}, {Trigger.GAIN}, Ask.TRIAL),
        (LABELLED, {"last_run_at": NOW - 28 * DAY}, {Trigger.GAIN, Trigger.SCHEDULE}, Ask.RETRAIN),
        (LATE, {"last_run_at": NOW - 28 * DAY}, {Trigger.GAIN, Trigger.SCHEDULE}, None),
        (judged(), {}, {Trigger.GAIN}, None),
        (LABELLED, {"last_run_at": NOW - DAY}, {Trigger.GAIN}, None),
        (LABELLED, {"n_new_windows": 0}, {Trigger.GAIN}, None),
        (judged(quality=BREACH, n_labels=100), {}, {Trigger.GAIN}, None),
        (judged(performance=BREACH, n_labels=100), {}, set(Trigger), Ask.RETRAIN),
        (LABELLED, {"challenger": 2, "last_run_at": NOW}, set(), Ask.LOOK),
        (LABELLED, {**PASSED, "last_run_at": NOW}, {Trigger.GAIN}, None),
        (judged(performance=BREACH, n_labels=9), {"challenger": 2}, set(Trigger), Ask.LOOK),
        (LABELLED, {"challenger": 2, "paused": True}, set(Trigger), None),
        (LABELLED, {"challenger": 2, "run_pending": True}, set(Trigger), None),
        (judged(), {"challenger": 2}, set(Trigger), None),
    ],
)
def test_new_labels_are_the_next_look_or_a_trial_where_nothing_stands_against_it(
    one, state, when, ask
):
    policy = RetrainPolicy(when=frozenset(when))
    assert decided(one, policy=policy, **state).ask is ask


def test_the_reason_that_only_a_person_can_lift_is_given_first():
    everything = {
        "paused": True,
        "champion": 2,
        "incident_open": True,
        "run_pending": True,
        "last_run_at": NOW,
        "n_new_windows": 0,
    }
    order = [
        Reason.PAUSED,
        Reason.SUPERSEDED,
        Reason.INCIDENT,
        Reason.RUN_PENDING,
        Reason.COOLING_DOWN,
        Reason.TOO_FEW_LABELS,
    ]
    lifted = [
        {"paused": False},
        {"champion": 1},
        {"incident_open": False},
        {"run_pending": False},
        {"last_run_at": READY.last_run_at},
    ]
    found = [act(FALLEN, **everything)[1]]
    for step in lifted:
        everything |= step
        found.append(act(FALLEN, **everything)[1])
    assert found == order


def test_a_cooldown_of_days_is_told_in_days():
    found = decided(FALLEN, policy=RetrainPolicy(cooldown=30 * DAY), last_run_at=NOW - 10 * DAY)
    assert found.sentence.endswith("cooling down for another 20 days")


# whatever comes

statuses = st.sampled_from(Status)
states = st.builds(
    ModelState,
    champion=st.integers(1, 2),
    last_run_at=st.integers(0, 60).map(lambda days: NOW - days * DAY),
    n_new_windows=st.integers(0, 5),
    n_new_labels=st.integers(0, 500),
    incident_open=st.booleans(),
    run_pending=st.booleans(),
    paused=st.booleans(),
)
policies = st.builds(
    RetrainPolicy,
    when=st.frozensets(st.sampled_from(Trigger)),
    min_labels=st.one_of(st.none(), st.integers(1, 400)),
)


@modest
@given(statuses, statuses, statuses, st.integers(1, 3), states, policies)
def test_a_run_is_opened_only_on_sound_data_with_nothing_against_it(
    drift, quality, performance, revision, state, policy
):
    one = judged(drift=drift, quality=quality, performance=performance, revision=revision)
    found = decide(one, state, policy, NOW)
    assert found.sentence
    if found.action is Action.RETRAIN:
        assert found.reason.value in {"performance breach", "drift breach", "schedule", "new rows"}
        assert not (state.paused)
        assert not (state.run_pending)
        assert not (state.incident_open)
        assert quality is not BREACH
        assert state.champion == one.champion
        assert NOW - state.last_run_at >= policy.cooldown
    else:
        assert found.reason not in {Reason.PERFORMANCE, Reason.DRIFT, Reason.SCHEDULE}


# alerts go with it


@pytest.mark.parametrize("state", [{}, {"paused": True}, {"run_pending": True}])
def test_people_are_told_whatever_is_done(state):
    (alert,) = decided(FALLEN, **state).alerts
    assert (alert.check, alert.change) == (Check.PERFORMANCE, AlertChange.OPENED)


def test_an_alert_that_is_open_already_is_not_opened_twice():
    opening = Opening(7, WINDOW.key, WINDOW.start)
    (alert,) = decided(FALLEN, open_alerts={Check.PERFORMANCE: opening}).alerts
    assert (alert.change, alert.opening) == (AlertChange.CONTINUED, 7)


def test_during_an_incident_the_only_alert_is_the_incident():
    found = decided(judged(quality=BREACH, drift=BREACH, performance=BREACH))
    assert [alert.check for alert in found.alerts] == [Check.QUALITY]


@pytest.mark.parametrize("one", [FALLEN, DRIFTED, BROKEN, judged(NO_DATA), judged(revision=2)])
def test_a_champion_that_does_harm_is_taken_back_before_anything_else(one):
    assert act(one, judgement=HARMFUL) == (Action.ROLL_BACK, Reason.PROBATION)


def test_a_champion_that_does_harm_is_held_while_a_person_has_paused_the_model():
    found = decided(judged(), judgement=HARMFUL, paused=True)
    assert (found.action, found.reason) == (Action.HOLD, Reason.PAUSED)
    assert found.sentence.endswith("not rolled back: a person has paused it")


@pytest.mark.parametrize("status", [s for s in TrialStatus if s is not TrialStatus.BREACHED])
def test_a_probation_without_a_breach_changes_no_decision(status):
    harmless = replace(HARMFUL, status=status)
    assert act(FALLEN, judgement=harmless) == act(FALLEN)


def test_an_estimate_alone_opens_an_alert_and_no_run():
    found = decided(judged(estimate=BREACH))
    assert (found.action, found.reason) == (Action.NONE, Reason.NOT_ASKED)
    assert found.sentence == (
        "estimated, roc_auc is 0.600, its limit 0.700; an estimate alone retrains nothing"
    )
    assert [(one.check, one.change) for one in found.alerts] == [(Check.ESTIMATE, "opened")]
