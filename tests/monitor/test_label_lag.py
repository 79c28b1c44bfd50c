"""How late labels come, seen while many still wait."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitor.label_lag import label_lag

DAY = 86_400.0
modest = settings(max_examples=80, deadline=None, derandomize=True)


@modest
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=40))
def test_the_curve_is_scipy_s(rows):
    ages = np.array([float(age) for age, _ in rows])
    came = np.array([labelled for _, labelled in rows])
    found = label_lag(ages, came)
    if not came.any():
        assert found.ages.size == 0
        return
    data = stats.CensoredData(uncensored=ages[came], right=ages[~came])
    curve = stats.ecdf(data).cdf
    assert found.came_ratio == pytest.approx(curve.evaluate(found.ages))


def test_rows_that_still_wait_do_not_make_labels_look_prompt():
    rng = np.random.default_rng(0)
    lag, age = rng.exponential(7 * DAY, 20_000), rng.uniform(0, 30 * DAY, 20_000)
    came = lag <= age
    found = label_lag(np.minimum(lag, age), came)
    truth = stats.expon(scale=7 * DAY).cdf(7 * DAY) / stats.expon(scale=7 * DAY).cdf(30 * DAY)
    assert found.maturity(7 * DAY) == pytest.approx(truth, abs=0.02)
    assert np.mean(lag[came] <= 7 * DAY) > truth + 0.05  # what the labelled rows alone would say


def test_labels_that_never_come_are_not_waited_for():
    ages = np.concatenate([np.full(90, DAY), np.full(10, 60 * DAY)])
    found = label_lag(ages, np.arange(100) < 90)
    assert found.ever_ratio == pytest.approx(0.9)
    assert (found.maturity(DAY), found.maturity(DAY / 2)) == (1.0, 0.0)
    assert found.mature_after(0.95) == DAY


def test_before_any_label_nothing_is_mature():
    found = label_lag(np.array([DAY, 2 * DAY]), np.array([False, False]))
    assert (found.ever_ratio, found.maturity(DAY), found.mature_after(0.95)) == (0.0, 0.0, np.inf)
