"""From when on the labels that a window has are final."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.label_lag import steps_of
from monitor.maturity import (
    BEFORE_CURVE,
    MOST_WINDOWS,
    Arrivals,
    Maturity,
    maturity,
    teachers,
    to_revise,
)
from monitor.window import Counts, JudgedWindow, LabelPolicy, Window, WindowPolicy

modest = settings(max_examples=100, deadline=None, derandomize=True)

DAY, WEEK = timedelta(days=1), timedelta(days=7)
START = datetime(2013, 1, 7, tzinfo=UTC)
NOW = START + 20 * WEEK
WEEKLY = WindowPolicy(every=WEEK)
LABELS, ON_TIME = LabelPolicy(), timedelta(0)
FIXED = Maturity(0.9, 0.9)


# the curve


def arrived(number, lag_days, *, judged_late):
    """Make a week of rows; of its labels those that could have come by now are there."""
    window = Window(START + number * WEEK, START + (number + 1) * WEEK)
    age = (NOW - window.end) / DAY
    came = np.array([lag for lag in lag_days if lag <= age]) * DAY.total_seconds()
    counts = Counts(100, came.size, lags=steps_of(came))
    return Arrivals(window, window.end + judged_late, counts)


def learned(lag_days, *, numbers=range(20), labels=LABELS, windows=WEEKLY, judged_late=ON_TIME):
    arrivals = [arrived(number, lag_days, judged_late=judged_late) for number in numbers]
    return maturity(arrivals, labels, windows, NOW)


SLOW = np.linspace(0.1, 10, 97)
"""Lags, in days: of a hundred rows three never get a label."""


def test_a_window_is_final_with_nearly_all_of_the_labels_that_ever_come():
    found = learned(SLOW)
    assert found.enough_ratio == pytest.approx(0.95 * 0.97, abs=0.001)
    assert found.is_final(Counts(100, 93), DAY)
    assert not found.is_final(Counts(100, 92), DAY)


def test_a_window_with_fewer_labels_than_usual_is_final_once_no_more_are_waited_for():
    found = learned(SLOW)
    assert 9 * DAY <= found.after <= 10 * DAY
    assert found.is_final(Counts(100, 80), found.after)
    assert not found.is_final(Counts(100, 80), found.after - timedelta(seconds=1))


def test_a_window_whose_labels_have_stopped_coming_is_never_final():
    found = learned(SLOW)
    assert not found.is_final(Counts(100, 48), 80 * DAY)
    assert not found.is_final(Counts(100, 0), 80 * DAY)


@pytest.mark.parametrize(
    "known",
    [
        learned(SLOW, numbers=range(17, 20)),
        learned(SLOW[:5], numbers=range(4, 20)),
        learned([]),
        learned(np.linspace(0, 60, 80), numbers=range(12, 20)),
        learned(SLOW, judged_late=8 * DAY),
    ],
    ids=["few windows", "few labels", "no label", "still rising", "loaded from a history"],
)
def test_before_the_lag_is_known_nine_tenths_of_all_rows_decide(known):
    assert known == Maturity(BEFORE_CURVE, BEFORE_CURVE)


def test_a_lag_is_known_once_the_labels_have_been_seen_to_end():
    assert 54 * DAY < learned(np.linspace(0, 60, 80)).after < 60 * DAY


def test_labels_that_come_until_the_horizon_are_known_once_it_has_passed():
    found = learned(np.linspace(0, 40, 85), labels=LabelPolicy(horizon=6 * WEEK))
    assert found.after is not None
    assert found.enough_ratio == pytest.approx(0.95 * 0.85, abs=0.01)


def test_a_share_that_a_person_has_set_decides_alone():
    labels = LabelPolicy(mature=0.8)
    assert learned(SLOW, labels=labels) == Maturity(0.8, 0.8)
    assert teachers([seen(1)], labels, NOW) == []


def test_windows_of_rows_end_when_they_were_received_and_all_teach():
    found = learned(SLOW, windows=WindowPolicy(rows=100), judged_late=8 * DAY)
    assert found.after is not None


def seen(number, n_rows=100):
    window = Window(START + number * DAY, START + (number + 1) * DAY)
    return JudgedWindow(window, 1, Counts(n_rows, 0))


def test_windows_of_two_horizons_teach_a_few_of_them_spread_over_all():
    labels = LabelPolicy(horizon=70 * DAY)
    found = teachers([seen(n) for n in range(140)], labels, START + 150 * DAY)
    assert len(found) == MOST_WINDOWS
    assert (found[0].start, found[-1].end) == (START + 9 * DAY, START + 140 * DAY)
    assert teachers([seen(1, n_rows=0)], labels, START + DAY) == []


# revisions

TIMED, COUNTED = Window(START, START + WEEK), Window(START, START + WEEK, rows=(0, 100))


def revised(before, after, *, window=TIMED, known=FIXED):
    counts = Counts(*before)
    judged = JudgedWindow(window, 1, counts, provisional=not known.is_final(counts, WEEK))
    return to_revise(judged, Counts(*after), known, WEEK)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0, 49, False),
        (0, 50, True),
        (49, 50, True),
        (50, 89, False),
        (89, 90, True),
        (50, 90, True),
        (90, 94, False),
        (90, 95, True),
        (95, 100, False),
        (100, 100, False),
    ],
)
@pytest.mark.parametrize("window", [TIMED, COUNTED], ids=["time", "rows"])
def test_labels_revise_a_window_when_they_cross_a_half_or_maturity(window, before, after, expected):
    assert revised((100, before), (100, after), window=window) is expected


def test_labels_revise_a_window_when_they_make_it_final():
    known = Maturity(0.7, 0.7)
    assert revised((100, 69), (100, 70), known=known)
    assert not revised((100, 70), (100, 80), known=known)


def test_late_labels_of_a_window_that_was_final_by_its_age_revise_it_once_more():
    aged = Maturity(0.92, 0.48, WEEK)
    assert not revised((100, 60), (100, 80), known=aged)
    assert revised((100, 60), (100, 95), known=aged)


def test_a_newer_curve_does_not_make_provisional_what_was_final():
    final = JudgedWindow(TIMED, 2, Counts(100, 80), provisional=False)
    assert not to_revise(final, Counts(100, 81), FIXED, WEEK)
    assert to_revise(final, Counts(101, 81), FIXED, WEEK)


def test_rows_that_come_without_labels_may_take_a_window_back_below_maturity():
    assert revised((1000, 900), (1001, 900))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0, 0, False),
        (0, 1, True),
        (10, 11, True),
        (1000, 1009, False),
        (1000, 1010, True),
        (1000, 1000, False),
    ],
)
def test_rows_revise_a_time_window_when_it_grew_by_a_hundredth(before, after, expected):
    assert revised((before, 0), (after, 0)) is expected


@modest
@given(st.integers(1, 10**7))
def test_a_hundredth_is_a_hundredth_at_any_size(hundreds):
    assert revised((100 * hundreds, 0), (101 * hundreds, 0))
    assert not revised((100 * hundreds, 0), (101 * hundreds - 1, 0))


def test_rows_never_revise_a_row_window():
    assert not revised((100, 0), (200, 0), window=COUNTED)
