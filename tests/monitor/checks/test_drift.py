"""Drift scores: odd columns, refusals, methods of one's own; test_oracle.py has the numbers."""

import math
import subprocess
import sys
import warnings
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.methods import METHODS
from monitor.checks.quality import QualityPolicy
from monitor.checks.score import BreachWhen, Check
from monitor.columns import TableColumns
from monitor.reference import prepare
from monitor.schema import Kind, Schema, Task
from tests.monitor.checks.frames import COMPARED

TYPES = {Kind.NUMERIC: "num", Kind.CATEGORICAL: "cat"}
KINDS = {name: kind for kind, name in TYPES.items()}


@pytest.fixture(scope="module")
def evidently():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        registry = import_module("evidently.legacy.calculations.stattests.registry")
        core = import_module("evidently.legacy.core")
    return SimpleNamespace(ColumnType=core.ColumnType, registry=registry)


def drift_scores(reference, current, policy):
    scores = column_scores(reference, current, policy, QualityPolicy())
    return [score for score in scores if score.check is Check.DRIFT]


def score_of(before, after, kind, method=None, threshold=None):
    """Score the one column ``x``; its values may be a list or an Arrow array."""
    schema = Schema(Task.REGRESSION, {"x": kind}, "label")
    reference = prepare(TableColumns(pa.table({"x": before})), schema, performance={})
    policy = DriftPolicy(
        {} if method is None else {"x": method}, {} if threshold is None else {"x": threshold}
    )
    current = TableColumns(pa.table({"x": after}))
    [score] = drift_scores(reference=reference, current=current, policy=policy)
    return score


def cleaned(values):
    series = pa.array(values).to_pandas() if len(values) else pd.Series([], dtype=float)
    return series.replace([-np.inf, np.inf], np.nan).dropna()


def oracle(evidently, before, after, kind, method=None, threshold=None):
    """Evidently's answer; None where a side has no values, "fails" where Evidently does."""
    reference, current = cleaned(before), cleaned(after)
    if reference.empty or current.empty:
        return None
    column_type = evidently.ColumnType(TYPES[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compare = evidently.registry.get_stattest(reference, current, column_type, method)
        try:
            result = compare(reference, current, column_type, threshold)
        except ValueError:
            return "fails"
    return SimpleNamespace(method=compare.name, value=result.drift_score, drifted=result.drifted)


def agree(score, expected):
    assert score.failed == (expected == "fails"), score.detail
    if expected in (None, "fails") or math.isnan(expected.value):
        assert score.value is None
        assert score.detail
        return
    assert score.method == expected.method
    # √(1 - sum): near 0 Evidently's own value hangs by 1e-8 on the order it adds a set in
    power = 2 if score.method == "hellinger" else 1
    assert score.value**power == pytest.approx(expected.value**power, rel=1e-9, abs=1e-12)
    if not math.isclose(score.value, score.threshold, rel_tol=1e-9):
        assert drifted(score) == expected.drifted


def drifted(score):
    above = score.breach_when is BreachWhen.ABOVE
    return score.value >= score.threshold if above else score.value < score.threshold


def test_the_table_holds_evidentlys_names_thresholds_and_kinds(evidently):
    registered = {
        name: (by_type[next(iter(by_type))].default_threshold, {KINDS[t.value] for t in by_type})
        for name, by_type in evidently.registry._registered_stat_tests.items()
        if "text" not in name
    }
    assert {name: (m.threshold, set(m.kinds)) for name, m in METHODS.items()} == registered


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ([1.5] * 30, [1.5] * 9, Kind.NUMERIC),
        ([1.5] * 30, [2.5] * 9, Kind.NUMERIC),
        ([0.1] * 2000, [0.1] * 9, Kind.NUMERIC),
        ([1.0], [2.0], Kind.NUMERIC),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0], Kind.NUMERIC),
        ([True, False, True], [True, True, True], Kind.NUMERIC),
        (list(range(3000)), list(range(500, 700)), Kind.NUMERIC),
        ([-math.inf, *map(float, range(1500)), math.inf], [math.inf, 3.0, 1e300], Kind.NUMERIC),
        (["a"] * 30, ["a"] * 9, Kind.CATEGORICAL),
        (["a"], ["b"], Kind.CATEGORICAL),
        (["a", "b", "b"] * 20, ["a", "new", "newer"], Kind.CATEGORICAL),
        (["a", "b", "b"] * 500, ["new"] * 5, Kind.CATEGORICAL),
        ([3, 10, 2] * 10, [3, 3, 2], Kind.CATEGORICAL),
    ],
)
def test_odd_columns_score_as_in_evidently(evidently, before, after, kind):
    agree(score_of(before, after, kind), oracle(evidently, before, after, kind))


@pytest.mark.parametrize("dtype", [int, float])
@pytest.mark.parametrize("method", ["psi", "jensenshannon"])
def test_narrow_columns_of_many_rows_are_binned_as_the_type_they_came_in(evidently, method, dtype):
    # only beyond 2^19 rows is a Sturges bin narrower than 1, which NumPy refuses for integers
    before = (np.arange(600_000) % 22).astype(dtype)
    after = np.minimum(before, 15)
    expected = oracle(evidently, before, after, Kind.NUMERIC, method)
    agree(score_of(before, after, Kind.NUMERIC, method), expected)


