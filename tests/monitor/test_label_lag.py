"""How late labels come, seen while many still wait."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitor.label_lag import Cohort, label_lag, steps_of

DAY = 86_400.0
modest = settings(max_examples=80, deadline=None, derandomize=True)


@modest
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=40))
def test_the_curve_is_scipy_s(rows):
    ages = np.array([60.0 * 2**age for age, _ in rows])  # each the start of a step
    came = np.array([labelled for _, labelled in rows])
    found = label_lag(
        [Cohort(1, age, ((age, 1),) if one else ()) for age, one in zip(ages, came, strict=True)]
    )
    if not came.any():
        assert found.ages.size == 0
        return
    data = stats.CensoredData(uncensored=ages[came], right=ages[~came])
    curve = stats.ecdf(data).cdf
    assert found.came_ratio == pytest.approx(curve.evaluate(found.ages))


def test_rows_that_still_wait_do_not_make_labels_look_prompt():
    rng = np.random.default_rng(0)
    age = np.repeat(np.arange(1, 31) * DAY, 700)
    lag = rng.exponential(7 * DAY, age.size)
    came = lag <= age
    cohorts = [
        Cohort(700, one, steps_of(lag[came & (age == one)])) for one in np.unique(age).tolist()
    ]
    found = label_lag(cohorts)
    at = int(np.searchsorted(found.ages, 7 * DAY))
    truth = stats.expon(scale=7 * DAY).cdf(found.ages[at])
    assert found.came_ratio[at] == pytest.approx(truth, abs=0.03)
    # What the labelled rows alone would say.
    assert np.mean(lag[came] <= found.ages[at]) > truth + 0.05


def test_labels_that_never_come_are_not_waited_for():
    found = label_lag([Cohort(100, 60 * DAY, ((DAY, 90),))])
    assert found.ever_ratio == pytest.approx(0.9)
    assert 0.95 * DAY <= found.mature_after(0.95) <= DAY


def test_before_any_label_nothing_is_mature():
    found = label_lag([Cohort(10, DAY, ()), Cohort(10, 2 * DAY, ())])
    assert (found.ever_ratio, found.mature_after(0.95)) == (0.0, np.inf)


@modest
@given(st.lists(st.floats(-100, 1e8), max_size=30))
def test_a_lag_is_never_counted_as_longer_than_it_was_nor_as_shorter_by_a_twentieth(lags):
    starts = [start for start, n in steps_of(np.array(lags)) for _ in range(n)]
    assert len(starts) == len(lags)
    for start, lag in zip(starts, sorted(lags), strict=True):
        assert start <= max(lag, 0) + 1
        assert start >= 0.95 * lag - 61


def test_counting_what_was_counted_changes_nothing():
    once = steps_of(np.geomspace(1, 1e8, 500))
    assert steps_of(np.repeat(*np.array(once).T.astype(np.int64))) == once
