"""Which windows are due, and which are judged anew."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import NotPossibleError
from monitor.window import (
    MONDAY,
    Counts,
    Extent,
    Window,
    WindowPolicy,
    check_kind,
    due_row_ranges,
    due_time_windows,
    floor,
)

modest = settings(max_examples=100, deadline=None, derandomize=True)

DAY, WEEK = timedelta(days=1), timedelta(days=7)
START = datetime(2013, 1, 7, tzinfo=UTC)
WEEKLY = WindowPolicy(every=WEEK)
TICK = timedelta(microseconds=1)


def due_windows(now, *, first=START, policy=WEEKLY, judged=(), horizon=timedelta(days=90)):
    extent = Extent(100, first, max(first, now))
    return [*due_time_windows(policy, extent=extent, judged=judged, now=now, horizon=horizon)]


def due(now, **how: object):
    return [window.start for window in due_windows(now, **how)]


def weeks(*numbers: int):
    return [START + number * WEEK for number in numbers]


def a_week(number):
    return Window(START + number * WEEK, START + (number + 1) * WEEK)


def a_day(number):
    return Window(START + number * DAY, START + (number + 1) * DAY)


def by_rows(first, end):
    return Window(START, START, rows=(first, end))


# time windows


def test_a_window_is_due_from_its_very_end():
    assert due(START + WEEK - TICK) == []
    assert due(START + WEEK) == weeks(0)


def test_a_window_waits_for_late_rows_as_long_as_it_was_told_to():
    patient = WindowPolicy(every=WEEK, lateness=timedelta(hours=6))
    assert due(START + WEEK + timedelta(hours=6) - TICK, policy=patient) == []
    assert due(START + WEEK + timedelta(hours=6), policy=patient) == weeks(0)


def test_missed_windows_are_all_due_oldest_first():
    assert due(START + 4 * WEEK) == weeks(0, 1, 2, 3)


def test_a_window_that_was_judged_is_not_due_again_and_a_gap_before_it_is():
    assert due(START + 5 * WEEK, judged={a_week(0), a_week(2), a_week(4)}) == weeks(1, 3)
    assert due(START + 5 * WEEK, judged={a_week(number) for number in range(5)}) == []


def test_a_stretch_without_rows_is_a_window_too():
    # The extent tells first and last row alone; weeks 1 and 2 may well be empty.
    assert due(START + 3 * WEEK, judged={a_week(0)}) == weeks(1, 2)


def test_the_first_window_starts_at_the_edge_before_the_first_row():
    assert due(START + 2 * WEEK, first=START + timedelta(days=3)) == weeks(0, 1)


def test_an_empty_log_has_no_window():
    windows = due_time_windows(WEEKLY, extent=Extent(), judged=(), now=START, horizon=WEEK)
    assert list(windows) == []


def test_windows_that_ended_before_the_horizon_are_never_begun():
    now = START + 10 * WEEK
    assert due(now, horizon=2 * WEEK) == weeks(8, 9)
    assert due(now + TICK, horizon=2 * WEEK) == weeks(8, 9)
    assert due(now - TICK, horizon=2 * WEEK) == weeks(7, 8)


def test_a_row_policy_has_no_time_windows_and_a_time_policy_no_row_windows():
    assert due(START + 4 * WEEK, policy=WindowPolicy(rows=10)) == []
    assert list(due_row_ranges(WEEKLY, extent=Extent(100), judged=())) == []


def test_windows_start_at_the_anchor_and_every_so_often_from_there():
    noon = WindowPolicy(every=DAY, anchor=MONDAY + timedelta(hours=12))
    assert floor(START + timedelta(hours=13), noon) == START + timedelta(hours=12)
    assert floor(START + timedelta(hours=11), noon) == START - timedelta(hours=12)
    assert due(START + 2 * DAY, policy=noon) == [
        START - timedelta(hours=12),
        START + timedelta(hours=12),
    ]


def test_weeks_start_on_mondays_and_before_1970_too():
    assert floor(datetime(1969, 12, 31, tzinfo=UTC), WEEKLY) == datetime(1969, 12, 29, tzinfo=UTC)


CENTURY = timedelta(days=36_525)
instants = st.timedeltas(-CENTURY, CENTURY).map(lambda since: MONDAY + since)


@modest
@given(instants, st.timedeltas(TICK, timedelta(days=400)), instants)
def test_every_instant_lies_in_exactly_the_window_of_its_floor(instant, every, anchor):
    policy = WindowPolicy(every=every, anchor=anchor)
    start = floor(instant, policy)
    assert start <= instant < start + every
    assert (start - anchor) % every == timedelta(0)
    assert floor(start, policy) == start


@modest
@given(
    st.lists(st.integers(0, 40 * 24), min_size=1, max_size=12).map(sorted),
    st.integers(0, 40 * 24),
    st.integers(0, 48),
)
def test_whenever_it_is_asked_every_window_is_judged_once_and_in_order(hours, first, lateness):
    """Ticks at any hours, with restarts between them, come to what one tick at the end does."""
    policy = WindowPolicy(every=DAY, lateness=timedelta(hours=lateness))
    row_at = START + timedelta(hours=first)
    seen: list[Window] = []
    for hour in hours:
        now = START + timedelta(hours=hour)
        if row_at <= now:
            seen += due_windows(now, first=row_at, policy=policy, judged=set(seen))
    end = START + timedelta(hours=hours[-1])
    assert seen == (due_windows(end, first=row_at, policy=policy) if row_at <= end else [])


def test_a_week_in_progress_is_judged_from_where_the_judged_days_end():
    judged = [a_day(0), a_day(1), a_day(2)]
    assert due(START + 6 * DAY, judged=judged) == []
    rest = Window(START + 3 * DAY, START + WEEK)
    assert due_windows(START + 2 * WEEK, judged=judged) == [rest, a_week(1)]
    # A day that was never judged is a window too, between those that were.
    assert due_windows(START + WEEK, judged=[a_day(0), a_day(2)]) == [a_day(1), rest]


def test_no_day_of_a_judged_week_is_judged_again():
    daily = WindowPolicy(every=DAY)
    found = due_windows(START + 2 * WEEK + DAY, policy=daily, judged=[a_week(0), a_week(1)])
    assert found == [a_day(14)]


def test_the_rest_of_a_window_that_ended_before_the_horizon_is_not_begun():
    now = START + 13 * WEEK
    judged = [a_day(number) for number in range(3, 91)]
    assert due(now, judged=judged, horizon=timedelta(days=88)) == []


@modest
@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(0, 50), st.integers(0, 100)),
        min_size=1,
        max_size=6,
    )
)
def test_however_windows_are_changed_every_instant_is_in_one_of_them(changes):
    now, judged = START, []
    for every, anchor, hours in changes:
        hour = timedelta(hours=1)
        policy = WindowPolicy(every=every * hour, anchor=MONDAY + anchor * hour)
        now += hours * hour
        judged += due_windows(now, policy=policy, judged=judged)
    found = sorted(judged, key=lambda one: one.start)
    assert all(one.end == after.start for one, after in pairwise(found))
    assert len({one.key for one in found}) == len(found)
    last = found[-1].end if found else START
    assert now - last < max(every for every, _, _ in changes) * timedelta(hours=1)


def test_a_window_s_key_is_its_start_in_utc_whatever_zone_it_came_in():
    eastern = START.astimezone(timezone(timedelta(hours=-5)))
    assert Window(eastern, eastern + WEEK).key == Window(START, START + WEEK).key
    assert Window(START, START + WEEK).key == "2013-01-07T00:00:00Z"


# row windows


@pytest.mark.parametrize(
    ("n_rows", "judged", "ranges"),
    [
        (0, (), []),
        (9, (), []),
        (10, (), [(0, 10)]),
        (19, (), [(0, 10)]),
        (35, (), [(0, 10), (10, 20), (20, 30)]),
        (35, (by_rows(20, 30), by_rows(0, 10)), [(10, 20)]),
        (30, (by_rows(0, 10), by_rows(10, 20), by_rows(20, 30)), []),
        (34, (by_rows(0, 25),), []),
        (45, (by_rows(0, 25),), [(25, 35), (35, 45)]),
        (45, (by_rows(0, 4), by_rows(8, 30)), [(4, 8), (30, 40)]),
    ],
)
def test_row_windows_are_due_when_they_are_full(n_rows, judged, ranges):
    found = due_row_ranges(WindowPolicy(rows=10), extent=Extent(n_rows), judged=judged)
    assert list(found) == ranges


def test_windows_of_rows_do_not_follow_windows_of_time_nor_the_other_way():
    check_kind(WEEKLY, [a_day(0)])
    check_kind(WindowPolicy(rows=10), [by_rows(0, 5)])
    with pytest.raises(NotPossibleError, match=r"rows-0 was cut.*go back to window\.rows"):
        check_kind(WEEKLY, [by_rows(0, 5)])
    with pytest.raises(NotPossibleError, match=r"go back to window\.every"):
        check_kind(WindowPolicy(rows=10), [a_day(0)])


def test_row_windows_are_named_by_their_first_row():
    assert Window(START, START + DAY, rows=(20, 30)).key == "rows-20"


def test_a_window_without_rows_has_no_labels():
    assert Counts(0, 0).maturity == 0.0
