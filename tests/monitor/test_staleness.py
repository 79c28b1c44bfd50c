"""Feeds that bring nothing new: rows of the window before, and a clock that stands still."""

from datetime import timedelta

import pyarrow as pa
import pytest

from monitor.adapters.history import History
from monitor.alert import Judged
from monitor.batch import EVENT_AT
from monitor.checks.score import Check
from monitor.checks.stale import STALE, STILL, stale_scores
from monitor.reference import Reference
from monitor.schema import Kind, Schema, Task

WEEK = timedelta(days=7)


@pytest.fixture
def send(app, week_start):
    """Log rows as a week's, end it, and judge it."""

    def judged(rows, number) -> Judged:
        app.clock.set(week_start(number + 1))
        app.predict(rows.drop(columns="late"), f"week {number}")
        (found,) = app.deployment.watcher().check("late")
        return found

    return judged


def findings(judged):
    return {one.sign: one.sentence for one in judged.diagnosis.findings}


def test_rows_of_the_week_before_under_new_ids_and_times_are_a_stale_feed(app, send, made_up):
    send(made_up(0), 0)
    old = made_up(0)
    again = old.assign(id="again-" + old["id"], at=old["at"] + WEEK)
    found = send(again, 1)
    assert findings(found) == {
        STALE: "100% of the rows were there in the window before, in every feature (reference 0%): "
        f"the feed may be stale since {again['at'].min():%Y-%m-%d %H:%M} UTC, 280 rows"
    }
    (alert,) = History(app.deployment.engine).alerts("late")
    assert (alert["check"], alert["ended_at"]) == ("quality", None)
    third = send(old.assign(id="third-" + old["id"], at=old["at"] + 2 * WEEK), 2)
    assert STALE in findings(third)  # held against the last window that was clean
    assert send(made_up(3), 3).diagnosis.findings == ()


def test_an_event_time_that_stands_still_while_rows_come_is_told_with_that_time(send, made_up):
    send(made_up(0), 0)
    rows = made_up(1)
    rows.loc[rows.index[100:], "at"] = rows["at"].iloc[100]
    found = findings(send(rows, 1))[STILL]
    assert found.startswith("64% of the rows are of one time, ")
    assert f"{rows['at'].iloc[100]:%Y-%m-%d %H:%M:%S} UTC (the window before 0%)" in found


def test_the_first_window_has_nothing_to_be_held_against(send, made_up):
    found = send(made_up(0), 0)
    assert not {STALE, STILL} & {one.method for one in found.verdict.scores}


def test_a_persons_word_ends_it(app, send, made_up, week_start):
    send(made_up(0), 0)
    old = made_up(0)
    send(old.assign(id="again-" + old["id"], at=old["at"] + WEEK), 1)
    (alert,) = History(app.deployment.engine).alerts("late")
    app.deployment.store.close_incident("late", alert["id"], app.clock.now(), "few kinds of rows")
    app.label(old.assign(id="again-" + old["id"]), "labels")
    (again,) = [
        one for one in app.deployment.watcher().check("late") if one.window.start == week_start(1)
    ]
    assert again.diagnosis.findings == ()


def test_a_window_that_is_judged_anew_and_is_stale_now_says_since_when(
    app, send, made_up, week_start
):
    send(made_up(0), 0)
    rows = made_up(1)
    still = rows.assign(at=rows["at"].where(rows.index < 100, rows["at"].iloc[100]))
    assert STILL in findings(send(still, 1))
    assert send(rows.assign(id="2-" + rows["id"], at=rows["at"] + WEEK), 2).diagnosis.findings == ()
    late = [made_up(n) for n in range(50, 54)]
    late = [one.assign(at=one["at"] - (one["at"].min() - rows["at"].min())) for one in late]
    for number, one in enumerate(late):
        app.predict(one.drop(columns="late"), f"late {number}")
    app.deployment.watcher().check("late")  # the first of them is sound now
    app.label(rows.assign(id="2-" + rows["id"]), "labels 2")
    again = app.deployment.watcher().check("late")
    (stale,) = [one for one in again if one.window.start == week_start(2)][-1].diagnosis.findings
    assert (stale.sign, stale.n_rows) == (STALE, 280)
    assert stale.since == rows["at"].min() + WEEK


def compared(times, before_times, x, before_x, repeated=0.0):
    """Score two windows of one feature."""
    rows, before = (
        pa.table({"x": values, EVENT_AT: pa.array(at, pa.timestamp("us", "UTC"))})
        for values, at in ((x, times), (before_x, before_times))
    )
    schema = Schema(Task.BINARY, features={"x": Kind.NUMERIC}, target="y")
    reference = Reference(schema, {}, {}, 100, repeated_ratio=repeated)
    return {one.method: one for one in stale_scores(rows, before, reference)}


def test_rows_that_repeat_themselves_anyway_are_not_stale():
    found = compared(range(4), range(4), [1.0, 2, 1, 2], [1.0, 2, 2, 1], repeated=0.98)
    assert found[STALE].value == 1.0 < found[STALE].threshold


def test_rows_that_come_in_batches_of_one_time_have_no_clock_to_stand_still():
    found = compared([0] * 90 + [1] * 10, [0] * 50 + [1] * 50, [1.0] * 100, [2.0] * 100)
    assert (found[STILL].value, found[STILL].threshold) == (0.9, None)
    assert all(one.check is Check.QUALITY for one in found.values())
