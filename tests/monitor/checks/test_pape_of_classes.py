"""Metrics of several classes from the chances that a model gave them."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score, precision_score, recall_score

from monitor.checks.pape import pape
from monitor.checks.pape_of_classes import _metric, _Sums, pape_of_classes
from monitor.checks.performance import performance
from monitor.sample import Outcomes
from monitor.schema import Schema, Task

CLASSES = ("a", "b", "c", "d")
SCHEMA = Schema(Task.MULTICLASS, {}, "y", classes=CLASSES)
METRICS = ("accuracy", "precision", "recall", "f1")
TURNS = np.random.default_rng(0).normal(size=(3, 4))
COMMON = np.array([0.6, 0.3, 0.0, -0.9])


def drawn(n_rows, *, seed, shift=0.0, sure=1.6):
    """Draw rows of a model too sure of itself that does not look at z; z grows with the shift."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(n_rows, 3)), rng.normal(shift, 1.0, n_rows)
    logits = x @ TURNS + COMMON
    true = softmax((1.2 - 0.5 * z)[:, None] * logits, axis=1)
    labels = came(true, rng)
    chances = softmax(sure * logits, axis=1)
    return Outcomes(chances.argmax(axis=1).astype(float), labels, chances), z


def came(chances, rng):
    below = chances.cumsum(axis=1) < rng.uniform(size=(len(chances), 1))
    return np.minimum(below.sum(axis=1), chances.shape[1] - 1).astype(float)


def told(metric, reference, weights, now):
    return pape_of_classes(metric, reference, weights, now.predictions, now.chances)


def measured(outcomes, metric):
    names = np.array(CLASSES, dtype=object)
    said = outcomes.labels.astype(int), outcomes.predictions.astype(int)
    return performance(*(names[one] for one in said), SCHEMA)[metric]


@pytest.mark.parametrize("metric", METRICS)
def test_true_weights_tell_what_will_be_measured_and_no_weights_do_not(metric):
    (reference, z), (now, _) = drawn(100_000, seed=0), drawn(50_000, seed=1, shift=1.0)
    real = measured(now, metric).value
    found = told(metric, reference, np.exp(z - 0.5), now)
    blind = told(metric, reference, np.ones(z.size), now)
    assert abs(found.value - real) < 3 * found.standard_error < 0.02
    assert abs(found.value - real) < 0.3 * abs(blind.value - real)


@pytest.mark.parametrize("metric", METRICS)
def test_chances_that_are_right_are_not_biased_by_rows_that_moved(metric):
    """Rows come where the model is surer, and without weights each class is told as it will be."""
    rng, off = np.random.default_rng(2), []
    for _ in range(60):
        before, now = (rng.dirichlet(np.full(4, at), size=2000) for at in (1.0, 0.4))
        reference, current = (
            Outcomes(one.argmax(axis=1).astype(float), came(one, rng), one) for one in (before, now)
        )
        found = told(metric, reference, np.ones(2000), current)
        off.append((found.value - measured(current, metric).value) / found.standard_error)
    assert abs(np.mean(off)) < 3 / np.sqrt(60)


@pytest.mark.parametrize("metric", METRICS)
def test_nineteen_of_twenty_bands_hold_what_is_measured(metric):
    inside = []
    for seed in range(200):
        (reference, z), (now, _) = drawn(2000, seed=2 * seed), drawn(300, seed=2 * seed + 1)
        found = told(metric, reference, np.ones(z.size), now)
        off = abs(found.value - measured(now, metric).value)
        inside.append(off <= 1.96 * found.standard_error)
    assert 0.9 <= np.mean(inside) <= 0.985


