"""Performance without labels: what is estimated, and when it is not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from monitor.back_test import BackTest
from monitor.checks.estimable import back_test
from monitor.checks.estimate import Abstention, Current, as_numbers, estimate, measured
from monitor.sample import Outcomes, Sample
from monitor.schema import Schema, Task

BINARY = Schema(Task.BINARY, {}, "y", classes=("no", "yes"))
MULTICLASS = Schema(Task.MULTICLASS, {}, "y", classes=("a", "b", "c"))
REGRESSION = Schema(Task.REGRESSION, {}, "y")
N_ROWS = 4000


def drawn(schema, n_rows=N_ROWS, *, seed=0, shift=0.0, concept=0.0):
    """Draw rows of a model that is worse where z is greater; z grows with the shift."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n_rows), rng.normal(shift, 1.0, n_rows)
    if schema is BINARY:
        said = expit(2 * x)
        came = (rng.uniform(size=n_rows) < expit((2 - z - concept) * x)).astype(float)
    elif schema is MULTICLASS:
        said = rng.integers(0, 3, n_rows).astype(float)
        wrong = rng.uniform(size=n_rows) < expit(z - 1 + concept)
        came = np.where(wrong, (said + 1) % 3, said)
    else:
        said = x
        came = x + rng.normal(0.0, np.exp(0.4 * (z + concept)), n_rows)
    windows = np.arange(n_rows) * 10 // n_rows
    return Sample({}, np.column_stack([x, z, said]), Outcomes(said, came), windows)


def estimated(sample, now, schema, metric):
    return estimate(sample, Current(now.features, now.outcomes.predictions), schema, metric)


METRICS = [
    (BINARY, "accuracy"), (BINARY, "roc_auc"), (MULTICLASS, "accuracy"),
    (REGRESSION, "mae"), (REGRESSION, "rmse"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "metric"), METRICS)
def test_a_shift_to_where_the_model_is_worse_is_told_without_labels(schema, metric):
    reference, now = drawn(schema), drawn(schema, 2000, seed=1, shift=0.7)
    found = estimated(reference, now, schema, metric)
    before, real = (measured(one.outcomes, schema, metric).value for one in (reference, now))
    assert abs(found.value - real) < 1.96 * found.standard_error
    assert abs(found.value - real) < 0.5 * abs(before - real)


@pytest.mark.parametrize(("schema", "metric"), METRICS)
def test_a_changed_relation_is_not_seen_by_any_estimate(schema, metric):
    reference, now = drawn(schema), drawn(schema, 2000, seed=1, concept=1.0)
    found = estimated(reference, now, schema, metric)
    before, real = (measured(one.outcomes, schema, metric).value for one in (reference, now))
    assert abs(found.value - before) < 3 * found.standard_error < abs(before - real)


def test_the_same_rows_get_the_same_estimate():
    reference, now = drawn(REGRESSION), drawn(REGRESSION, 500, seed=1)
    one, other = (estimated(reference, now, REGRESSION, "mae") for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("schema", "metric", "n_reference", "n_now", "shift", "reason"),
    [
        (BINARY, "roc_auc", 300, 500, 0.0, "300 rows with both label and prediction, 400"),
        (BINARY, "roc_auc", 4000, 20, 0.0, "predicted 20 of the rows, 30 are needed"),
        (BINARY, "roc_auc", 4000, 2000, 9.0, "% of the rows are of a kind"),
        (BINARY, "roc_auc", 500, 2000, 0.9, "of 500 reference rows, in effect, look like"),
        (REGRESSION, "r2", 4000, 2000, 0.0, "R² is not the mean of a loss of each row"),
    ],
)
def test_where_nothing_can_be_said_the_reason_is(schema, metric, n_reference, n_now, shift, reason):
    now = drawn(schema, n_now, seed=1, shift=shift)
    found = estimated(drawn(schema, n_reference), now, schema, metric)
    assert isinstance(found, Abstention)
    assert reason in found.reason


def test_a_metric_that_the_predictions_do_not_define_is_not_estimated():
    now = Current(drawn(BINARY, 100).features, np.full(100, 0.2))
    found = estimate(drawn(BINARY), now, BINARY, "precision")
    assert found == Abstention("precision is not defined on these predictions")


def test_a_back_test_estimates_each_reference_window_from_the_others():
    found = back_test(drawn(BINARY), BINARY, "roc_auc")
    assert (len(found.errors), found.n_windows, found.against("roc_auc")) == (10, 10, "")
    assert found.scale < 1.5


def test_a_relation_that_wobbles_widens_bands_and_in_the_end_forbids_them():
    sample = drawn(BINARY, 8000)
    turned = sample.windows % 2 == 0
    labels = np.where(turned, 1 - sample.outcomes.labels, sample.outcomes.labels)
    outcomes = Outcomes(sample.outcomes.predictions, labels)
    found = back_test(Sample({}, sample.features, outcomes, sample.windows), BINARY, "roc_auc")
    assert "the back-test left its band" in found.against("roc_auc")
    assert BackTest("mae", (0.5,) * 11 + (1.7, 1.8), 13).scale == pytest.approx(1.74, abs=0.02)


def test_with_few_windows_there_is_no_back_test_and_it_says_so():
    sample = drawn(BINARY)
    few = Sample({}, sample.features, sample.outcomes, sample.windows // 2)
    found = back_test(few, BINARY, "roc_auc")
    assert found == BackTest("roc_auc", (), 5)
    assert found.against("roc_auc").startswith("the reference has 5 windows")


def test_a_back_test_holds_for_the_metric_it_was_made_for():
    against = BackTest("mae", (0.1,) * 9, 9).against("rmse")
    assert against == "this version's reference was back-tested for mae, not for rmse"


def test_a_back_test_that_crashes_says_why_and_costs_no_version():
    sample = drawn(BINARY)
    broken = Sample({}, sample.features[:10], sample.outcomes, sample.windows)
    assert "IndexError" in back_test(broken, BINARY, "roc_auc").against("roc_auc")


def test_labels_of_any_type_become_numbers_and_missing_ones_stay_missing():
    flags = np.array([1.0, 0.0, np.nan])
    names = np.array(["yes", "no", None], dtype=object)
    for labels in (flags, names):
        assert as_numbers(labels, BINARY, are_labels=True).tolist()[:2] == [1.0, 0.0]
        assert np.isnan(as_numbers(labels, BINARY, are_labels=True)[2])


def test_a_back_test_ends_when_too_few_windows_can_be_left():
    sample = drawn(BINARY)
    # Each row is unlike all of the other windows.
    odd = replace(sample, features=np.arange(N_ROWS, dtype=np.float64)[:, None])
    found = back_test(odd, BINARY, "roc_auc")
    assert found.errors == ()
    assert found.against("roc_auc").startswith("fewer than 8 of 10 reference windows could be")
