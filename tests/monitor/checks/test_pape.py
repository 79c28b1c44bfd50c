"""A binary model's metrics from its scores alone."""

import numpy as np
import pytest
from scipy.special import expit

from monitor.checks.pape import _metric, _Scored, pape
from monitor.checks.performance import performance
from monitor.sample import Outcomes
from monitor.schema import Schema, Task

SCHEMA = Schema(Task.BINARY, {}, "y", classes=("0", "1"))
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss")


def drawn(n_rows, *, seed, shift=0.0):
    """Draw rows of a model that does not look at z; z grows with the shift."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n_rows), rng.normal(shift, 1.0, n_rows)
    labels = (rng.uniform(size=n_rows) < expit((2 - z) * x + z / 2)).astype(float)
    return Outcomes(expit(1.5 * x), labels), z


def measured(outcomes, metric):
    return performance(outcomes.labels, outcomes.predictions, SCHEMA)[metric]


@pytest.mark.parametrize("metric", METRICS)
def test_true_weights_tell_what_will_be_measured_and_no_weights_do_not(metric):
    (reference, z), (now, _) = drawn(200_000, seed=0), drawn(50_000, seed=1, shift=1.0)
    real = measured(now, metric).value
    found = pape(metric, reference, np.exp(z - 0.5), now.predictions)
    blind = pape(metric, reference, np.ones(z.size), now.predictions)
    assert abs(found.value - real) < 3 * found.standard_error < 0.02
    assert abs(found.value - real) < 0.5 * abs(blind.value - real)


@pytest.mark.parametrize("metric", METRICS)
def test_nineteen_of_twenty_bands_hold_what_is_measured(metric):
    inside = []
    for seed in range(200):
        (reference, z), (now, _) = drawn(2000, seed=2 * seed), drawn(300, seed=2 * seed + 1)
        found = pape(metric, reference, np.ones(z.size), now.predictions)
        off = abs(found.value - measured(now, metric).value)
        inside.append(off <= 1.96 * found.standard_error)
    assert 0.9 <= np.mean(inside) <= 0.985


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_s_slope_is_its_derivative(metric):
    rng = np.random.default_rng(0)
    scores, chances = rng.uniform(size=50).round(1), rng.uniform(0.1, 0.9, 50)
    slopes = _metric(metric, _Scored(scores, chances), scores)[1]
    for row in range(0, 50, 7):
        moved = chances + 1e-6 * (np.arange(50) == row)
        grown = _metric(metric, _Scored(scores, moved), scores)[0]
        before = _metric(metric, _Scored(scores, chances), scores)[0]
        assert slopes[row] == pytest.approx(50 * (grown - before) / 1e-6, abs=2e-3)


def test_precision_is_not_defined_where_no_row_is_predicted_positive():
    reference, z = drawn(1000, seed=0)
    assert pape("precision", reference, np.ones(z.size), np.full(100, 0.1)) is None


@pytest.mark.parametrize("labels", [0.0, 1.0])
def test_a_reference_of_one_class_and_scores_at_their_ends_break_nothing(labels):
    scores = np.repeat([0.0, 0.5, 1.0], 200)
    reference = Outcomes(scores, np.full(600, labels))
    found = pape("accuracy", reference, np.ones(600), scores)
    assert found.value == pytest.approx(1 / 3 if not labels else 2 / 3, abs=1e-6)
