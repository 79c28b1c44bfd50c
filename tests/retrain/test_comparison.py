"""A challenger passes on evidence, not on luck."""

from datetime import timedelta

import numpy as np
import pytest
from scipy.stats import ttest_rel

from monitor.schema import Schema, Task
from retrain.comparison import ComparisonPolicy, compare

REGRESSION = Schema(Task.REGRESSION, {}, "y")
BINARY = Schema(Task.BINARY, {}, "y", classes=("no", "yes"))
MULTICLASS = Schema(Task.MULTICLASS, {}, "y", classes=("a", "b", "c"))
MAE = ComparisonPolicy("mae")
AUC = ComparisonPolicy("roc_auc")


def times(n_rows, step=timedelta(minutes=10)):
    return np.datetime64("2026-03-01", "us") + np.arange(n_rows) * np.timedelta64(step)


def values(rng, n_rows=2016, *, champion=1.0, challenger=1.0, n_per_shock=1):
    """Make labels and two models' predictions with errors of these sizes.

    A shock is shared by a stretch of rows, and hits each model on its own.
    """
    labels = rng.normal(size=n_rows)
    shocks = rng.normal(size=(2, -(-n_rows // n_per_shock))).repeat(n_per_shock, axis=1)[:, :n_rows]
    noise = (rng.normal(size=(2, n_rows)) + shocks * (n_per_shock > 1)) * [[champion], [challenger]]
    return labels, labels + noise[0], labels + noise[1]


def test_a_better_challenger_passes_and_a_worse_one_does_not():
    labels, good, bad = values(np.random.default_rng(0), champion=1.0, challenger=1.3)
    assert compare(labels, bad, good, times(2016), REGRESSION, MAE).passed
    assert not compare(labels, good, bad, times(2016), REGRESSION, MAE).passed


def test_gains_are_positive_where_the_challenger_is_better_whichever_way_the_metric_goes():
    labels, good, bad = values(np.random.default_rng(0), champion=1.0, challenger=1.3)
    for metric in ("mae", "rmse", "r2"):
        found = compare(labels, bad, good, times(2016), REGRESSION, ComparisonPolicy(metric))
        assert found.gain > 0
        assert (
            compare(labels, good, bad, times(2016), REGRESSION, ComparisonPolicy(metric)).gain < 0
        )


def test_the_bound_is_that_of_the_paired_t_test_over_days():
    labels, champion, challenger = values(np.random.default_rng(1), challenger=0.97)
    found = compare(labels, champion, challenger, times(2016), REGRESSION, MAE)
    errors = [np.abs(p - labels).reshape(14, 144).mean(axis=1) for p in (champion, challenger)]
    interval = ttest_rel(*errors, alternative="greater").confidence_interval(0.95)
    assert found.n_blocks == 14
    assert found.lower_bound == pytest.approx(interval.low)
    assert found.gain == pytest.approx(np.mean(errors[0] - errors[1]))


@pytest.mark.parametrize(
    "step", [timedelta(minutes=10), timedelta(seconds=10)], ids=["days", "equal blocks"]
)
def test_equally_good_models_pass_about_one_time_in_twenty(step):
    rng = np.random.default_rng(2)
    at = times(2016, step)
    passed = [compare(*values(rng), at, REGRESSION, MAE).passed for _ in range(600)]
    # ±3 standard errors of 600 trials at .05
    assert np.mean(passed) == pytest.approx(0.05, abs=0.027)


def test_errors_shared_by_a_stretch_of_rows_do_not_fool_the_gate():
    rng = np.random.default_rng(3)
    passed = [
        compare(*values(rng, n_per_shock=48), times(2016), REGRESSION, MAE).passed
        for _ in range(400)
    ]
    assert np.mean(passed) == pytest.approx(0.05, abs=0.033)


def test_predictions_that_are_the_same_never_pass():
    labels, champion, _ = values(np.random.default_rng(0))
    for minimum in (0.0, -1.0):
        policy = ComparisonPolicy("mae", minimum_gain=minimum)
        found = compare(labels, champion, champion, times(2016), REGRESSION, policy)
        assert not found.passed
        assert found.reason == "MAE is the champion's own in each of 14 days: no gain"


def test_a_gain_must_exceed_the_minimum():
    labels, good, bad = values(np.random.default_rng(0), champion=1.0, challenger=1.3)
    policy = ComparisonPolicy("mae", minimum_gain=0.5)
    found = compare(labels, bad, good, times(2016), REGRESSION, policy)
    assert not found.passed
    assert "is not above 0.5" in found.reason


def test_more_confidence_asks_for_more():
    labels, champion, challenger = values(np.random.default_rng(0), challenger=0.95)
    bounds = [
        compare(
            labels,
            champion,
            challenger,
            times(2016),
            REGRESSION,
            ComparisonPolicy("mae", confidence=c),
        ).lower_bound
        for c in (0.8, 0.95, 0.99)
    ]
    assert bounds == sorted(bounds, reverse=True)


def test_the_reason_is_a_sentence_with_the_evidence():
    labels, good, bad = values(np.random.default_rng(0), champion=1.0, challenger=1.3)
    found = compare(labels, bad, good, times(2016), REGRESSION, MAE)
    assert found.reason == (
        f"mean MAE of 14 days {found.challenger:.4g}, champion {found.champion:.4g}: "
        f"gain {found.gain:.3g} ± {found.standard_error:.2g}, "
        f"lower bound {found.lower_bound:.3g} > 0 (2 016 rows)"
    )


def test_blocks_are_equal_ones_where_there_are_few_days():
    labels, good, bad = values(np.random.default_rng(0), 1000, challenger=1.3)
    found = compare(labels, bad, good, times(1000), REGRESSION, MAE)
    assert found.n_blocks == 20
    assert "20 blocks" in found.reason


def test_days_with_too_few_rows_each_are_joined_to_equal_blocks():
    labels, good, bad = values(np.random.default_rng(0), 300, challenger=1.3)
    found = compare(labels, bad, good, times(300, timedelta(hours=4)), REGRESSION, MAE)
    assert found.n_blocks == 10


def test_blocks_that_do_not_define_the_metric_are_dropped():
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(2016) < 0.5, "yes", "no").astype(object)
    labels[: 3 * 144] = "no"
    sure = np.where(labels == "yes", 0.6, 0.4) + rng.normal(0, 0.2, 2016)
    found = compare(labels, rng.random(2016), sure, times(2016), BINARY, AUC)
    assert found.n_blocks == 11
    assert found.n_rows == 2016
    assert found.passed


def test_fewer_than_eight_usable_blocks_never_pass():
    rng = np.random.default_rng(0)
    labels = np.array(["no"] * 2016, dtype=object)
    labels[-5 * 144 :: 2] = "yes"
    sure = np.where(labels == "yes", 0.9, 0.1)
    found = compare(labels, rng.random(2016), sure, times(2016), BINARY, AUC)
    assert not found.passed
    assert found.reason == (
        "ROC AUC can be compared in 5 days of 2 016 rows, and it takes 8 to tell a gain from chance"
    )


@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_next_to_no_rows_are_no_evidence(n_rows):
    found = compare(*values(np.random.default_rng(0), n_rows), times(n_rows), REGRESSION, MAE)
    assert not found.passed
    assert found.lower_bound is None
    assert "it takes 8" in found.reason


def test_a_row_that_one_model_did_not_predict_counts_for_neither():
    labels, champion, challenger = values(np.random.default_rng(0))
    champion[::4] = np.nan
    labels[1] = np.nan
    found = compare(labels, champion, challenger, times(2016), REGRESSION, MAE)
    assert found.n_rows == 2016 - 504 - 1
    errors = np.where(np.isnan(champion), np.nan, np.abs(labels - challenger))
    days = times(2016).astype("datetime64[D]")
    by_day = [np.nanmean(errors[days == day]) for day in np.unique(days)]
    assert found.challenger == pytest.approx(np.mean(by_day))


def test_the_order_in_which_rows_come_does_not_matter():
    rows = (*values(np.random.default_rng(0), challenger=0.95), times(2016))
    order = np.random.default_rng(1).permutation(2016)
    once = compare(*rows, REGRESSION, MAE)
    again = compare(*(each[order] for each in rows), REGRESSION, MAE)
    assert again.lower_bound == pytest.approx(once.lower_bound)


def test_classes_are_compared_by_name():
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b", "c"], 2016).astype(object)
    guess = rng.choice(["a", "b", "c"], 2016).astype(object)
    better = np.where(rng.random(2016) < 0.5, labels, guess)
    found = compare(labels, guess, better, times(2016), MULTICLASS, ComparisonPolicy("accuracy"))
    assert found.passed
    assert found.challenger > found.champion


def test_a_week_that_begins_in_the_middle_of_a_day_is_compared_in_equal_blocks():
    labels = np.array(["no", "yes"] * 1008, dtype=object)
    right = (labels == "yes") * 1.0
    at = times(2016, timedelta(minutes=5)) + np.timedelta64(23 * 60 + 57, "m")
    labels[:2] = "no"  # all that the scrap of the first day has: it defines no ROC AUC
    found = compare(labels, 1 - right, right, at, BINARY, AUC)
    assert found.n_blocks == 20
    assert found.passed
