"""Metrics held against scikit-learn, their standard errors against simulation."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from monitor.checks.performance import METRICS, default_metric, performance
from monitor.schema import Schema, Task

BINARY = Schema(Task.BINARY, {}, "y", classes=("no", "yes"))
MULTICLASS = Schema(Task.MULTICLASS, {}, "y", classes=("a", "b", "c"))
REGRESSION = Schema(Task.REGRESSION, {}, "y")


def binary_rows(rng, n_rows=400):
    signal = rng.normal(size=n_rows)
    positive = rng.random(n_rows) < 1 / (1 + np.exp(-signal - 0.5))
    # Two decimals: ties between the classes must count one half.
    probability = np.round(1 / (1 + np.exp(-signal - 0.3 * rng.normal(size=n_rows))), 2)
    return np.where(positive, "yes", "no"), probability


def multiclass_rows(rng, n_rows=400):
    labels = rng.choice(["a", "b", "c"], n_rows, p=[0.6, 0.3, 0.1])
    guesses = rng.choice(["a", "b", "c"], n_rows)
    return labels, np.where(rng.random(n_rows) < 0.6, labels, guesses)


def regression_rows(rng, n_rows=400):
    labels = rng.gamma(3.0, size=n_rows)
    return labels, labels + rng.standard_t(8, size=n_rows)


ROWS = {
    Task.BINARY: (BINARY, binary_rows),
    Task.MULTICLASS: (MULTICLASS, multiclass_rows),
    Task.REGRESSION: (REGRESSION, regression_rows),
}
CASES = [(task, name) for name, metric in METRICS.items() for task in sorted(metric.tasks)]


@pytest.mark.parametrize("seed", range(5))
def test_binary_metrics_equal_scikit_learns(seed):
    labels, probability = binary_rows(np.random.default_rng(seed))
    positive, predicted = labels == "yes", probability >= 0.5
    found = performance(labels, probability, BINARY)
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(
        {
            "accuracy": sk.accuracy_score(positive, predicted),
            "precision": sk.precision_score(positive, predicted),
            "recall": sk.recall_score(positive, predicted),
            "f1": sk.f1_score(positive, predicted),
            "roc_auc": sk.roc_auc_score(positive, probability),
            "log_loss": sk.log_loss(positive, probability),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("seed", range(5))
def test_multiclass_metrics_equal_scikit_learns_macro_averages(seed):
    labels, predicted = multiclass_rows(np.random.default_rng(seed))
    found = performance(labels, predicted, MULTICLASS)
    expected = {"accuracy": sk.accuracy_score(labels, predicted)}
    for name in ("precision", "recall", "f1"):
        expected[name] = getattr(sk, f"{name}_score")(labels, predicted, average="macro")
    values = {name: estimate.value for name, estimate in found.items()}
    assert values == pytest.approx(expected, rel=1e-12)


def test_a_class_that_is_never_predicted_counts_as_zero_in_macro_averages():
    labels, predicted = np.array(["a", "b", "c", "a"]), np.array(["a", "b", "a", "a"])
    found = performance(labels, predicted, MULTICLASS)
    for name in ("precision", "recall", "f1"):
        score = getattr(sk, f"{name}_score")(labels, predicted, average="macro", zero_division=0)
        assert found[name].value == pytest.approx(score)


@pytest.mark.parametrize("seed", range(5))
def test_regression_metrics_equal_scikit_learns(seed):
    labels, predictions = regression_rows(np.random.default_rng(seed))
    found = performance(labels, predictions, REGRESSION)
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(
        {
            "mae": sk.mean_absolute_error(labels, predictions),
            "rmse": sk.root_mean_squared_error(labels, predictions),
            "r2": sk.r2_score(labels, predictions),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_a_standard_error_is_the_spread_of_the_metric_over_samples(task, metric):
    schema, rows = ROWS[task]
    rng = np.random.default_rng(7)
    found = [performance(*rows(rng), schema)[metric] for _ in range(500)]
    spread = np.std([estimate.value for estimate in found], ddof=1)
    told = np.mean([estimate.standard_error for estimate in found])
    # 500 samples know their own spread to ±3 %, one in a thousand to ±10 %.
    assert told == pytest.approx(spread, rel=0.12)


def test_delongs_error_equals_its_definition_over_all_pairs():
    labels, probability = binary_rows(np.random.default_rng(3), 60)
    above, below = probability[labels == "yes"], probability[labels == "no"]
    wins = (above[:, None] > below) + 0.5 * (above[:, None] == below)
    variance = (
        wins.mean(axis=1).var(ddof=1) / above.size + wins.mean(axis=0).var(ddof=1) / below.size
    )
    found = performance(labels, probability, BINARY)["roc_auc"]
    assert found.standard_error == pytest.approx(math.sqrt(variance))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 1, 0, 1, 0]),
        np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]),
        np.array([False, True, True, False, True, False]),
        np.array(["no", "yes", "yes", "no", "yes", "no"], dtype=object),
    ],
)
def test_binary_labels_may_be_class_names_or_flags(labels):
    probability = np.array([0.1, 0.8, 0.4, 0.3, 0.9, 0.6])
    assert performance(labels, probability, BINARY)["accuracy"].value == pytest.approx(4 / 6)


def test_numbers_that_name_classes_are_names_before_they_are_flags():
    schema = Schema(Task.BINARY, {}, "y", classes=("1", "2"))
    found = performance(np.array([1, 2, 2, 1]), np.array([0.1, 0.9, 0.8, 0.2]), schema)
    assert found["accuracy"].value == 1


def test_whole_floats_name_the_same_class_as_integers():
    schema = Schema(Task.MULTICLASS, {}, "y", classes=("1", "2", "3"))
    found = performance(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1, 2, 1, 1]), schema)
    assert (found["accuracy"].value, found["accuracy"].n) == (pytest.approx(2 / 3), 3)


def test_rows_without_label_or_prediction_are_left_out():
    labels = np.array(["yes", None, "no", "yes"], dtype=object)
    found = performance(labels, np.array([0.9, 0.9, 0.2, np.nan]), BINARY)
    assert (found["accuracy"].value, found["accuracy"].n) == (1, 2)


def test_one_class_has_no_roc_auc_and_still_an_accuracy():
    found = performance(np.array(["no"] * 3), np.array([0.1, 0.2, 0.7]), BINARY)
    assert "roc_auc" not in found
    assert "recall" not in found
    assert found["accuracy"].value == pytest.approx(2 / 3)


def test_without_a_positive_prediction_there_is_no_precision():
    found = performance(np.array(["no", "yes"]), np.array([0.1, 0.2]), BINARY)
    assert "precision" not in found
    assert found["f1"].value == 0


def test_labels_that_are_all_alike_have_no_r2():
    found = performance(np.ones(3), np.array([1.0, 2.0, 3.0]), REGRESSION)
    assert set(found) == {"mae", "rmse"}


def test_perfect_predictions_have_no_error():
    found = performance(np.arange(4.0), np.arange(4.0), REGRESSION)
    assert {e.value for e in found.values()} == {0.0, 1.0}
    assert {e.standard_error for e in found.values()} == {0.0}


@pytest.mark.parametrize("n_rows", [0, 1])
def test_fewer_than_two_rows_have_no_metric(n_rows):
    assert performance(np.ones(n_rows), np.ones(n_rows), REGRESSION) == {}


def test_a_certain_mistake_costs_a_finite_log_loss():
    found = performance(np.array(["no", "yes"]), np.array([1.0, 1.0]), BINARY)
    assert found["log_loss"].value == pytest.approx(sk.log_loss([0, 1], [1.0, 1.0]))


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 labels for 3 predictions"):
        performance(np.ones(2), np.ones(3), REGRESSION)


@pytest.mark.parametrize("task", Task)
def test_every_task_has_a_default_metric_of_its_own(task):
    assert task in METRICS[default_metric(task)].tasks


@pytest.mark.parametrize("task", Task)
def test_the_table_names_just_the_metrics_that_are_computed(task):
    schema, rows = ROWS[task]
    named = {name for name, metric in METRICS.items() if task in metric.tasks}
    assert set(performance(*rows(np.random.default_rng(0)), schema)) == named
