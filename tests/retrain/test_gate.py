"""Looks at a challenger: fresh rows, five at most, and what they lead to."""

import numpy as np
import pandas as pd
import pytest

from monitor.schema import Kind, Schema, Task
from retrain.dataset import Dataset
from retrain.gate import N_LOOKS, Contest, Step, confidence, look_at

SCHEMA = Schema(Task.REGRESSION, {"shop": Kind.CATEGORICAL}, "y")


def contest(gain, *, n_rows=2000, noise=1.0, north=0.0, segments=()):
    """Make predictions whose absolute errors differ by `gain`; in the north by `north` more."""
    rng = np.random.default_rng(0)
    shop = np.where(np.arange(n_rows) % 4 == 0, "north", "south").astype(object)
    champion = 10 + rng.normal(scale=noise, size=n_rows)
    challenger = (
        10 - gain + np.where(shop == "north", north, 0.0) + rng.normal(scale=noise, size=n_rows)
    )
    at = np.datetime64("2026-01-05", "us") + np.arange(n_rows) * np.timedelta64(15, "m")
    rows = Dataset(pd.DataFrame({"shop": shop}), np.zeros(n_rows), at)
    return Contest(rows, champion, challenger, SCHEMA, tuple(segments))


def looked(number, one):
    return look_at(one, number, metric="mae", minimum_gain=0.0)


def test_early_looks_ask_for_more():
    asked = [confidence(number) for number in range(1, N_LOOKS + 1)]
    assert asked == sorted(asked, reverse=True)
    assert 1 - asked[-1] == pytest.approx(0.04, abs=0.001)


def test_a_large_gain_passes_at_the_first_look_and_a_small_one_waits():
    assert looked(1, contest(1.0)).step is Step.PASS
    small = looked(1, contest(0.12))
    assert small.step is Step.WAIT
    assert "look 1 of 5" in small.reason
    assert looked(5, contest(0.12)).step is Step.PASS


def test_who_is_not_ahead_leaves_at_once_and_nobody_stays_after_the_last_look():
    assert looked(1, contest(-0.3)).step is Step.REFUSE
    last = looked(5, contest(0.05))
    assert last.step is Step.REFUSE
    assert last.reason.endswith("it was the last of 5 looks")


def test_a_gain_that_harms_a_declared_segment_is_refused_and_the_segment_is_named():
    assert looked(1, contest(1.0, north=1.5)).step is Step.PASS
    harmful = looked(1, contest(1.0, north=1.5, segments=["shop"]))
    assert harmful.step is Step.REFUSE
    assert "where shop is north" in harmful.reason
    assert looked(1, contest(1.0, segments=["shop"])).step is Step.PASS


def test_the_metrics_on_record_are_those_of_the_rows_looked_at():
    look = looked(1, contest(1.0))
    assert look.reached["mae"].n == 2000
    assert look.reached["mae"].value == pytest.approx(9.0, abs=0.1)
