"""Small falls that add up, and wobble that does not."""

import numpy as np
import pytest

from monitor.control_chart import LIMIT, control_chart, cumulated, deviations

ERROR = 0.0126
"""Sampling error of a share of .2 in 1000 rows."""


def windows(rng, n, *, fall=0.0, wobble=0.0):
    return 0.8 - fall + rng.normal(0, np.hypot(ERROR, wobble), n)


def chart(rng, wobble=0.0, n=26):
    errors = np.full(n, ERROR)
    return control_chart(windows(rng, n, wobble=wobble), errors, bigger_is_better=True)


def fallen(known, values):
    return cumulated(deviations(known, values, np.full(values.size, ERROR))) > LIMIT


def test_a_fall_that_no_window_shows_by_itself_is_found_by_its_sum():
    rng = np.random.default_rng(1)
    known = chart(rng)
    found = [fallen(known, windows(rng, 12, fall=0.02)).any() for _ in range(200)]
    assert np.mean(found) > 0.8
    alone = deviations(known, windows(rng, 1000, fall=0.02), np.full(1000, ERROR)) > 3
    assert alone.mean() < 0.2


def test_a_metric_that_stands_still_is_seldom_said_to_have_fallen():
    rng = np.random.default_rng(2)
    found = [fallen(chart(rng), windows(rng, 52)).any() for _ in range(200)]
    assert np.mean(found) < 0.2


def test_what_the_reference_wobbles_is_no_fall():
    rng = np.random.default_rng(3)
    known = chart(rng, wobble=0.04)
    assert known.wobble == pytest.approx(0.04, rel=0.4)
    assert not fallen(known, windows(rng, 12, fall=0.02, wobble=0.04)).any()


def test_a_loss_falls_by_rising():
    known = control_chart(np.array([1.0, 1.1, 0.9]), np.full(3, 0.05), bigger_is_better=False)
    up, down = deviations(known, np.array([2.0, 0.5]), np.full(2, 0.05))
    assert up > 0 > down
    assert known.wobble == pytest.approx(np.sqrt(0.01 - 0.0025))
