"""How much more often rows like those of the reference come now."""

import numpy as np
import pytest

from monitor.density_ratio import density_ratio


def rows(n_rows, *, seed, shift=0.0, n_columns=5):
    found = np.random.default_rng(seed).normal(size=(n_rows, n_columns))
    found[:, 0] += shift
    return found


def test_rows_that_have_not_moved_weigh_all_the_same():
    found = density_ratio(reference=rows(4000, seed=0), current=rows(500, seed=1), seed=0)
    assert found.effective_rows > 0.97 * 4000
    assert found.unsupported_ratio == 0.0
    assert found.weights.mean() == pytest.approx(1.0)


def test_weights_follow_the_true_ratio_and_the_rows_left_are_counted():
    before = rows(10_000, seed=0)
    found = density_ratio(reference=before, current=rows(3000, seed=1, shift=1.0), seed=0)
    true = np.exp(before[:, 0] - 0.5)  # of two normal densities one apart
    assert np.corrcoef(np.log(found.weights), np.log(true))[0, 1] > 0.9
    assert found.effective_rows == pytest.approx(10_000 / np.e, rel=0.3)


def test_rows_of_a_kind_that_never_was_there_lack_support():
    now = rows(1000, seed=1)
    now[:300, 0] += 20.0
    found = density_ratio(reference=rows(4000, seed=0), current=now, seed=0)
    assert found.unsupported_ratio == pytest.approx(0.3, abs=0.02)


def test_what_is_missing_more_often_is_weighted_as_any_value_is():
    before, now = rows(4000, seed=0), rows(2000, seed=1)
    before[:400, 0], now[:1000, 0] = np.nan, np.nan
    found = density_ratio(reference=before, current=now, seed=0)
    assert np.average(np.isnan(before[:, 0]), weights=found.weights) == pytest.approx(0.5, abs=0.05)


def test_the_same_rows_and_seed_give_the_same_weights():
    before, now = rows(1000, seed=0), rows(300, seed=1, shift=1.0)
    one, other = (density_ratio(reference=before, current=now, seed=7) for _ in range(2))
    assert np.array_equal(one.weights, other.weights)
