"""Rows that fade with age."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from retrain.dataset import Dataset
from retrain.fading import drawn_by, recency


def hourly(n_rows):
    times = np.datetime64("2026-03-01", "us") + np.arange(n_rows) * np.timedelta64(1, "h")
    return Dataset(pd.DataFrame({"price": np.arange(n_rows) * 1.0}), np.arange(n_rows) % 2, times)


def test_weights_fade_with_age_in_windows():
    by_time, by_rows = (recency(hourly(49), window) for window in (timedelta(hours=4), 4))
    assert by_time.tolist() == by_rows.tolist()
    assert by_time[[48, 32, 0]].tolist() == [1.0, 0.5, 0.25]


def test_a_sample_stands_for_what_its_rows_weigh():
    weights = recency(hourly(5000), 50)
    sums = []
    for seed in range(100):
        places, left = drawn_by(weights, 1000, seed)
        assert len(set(places)) == 1000
        assert (np.diff(places) > 0).all()
        # Of the newest four windows, which have a fifth of all weight, few rows are lost.
        assert (places >= 4950).sum() == 50
        assert (places >= 4800).sum() >= 180
        sums.append([left.sum(), left[places < 2500].sum()])
    expected = [weights.sum(), weights[:2500].sum()]
    assert np.mean(sums, axis=0) == pytest.approx(expected, rel=0.02)


def test_rows_that_weigh_alike_are_drawn_alike():
    places, left = drawn_by(np.ones(1000), 250, seed=0)
    assert left.tolist() == [4.0] * 250
    assert 90 < (places < 400).sum() < 110
