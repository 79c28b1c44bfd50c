"""The ledger: which run followed which decision."""

from datetime import UTC, datetime, timedelta

from dashboards.pages.ledger import ledger
from dashboards.pages.record import Record

START, WEEK = datetime(2026, 3, 2, tzinfo=UTC), timedelta(days=7)
WHY = "28 days have passed since the last run"


def window(number, *, judged_after):
    """Make a window that opened a run by the schedule, and was judged again some weeks later."""
    end = START + (number + 1) * WEEK
    return {
        "id": f"w{number}",
        "start": end - WEEK,
        "end": end,
        "judged_at": end + judged_after * WEEK,
        "revision": 2,
        "status": "OK",
        "decision": "retrain",
        "reason": "schedule",
        "sentence": WHY,
    }


def run(number, after):
    started = START + (after + 1) * WEEK
    return {"id": number, "trigger": "schedule", "why": WHY, "started_at": started}


def test_a_run_stands_with_its_window_though_labels_came_later_and_others_say_the_same():
    windows = [window(0, judged_after=1), window(4, judged_after=1), window(8, judged_after=0)]
    record = Record({"model": "m"}, windows, [run(1, 0), run(2, 4), run(3, 8)])
    found = {entry.window["id"]: entry.run["id"] for entry in ledger(record)}
    assert found == {"w0": 1, "w4": 2, "w8": 3}


def test_a_run_of_a_window_that_is_not_shown_any_more_stands_alone():
    record = Record({"model": "m"}, [window(4, judged_after=1)], [run(1, 0), run(2, 4)])
    assert [(e.window and e.window["id"], e.run["id"]) for e in ledger(record)] == [
        ("w4", 2),
        (None, 1),
    ]
