"""What opens a run, through the real cycle: the schedule, new rows, and alarms that must pay."""

from contextlib import AbstractContextManager

import pytest

from retrain.record import Outcome, RequestKind
from retrain.run import run
from tests.conftest import Opened
from tests.lived import MOVED, model_of

DEAR = "cost: 1000000"


@pytest.fixture
def opened(home):
    """Open the deployment with some triggers alone."""

    def by(when, more="") -> AbstractContextManager[Opened]:
        home.configure("cooldown: P1D", f"cooldown: P1D, when: [{when}]{more}")
        return home.opened()

    return by


@pytest.fixture
def live(made_up, week_start):
    """Live through weeks and carry out what they ask for; return their requests and the runs."""

    def live_through(app, n_weeks, *, shift=0.0, until=lambda _ended: False) -> tuple[list, list]:
        world = app.deployment.retrain_world()
        asked_for, ended = [], []
        for number in range(n_weeks):
            frame = made_up(number, **MOVED)
            frame[["x", "y"]] += shift
            app.clock.set(week_start(number + 1))
            app.predict(frame.drop(columns="late"), f"week {number}")
            app.label(frame, f"labels {number}")
            app.deployment.watcher().check_all()
            waiting = world.runs.open_requests("late")
            asked_for.append([(one["kind"], one["trigger"]) for one in waiting])
            for kind in (RequestKind.RETRAIN, RequestKind.LOOK):
                request = world.runs.claim(kind, "test", app.clock.now())
                if request is not None:
                    ended.append(run(request, model_of(app), world))
            if ended and until(ended[-1]):
                break
        return asked_for, ended

    return live_through


def test_the_schedule_opens_a_run_each_time_its_time_has_passed(opened, live):
    with opened("schedule", f", every: P21D, {DEAR}") as app:
        asked_for, ended = live(app, 6)
        runs = app.deployment.retrain_world().runs.runs("late")
    assert asked_for == [[], [], [("retrain", "schedule")], [], [], [("retrain", "schedule")]]
    assert {one["why"] for one in runs} == {"21 days have passed since the last run"}
    assert ended[0].outcome is Outcome.PROMOTED, ended[0].reason


def test_new_labelled_rows_open_a_run_whenever_there_are_enough_of_them(opened, live):
    with opened("new_rows", f", new_rows: 700, {DEAR}") as app:
        asked_for, ended = live(app, 6)
        runs = app.deployment.retrain_world().runs.runs("late")
    assert asked_for == [[], [], [("retrain", "new rows")], [], [], [("retrain", "new rows")]]
    assert {one["why"] for one in runs} == {"840 labelled rows have come since the last run"}
    assert ended[0].outcome is Outcome.PROMOTED, ended[0].reason


@pytest.mark.parametrize(
    ("when", "trigger", "shift"),
    [("performance", "performance breach", 0.0), ("drift", "drift breach", 1.0)],
)
def test_what_an_alarm_has_opened_must_pay_as_well(opened, live, when, trigger, shift):
    with opened(when, f", {DEAR}") as app:
        asked_for, ended = live(app, 5, shift=shift, until=decided)
        assert app.deployment.registry.champion("late") == 1
    assert [("retrain", trigger)] in asked_for
    assert ended[-1].outcome is Outcome.REFUSED
    assert ended[-1].reason.endswith("not more than a promotion costs (1e+06)"), ended[-1].reason


def test_what_an_alarm_has_opened_is_promoted_where_it_pays(opened, live):
    with opened("performance") as app:
        _, ended = live(app, 5, until=decided)
        assert app.deployment.registry.champion("late") == 2
    assert "more than a promotion costs" in ended[-1].reason


def decided(ended):
    return ended.outcome is not Outcome.HELD
