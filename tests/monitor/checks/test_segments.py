"""Performance on parts of a window."""

import numpy as np
import pyarrow as pa
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score

from monitor.checks.fall import PerformancePolicy, segment_scores
from monitor.checks.score import Check, Status
from monitor.checks.segments import MIN_SEGMENT_ROWS, segment_performance
from monitor.reference import Estimate
from monitor.schema import Kind, Schema, Task
from monitor.verdict import score_status

RNG = np.random.default_rng(3)
N_ROWS = 1200
GROUPS = np.array(["a", "b", "c"], dtype=object)[RNG.integers(0, 3, N_ROWS)]
BINARY = Schema(Task.BINARY, {"g": Kind.CATEGORICAL}, "y", classes=("0", "1"))


def scored(labels, made, groups, schema=BINARY, metric="roc_auc"):
    features = pa.table({"g": pa.array(groups)})
    return segment_performance(labels, made, features, schema, segments=["g"], metric=metric)


def test_each_level_has_scikit_learns_value_on_its_rows():
    labels = RNG.integers(0, 2, N_ROWS)
    made = np.clip(labels * 0.2 + RNG.uniform(size=N_ROWS) * 0.8, 0, 1)
    for metric, expected in (
        ("roc_auc", roc_auc_score),
        ("accuracy", lambda y, p: accuracy_score(y, p >= 0.5)),
    ):
        found = scored(labels, made, GROUPS, metric=metric)["g"]
        assert set(found) == {"a", "b", "c"}
        for level, estimate in found.items():
            mine = level == GROUPS
            assert np.isclose(estimate.value, expected(labels[mine], made[mine]), rtol=1e-12)
            assert estimate.n == mine.sum()


def test_a_level_with_too_few_labelled_rows_is_left_out():
    groups = np.array(["a"] * MIN_SEGMENT_ROWS + ["b"] * (MIN_SEGMENT_ROWS - 1), dtype=object)
    schema = Schema(Task.REGRESSION, {"g": Kind.CATEGORICAL}, "y")
    labels, made = RNG.normal(size=len(groups)), RNG.normal(size=len(groups))
    found = scored(labels, made, groups, schema, "mae")["g"]
    assert list(found) == ["a"]
    a = slice(0, MIN_SEGMENT_ROWS)
    assert np.isclose(found["a"].value, mean_absolute_error(labels[a], made[a]), rtol=1e-12)


def test_a_level_that_does_not_define_the_metric_and_a_missing_one_are_left_out():
    groups = np.array(["a"] * 300 + [None] * 300 + ["b"] * 300, dtype=object)
    labels = np.array([1] * 300 + [0, 1] * 300)
    assert list(scored(labels, RNG.uniform(size=900), groups)["g"]) == ["b"]


def test_a_column_that_the_rows_lack_has_no_segments():
    rows = pa.table({"x": [1.0]})
    one = np.array([1.0])
    found = segment_performance(one, one, rows, BINARY, segments=["g"], metric="roc_auc")
    assert found == {}


def test_segments_are_shown_beside_the_reference_and_never_breach():
    estimates = {"g": {"a": Estimate(0.2, 0.01, 500), "new": Estimate(0.9, 0.01, 500)}}
    reference = {"g": {"a": Estimate(0.8, 0.01, 500)}}
    known, new = segment_scores(estimates, reference, PerformancePolicy("roc_auc", 0.03, ("g",)))
    assert (known.check, known.column, known.level) == (Check.PERFORMANCE, "g", "a")
    assert (known.value, known.reference_value, known.threshold) == (0.2, 0.8, None)
    assert (new.level, new.reference_value) == ("new", None)
    assert {score_status(score) for score in (known, new)} == {Status.OK}