@pytest.mark.parametrize("kind", COMPARED)
@pytest.mark.parametrize(("before", "after", "side"), [(0, 1, "reference"), (1, 0, "window")])
def test_a_side_of_nulls_has_no_value_and_says_which(kind, before, after, side):
    values = pa.array([1.0, 2.0] if kind is Kind.NUMERIC else ["a", "b"])
    nulls = pa.nulls(2, values.type)
    score = score_of([nulls, values][before], [nulls, values][after], kind)
    assert (score.value, score.failed) == (None, False)
    assert score.detail == f"the {side} has no values"
    assert score.threshold is not None


def test_one_broken_column_never_loses_the_rest():
    kinds = dict.fromkeys(["fine", "broken", "gone", "empty"], Kind.NUMERIC)
    rows = pa.table({name: [1.0, 2.0, 3.0] for name in kinds})
    schema = Schema(Task.REGRESSION, kinds, "label")
    current = {"fine": [1.0, 2.0], "broken": ["one", "two"], "empty": pa.nulls(2)}
    scores = drift_scores(
        reference=prepare(TableColumns(rows), schema, performance={}),
        current=TableColumns(pa.table(current)),
        policy=DriftPolicy(),
    )
    fine, broken, gone, empty = scores
    assert fine.value is not None
    assert (broken.value, broken.failed) == (None, True)
    assert "ArrowInvalid" in broken.detail
    assert (gone.failed, gone.detail) == (False, "the window has no such column")
    assert (empty.failed, empty.detail) == (False, "the window has no values")


def test_prediction_and_label_are_scored_and_a_label_that_has_not_come_is_not():
    schema = Schema(Task.BINARY, {"x": Kind.NUMERIC}, "late", "score", classes=("0", "1"))
    rows = pa.table({"x": [1.0, 2.0], "score": [0.1, 0.9], "late": [0, 1]})
    reference = prepare(TableColumns(rows), schema, performance={})
    for names in (["x", "score", "late"], ["x", "score"]):
        current = TableColumns(rows.select(names))
        scores = drift_scores(reference=reference, current=current, policy=DriftPolicy())
        assert [score.column for score in scores] == names


def test_a_threshold_of_ones_own_replaces_the_default():
    score = score_of([1.0, 2.0, 3.0], [1.0, 2.0], Kind.NUMERIC, "psi", 0.25)
    assert (score.method, score.threshold) == ("psi", 0.25)
    score = score_of([1.0, 2.0, 3.0], [1.0, 2.0], Kind.NUMERIC, "kl_div", 0.25)
    assert (score.method, score.threshold) == ("kl_div", 0.25)


@pytest.mark.parametrize(
    ("method", "kind", "hint"),
    [
        ("chisquare", Kind.NUMERIC, "not for numeric columns; take one of ks,"),
        ("ks", Kind.CATEGORICAL, "not for categorical columns; take one of z,"),
        ("no_such", Kind.NUMERIC, "StatTestNotFoundError"),
    ],
)
def test_a_method_that_cannot_be_used_fails_and_says_why(method, kind, hint):
    score = score_of(["1", "2"], ["1", "2"], kind, method)
    assert (score.value, score.failed, score.method) == (None, True, method)
    assert hint in score.detail


@pytest.mark.parametrize("breach_when", BreachWhen)
def test_a_method_of_ones_own_is_used_by_name_and_keeps_its_direction(evidently, breach_when):
    below = breach_when is BreachWhen.BELOW

    def means(reference, current, _type, threshold) -> tuple[float, bool]:
        gap = abs(reference.mean() - current.mean())
        return gap, gap < threshold if below else gap > threshold

    registry, numeric = evidently.registry, evidently.ColumnType.Numerical
    method = registry.StatTest("means", "means", [numeric], default_threshold=0.3)
    registry.register_stattest(method, means)
    try:
        for after in (1.0, 9.0):
            score = score_of([1.0, 2.0], [after], Kind.NUMERIC, "means")
            assert (score.value, score.threshold) == (abs(1.5 - after), 0.3)
            assert score.breach_when is breach_when
    finally:
        del registry._registered_stat_tests["means"]


def test_permutation_methods_repeat_their_score_and_leave_the_random_state_alone():
    before, after = [float(i) for i in range(30)], [float(i) + 3 for i in range(30)]
    np.random.seed(11)  # noqa: NPY002 - the state that must not change
    untouched = np.random.get_state()[1].copy()  # noqa: NPY002 - as above
    scores = {score_of(before, after, Kind.NUMERIC, "empirical_mmd").value for _ in range(3)}
    assert len(scores) == 1
    assert (np.random.get_state()[1] == untouched).all()  # noqa: NPY002 - as above


def test_the_default_methods_never_import_evidently():
    code = """if True:
        import sys, pyarrow as pa
        from monitor.checks.columns import column_scores
        from monitor.checks.drift import DriftPolicy
        from monitor.checks.quality import QualityPolicy
        from monitor.columns import TableColumns
        from monitor.reference import prepare
        from monitor.schema import Kind, Schema, Task
        schema = Schema(Task.REGRESSION, {"x": Kind.NUMERIC, "y": Kind.CATEGORICAL}, "label")
        for n_rows in (4, 9, 2000):
            rows = TableColumns(pa.table({"x": range(2 * n_rows), "y": ["a", "b"] * n_rows}))
            reference = prepare(rows, schema, performance={})
            scores = column_scores(reference, rows, DriftPolicy(), QualityPolicy())
            assert all(score.value is not None for score in scores), scores
        sys.exit("evidently" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
