"""Out-of-fold metrics, fold by fold."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from monitor.checks.performance import performance
from monitor.schema import Schema, Task
from retrain.evaluation import evaluate

SCHEMA = Schema(Task.BINARY, {}, "y", classes=("no", "yes"))
FOLDS = np.repeat([0, 1, 2], 40)


def rows():
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(120) < 0.4, "yes", "no")
    return labels, np.clip((labels == "yes") * 0.3 + rng.random(120) * 0.7, 0, 1)


def test_each_fold_is_scored_by_itself():
    labels, probability = rows()
    found = evaluate(labels, probability, FOLDS, SCHEMA)["accuracy"]
    predicted = np.where(probability >= 0.5, "yes", "no")
    inside = [slice(0, 40), slice(40, 80), slice(80, 120)]
    expected = [accuracy_score(labels[fold], predicted[fold]) for fold in inside]
    assert found.folds == pytest.approx(expected)
    assert (found.mean, found.std) == pytest.approx((np.mean(expected), np.std(expected, ddof=1)))


def test_the_overall_metric_takes_all_rows_together():
    labels, probability = rows()
    found = evaluate(labels, probability, FOLDS, SCHEMA)
    assert {name: each.overall for name, each in found.items()} == performance(
        labels, probability, SCHEMA
    )


def test_a_fold_that_does_not_define_a_metric_is_left_out_of_it():
    labels, probability = rows()
    labels[FOLDS == 1] = "no"
    found = evaluate(labels, probability, FOLDS, SCHEMA)
    assert (len(found["roc_auc"].folds), len(found["accuracy"].folds)) == (2, 3)


def test_one_fold_has_no_spread():
    found = evaluate(*rows(), np.zeros(120, dtype=np.int64), SCHEMA)
    assert found["f1"].std == 0