def test_two_classes_are_told_as_a_binary_model_s_are():
    rng = np.random.default_rng(0)
    scores, now = rng.uniform(size=3000), rng.beta(2, 1, 800)
    labels = (rng.uniform(size=3000) < scores**1.5).astype(float)
    weights = np.exp(scores)
    binary = pape("accuracy", Outcomes(scores, labels), weights, now)
    said, said_now = ((one >= 0.5).astype(float) for one in (scores, now))
    both, both_now = (np.column_stack([1 - one, one]) for one in (scores, now))
    found = pape_of_classes("accuracy", Outcomes(said, labels, both), weights, said_now, both_now)
    assert found.value == pytest.approx(binary.value, abs=1e-4)
    assert found.standard_error == pytest.approx(binary.standard_error, rel=1e-3)


@pytest.mark.parametrize(
    ("metric", "of_sklearn"),
    [("precision", precision_score), ("recall", recall_score), ("f1", f1_score)],
)
@pytest.mark.parametrize("missing", [None, 3])
def test_certain_labels_give_what_is_measured_of_them(metric, of_sklearn, missing):
    """Classes that are predicted and never there, there and never predicted, and neither."""
    rng = np.random.default_rng(1)
    labels, said = rng.choice([0, 1, 4], 500), rng.choice([0, 1, 2], 500)
    if missing is not None:
        labels[:3] = missing
    is_of = np.eye(6)[labels]
    called = np.bincount(said, minlength=6) / 500
    hits = np.bincount(said, is_of[np.arange(500), said], 6) / 500
    sums = _Sums(called, hits, is_of.mean(axis=0), is_of.max(axis=0))
    expected = of_sklearn(labels, said, average="macro", zero_division=0)
    assert _metric(metric, sums).value == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_s_growth_is_its_derivative(metric):
    called, comes = np.array([0.5, 0.3, 0.2, 0.0]), np.array([1.0, 1.0, 0.7, 0.4])
    hits, are = np.array([0.4, 0.2, 0.1, 0.0]), np.array([0.5, 0.3, 0.15, 0.05])
    found = _metric(metric, _Sums(called, hits, are, comes))
    for place in range(3):
        step = 1e-7 * np.eye(4)[place]
        by_hits = _metric(metric, _Sums(called, hits + step, are, comes)).value - found.value
        by_are = _metric(metric, _Sums(called, hits, are + step, comes)).value - found.value
        grown = by_hits / 1e-7, by_are / 1e-7
        assert (found.by_hits[place], found.by_are[place]) == pytest.approx(grown, abs=1e-5)


def test_a_class_that_the_reference_never_had_has_no_part_in_a_mean_of_classes():
    (reference, z), (now, _) = drawn(3000, seed=0), drawn(2000, seed=1)
    with_one = [
        Outcomes(
            one.predictions, one.labels, np.column_stack([one.chances, np.zeros(len(one.labels))])
        )
        for one in (reference, now)
    ]
    found = told("f1", with_one[0], np.ones(z.size), with_one[1])
    assert found.value == pytest.approx(told("f1", reference, np.ones(z.size), now).value, abs=1e-3)


def test_a_rare_class_that_may_come_or_not_widens_the_band():
    """Of one row in 1000, and never predicted: in 300 rows it comes in about one window of four."""
    inside = []
    rng = np.random.default_rng(0)
    for _ in range(200):
        sides = []
        for n_rows in (4000, 300):
            two = rng.dirichlet([2, 2], size=n_rows)
            chances = np.column_stack([two * 0.999, np.full(n_rows, 0.001)])
            sides.append(Outcomes(two.argmax(axis=1).astype(float), came(chances, rng), chances))
        found = told("recall", sides[0], np.ones(4000), sides[1])
        inside.append(
            abs(found.value - measured(sides[1], "recall").value) <= 1.96 * found.standard_error
        )
    assert np.mean(inside) >= 0.9


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_reference_of_one_class_and_chances_at_their_ends_break_nothing(label):
    chances = np.repeat(np.eye(3), 200, axis=0)
    said = chances.argmax(axis=1).astype(float)
    found = told(
        "accuracy",
        Outcomes(said, np.full(600, label), chances),
        np.ones(600),
        Outcomes(said, said, chances),
    )
    assert found.value == pytest.approx(1 / 3, abs=1e-6)
    assert np.isfinite(found.standard_error)
