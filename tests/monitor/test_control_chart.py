"""Small falls that add up, and wobble that does not."""

import numpy as np
import pytest

from monitor.control_chart import ALLOWANCE, CEILING, LIMIT, ControlChart, fall, wobble

ERROR = 0.0126
"""Sampling error of a share of .2 in 1000 rows."""

KNOWN = ControlChart(0.8, 0.0, 0.0, bigger_is_better=True)


def windows(rng, n, *, fall=0.0, wobble=0.0):
    return 0.8 - fall + rng.normal(0, np.hypot(ERROR, wobble), n)


def chart(rng, apart=0.0, n=26):
    values = windows(rng, n, wobble=apart)
    found = wobble(values, np.full(n, ERROR))
    error = float(np.hypot(found, ERROR) / n**0.5)
    return ControlChart(float(values.mean()), error, found, bigger_is_better=True)


def totals(known, values):
    """Return the sum after each window."""
    errors = np.full(values.size, ERROR)
    return np.array([fall(known, values[:n], errors[:n]).total for n in range(1, values.size + 1)])


def test_a_fall_that_no_window_shows_by_itself_is_found_by_its_sum():
    rng = np.random.default_rng(1)
    known = chart(rng)
    found = [(totals(known, windows(rng, 12, fall=0.02)) > LIMIT).any() for _ in range(200)]
    assert np.mean(found) > 0.8
    assert np.mean(windows(rng, 1000, fall=0.02) < 0.8 - 3 * ERROR) < 0.2


def test_a_metric_that_stands_still_is_seldom_said_to_have_fallen():
    rng = np.random.default_rng(2)
    found = [(totals(chart(rng), windows(rng, 52)) > LIMIT).any() for _ in range(200)]
    assert np.mean(found) < 0.2


def test_what_the_reference_wobbles_is_no_fall():
    rng = np.random.default_rng(3)
    known = chart(rng, apart=0.04)
    assert known.wobble == pytest.approx(0.04, rel=0.4)
    assert not (totals(known, windows(rng, 12, fall=0.02, wobble=0.04)) > LIMIT).any()


def test_a_loss_falls_by_rising():
    known = ControlChart(1.0, 0.0, 0.0, bigger_is_better=False)
    assert fall(known, np.array([2.0]), np.full(1, 0.05)).total > 0
    assert fall(known, np.array([0.5]), np.full(1, 0.05)).total == 0


def test_windows_that_are_better_than_the_allowance_take_back_what_has_added_up():
    by_two_errors = np.array([0.8 - 2 * ERROR])
    assert totals(KNOWN, by_two_errors) == pytest.approx(2 - ALLOWANCE)
    assert totals(KNOWN, np.append(by_two_errors, 0.8))[-1] == pytest.approx(2 - 2 * ALLOWANCE)


@pytest.mark.parametrize("n_bad", [5, 50])
def test_after_a_fall_however_long_two_good_windows_bring_the_sum_back(n_bad):
    found = totals(KNOWN, np.append(np.full(n_bad, 0.7), [0.8, 0.8, 0.8]))
    assert found[n_bad - 1] == CEILING
    assert (found[-3] > LIMIT, found[-2] <= LIMIT) == (True, True)


def test_what_is_told_of_a_fall_is_of_the_windows_since_the_sum_was_nothing():
    found = fall(KNOWN, np.array([0.7, 0.95, 0.95, 0.77, 0.75]), np.full(5, 0.01))
    assert found.n_windows == 2
    assert found.mean == pytest.approx(0.04)


def test_levels_that_last_are_no_wobble():
    rng = np.random.default_rng(7)
    levels = np.repeat([0.99, 0.99, 0.66], 5)
    found = [wobble(rng.normal(levels, 0.02), np.full(15, 0.02)) for _ in range(200)]
    independent = [wobble(rng.normal(0.8, 0.05, 15), np.full(15, 0.02)) for _ in range(200)]
    assert np.mean(found) < 0.08 < levels.std() / 1.5
    assert np.mean(np.square(independent)) ** 0.5 == pytest.approx(
        (0.05**2 - 0.02**2) ** 0.5, rel=0.1
    )
