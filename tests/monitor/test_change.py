"""A change taken apart: what inputs explain, and what only a changed relation does."""

import numpy as np
import pytest

from monitor.change import CONCEPT_Z, Change, change_of, residual
from monitor.checks.fall import PerformancePolicy
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.reference import Estimate, Reference
from monitor.sample import Outcomes, Sample
from monitor.schema import Schema, Task
from monitor.verdict import Verdict

N_ROWS = 1000
BINARY = Schema(Task.BINARY, {}, "y", classes=("0", "1"))
REGRESSION = Schema(Task.REGRESSION, {}, "y")


def reference(schema, metric, value, own):
    """Make a reference whose own rows reach something else than what is on record."""
    if schema.task is Task.BINARY:
        labels = (np.arange(N_ROWS) < own * N_ROWS).astype(float)
        outcomes = Outcomes(np.ones(N_ROWS), labels)
    else:
        outcomes = Outcomes(np.full(N_ROWS, own), np.zeros(N_ROWS))
    sample = Sample({}, np.zeros((N_ROWS, 1)), outcomes, np.zeros(N_ROWS, dtype=np.int64))
    return Reference(schema, {}, {metric: Estimate(value, 0.01, 500)}, 500, sample=sample)


def score(check, metric, value, error=0.01, n_rows=2000, **other: object):
    return Score(
        check, None, metric, value, None, BreachWhen.BELOW, 0, n_rows,
        standard_error=error, **other,
    )  # fmt: skip


def verdict(metric, measured, estimated, *, provisional=False, more=(), status=Status.OK):
    scores = (
        *more,
        score(Check.PERFORMANCE, metric, measured),
        score(Check.ESTIMATE, metric, estimated),
    )
    return Verdict(status, dict.fromkeys(Check, status), scores, None, provisional)


ACCURACY = PerformancePolicy("accuracy")


def test_three_parts_add_up_to_the_change_against_the_reference():
    found = change_of(
        verdict("accuracy", 0.70, 0.77), reference(BINARY, "accuracy", 0.82, 0.8), ACCURACY
    )
    assert found.by_version == pytest.approx(-0.02)
    assert found.by_inputs == pytest.approx(-0.03)
    assert found.by_relation == pytest.approx(-0.07)
    assert (found.z, found.is_concept) == (pytest.approx(7.0), True)


def test_for_a_loss_more_is_worse_and_what_matters_is_relative():
    policy = PerformancePolicy("mae", max_drop=0.1)
    found = change_of(verdict("mae", 2.4, 2.1), reference(REGRESSION, "mae", 2.0, 2.0), policy)
    assert (found.by_inputs, found.by_relation) == (pytest.approx(0.1), pytest.approx(0.3))
    assert (found.z, found.least) == (pytest.approx(30.0), pytest.approx(0.1))
    assert found.is_concept
    better = change_of(verdict("mae", 1.8, 2.1), reference(REGRESSION, "mae", 2.0, 2.0), policy)
    assert better.z < 0
    assert not better.is_concept


def test_a_segment_is_not_taken_for_the_whole_window():
    segment = score(Check.PERFORMANCE, "accuracy", 0.1, level="JFK")
    found = change_of(
        verdict("accuracy", 0.8, 0.8, more=[segment]),
        reference(BINARY, "accuracy", 0.8, 0.8),
        ACCURACY,
    )
    assert found.by_relation == 0


@pytest.mark.parametrize(
    ("z", "by_relation", "is_concept"),
    [(CONCEPT_Z + 0.1, -0.03, True), (CONCEPT_Z, -0.03, False), (9.0, -0.014, False)],
)
def test_concept_drift_is_sure_and_matters(z, by_relation, is_concept):
    assert Change("accuracy", 0.0, 0.0, by_relation, z, 0.015).is_concept is is_concept


@pytest.mark.parametrize(
    ("by_version", "by_inputs", "by_relation", "is_explained"),
    [
        (0.0, -0.05, -0.01, True),
        (0.0, -0.01, -0.02, False),
        (-0.06, -0.05, 0.0, False),
        (-0.01, 0.02, -0.01, False),
    ],
)
def test_inputs_explain_a_fall_where_they_are_the_greatest_part(
    by_version, by_inputs, by_relation, is_explained
):
    found = Change("accuracy", by_version, by_inputs, by_relation, 1.0, 0.015)
    assert found.is_explained is is_explained


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (verdict("accuracy", 0.7, 0.8, provisional=True), reference(BINARY, "accuracy", 0.8, 0.8)),
        (verdict("accuracy", 0.7, 0.8, status=Status.NO_DATA), reference(BINARY, "accuracy", 1, 1)),
        (verdict("accuracy", 0.7, None), reference(BINARY, "accuracy", 0.8, 0.8)),
        (verdict("accuracy", None, 0.8), reference(BINARY, "accuracy", 0.8, 0.8)),
        (verdict("accuracy", 0.7, 0.8), reference(BINARY, "roc_auc", 0.8, 0.8)),
        (verdict("accuracy", 0.7, 0.8), Reference(BINARY, {}, {}, 0)),
    ],
)
def test_nothing_is_tested_on_early_labels_or_without_an_estimate(one, kept):
    assert change_of(one, kept, ACCURACY) is None


def test_rows_without_labels_add_what_chance_there_is_among_all():
    told = Estimate(0.8, 0.01, 1000)
    all_labelled = residual(told, Estimate(0.76, 0.02, 1000), bigger_is_better=True)
    half = residual(told, Estimate(0.76, 0.02, 500), bigger_is_better=True)
    assert all_labelled == pytest.approx(4.0)
    assert half == pytest.approx(0.04 / np.hypot(0.01, 0.02 * np.sqrt(0.5)))


def test_the_sentence_names_what_was_there_when_the_version_was_made():
    found = Change("mae", 0.5, 0.25, 1.0, 5.04, 0.1).sentence
    assert found == (
        "of +1.75 MAE against the reference +0.5 when the version was made, +0.25 because inputs "
        "moved, +1 because their relation to the outcome changed (5.0 standard errors, 2.33 count)"
    )
