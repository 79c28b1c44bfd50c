"""Shares of missing, unseen and far-out values, and of rows that came otherwise."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.batch import ChangeKind, SchemaChange
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.quality import QualityPolicy, change_scores, gaps
from monitor.checks.score import BreachWhen, Check
from monitor.columns import TableColumns
from monitor.reference import prepare
from monitor.schema import Kind, Schema, Task

modest = settings(max_examples=80, deadline=None, derandomize=True)

SCHEMA = Schema(Task.REGRESSION, {"x": Kind.NUMERIC, "g": Kind.CATEGORICAL}, "y")
POLICY = QualityPolicy()
RANGE = np.linspace(0.0, 10.0, 1001)


def scored(before, after, changes=(), policy=POLICY):
    reference = prepare(TableColumns(pa.table(before)), SCHEMA, performance={})
    current = TableColumns(pa.table(after))
    scores = column_scores(reference, current, DriftPolicy(), policy)
    scores += change_scores(changes, current.n_rows, policy)
    return [score for score in scores if score.check is Check.QUALITY]


def shares(before, after, **more: object):
    return {(s.column, s.method): s.value for s in scored(before, after, **more)}


def score(method, before, after, **more: object):
    (found,) = [s for s in scored(before, after, **more) if s.method == method]
    return found


def test_every_feature_has_a_share_of_missing_and_of_strange_values():
    before = {"x": RANGE, "g": ["a"] * 1001, "y": RANGE}
    after = {"x": [1.0, None, 99.0, 5.0], "g": ["a", "b", None, None], "y": [None] * 4}
    assert shares(before, after) == {
        ("x", "missing"): 0.25,
        ("x", "out_of_range"): 1 / 3,
        ("g", "missing"): 0.5,
        ("g", "unseen"): 0.5,
    }


def test_the_rows_of_the_reference_themselves_are_as_before():
    before = {"x": [*RANGE, None, math.nan], "g": [*(["a", "b"] * 500), None, None, None]}
    found = {(s.column, s.method): s for s in scored(before, before)}
    assert found["x", "missing"].value == found["x", "missing"].reference_value == 2 / 1003
    assert found["g", "missing"].value == found["g", "missing"].reference_value == 3 / 1003
    assert found["x", "out_of_range"].value == found["g", "unseen"].value == 0.0


def test_all_shares_are_bad_above_their_limits():
    before = {"x": [1.0, None, 2.0, 3.0, 4.0], "g": list("aaaab")}
    found = {(s.column, s.method): s for s in scored(before, before)}
    assert {key: s.threshold for key, s in found.items()} == {
        ("x", "missing"): pytest.approx(0.2 + POLICY.null_jump),
        ("x", "out_of_range"): POLICY.out_of_range,
        ("g", "missing"): POLICY.null_jump,
        ("g", "unseen"): POLICY.unseen,
    }
    assert {(s.check, s.breach_when, s.status) for s in found.values()} == {
        (Check.QUALITY, BreachWhen.ABOVE, None)
    }
    assert {s.kind for s in found.values()} == {Kind.NUMERIC, Kind.CATEGORICAL}


@pytest.mark.parametrize(
    "nothing", [pa.nulls(4, pa.float64()), pa.array([math.nan] * 4), pa.nulls(4)]
)
def test_an_all_null_number_is_missing_and_nothing_else_is_known_of_it(nothing):
    found = shares({"x": RANGE}, {"x": nothing})
    assert found == {("x", "missing"): 1.0, ("x", "out_of_range"): None}


def test_an_all_null_category_is_missing_and_nothing_else_is_known_of_it():
    found = shares({"g": list("ab")}, {"g": pa.nulls(4, pa.string())})
    assert found == {("g", "missing"): 1.0, ("g", "unseen"): None}


def test_a_window_without_rows_has_no_shares():
    empty = {"x": pa.array([], pa.float64()), "g": pa.array([], pa.string())}
    found = scored(
        {"x": RANGE, "g": ["a"] * 1001}, empty, [SchemaChange("new", ChangeKind.EXTRA, 1)]
    )
    assert {s.value for s in found} == {None}
    assert len(found) == 5


def test_a_column_that_one_side_lacks_is_left_to_the_schema_changes():
    assert {s.column for s in scored({"g": ["a"]}, {"x": [1.0], "g": ["a"]})} == {"g"}
    assert {s.column for s in scored({"x": [1.0], "g": ["a"]}, {"g": ["a"]})} == {"g"}


# far out


@pytest.mark.parametrize(
    ("value", "far"),
    [
        (10.0, 0),
        (12.0, 0),
        (19.9, 0),
        (20.1, 1),
        (-9.9, 0),
        (-10.1, 1),
        (math.inf, 1),
        (-math.inf, 1),
    ],
)
def test_a_value_is_far_out_beyond_the_range_by_more_than_its_width(value, far):
    # Range 0-10 (its outer quantiles a hair inside): a season passes the edge, a wrong unit all.
    found = score("out_of_range", {"x": RANGE}, {"x": [5.0, value]})
    assert found.value == far / 2


def test_infinite_numbers_are_told_by_themselves_where_there_are_any():
    found = score("infinite", {"x": RANGE}, {"x": [5.0, math.inf, -math.inf, 99.0, None]})
    assert (found.value, found.threshold) == (0.5, POLICY.out_of_range)
    assert ("x", "infinite") not in shares({"x": RANGE}, {"x": [5.0, 99.0, None]})


def test_columns_beyond_their_limit_of_missing_values_are_gaps():
    before = {"x": RANGE, "g": ["a"] * 1001}
    found = scored(before, {"x": [1.0, None, 2.0, 3.0], "g": ["a"] * 4})
    assert gaps(found) == {"x"}
    assert gaps(scored(before, {"x": [], "g": []})) == set()


def test_one_impossible_value_in_the_reference_hides_no_others():
    before = {"x": [*np.linspace(0, 40, 9_999), 1048.0]}
    assert score("out_of_range", before, {"x": [900.0] * 10}).value == 1.0


@pytest.mark.parametrize("values", [[3.0] * 100, [0.0] * 9_999 + [100.0]])
def test_a_number_that_stood_still_and_moves_now_is_shown_without_a_limit(values):
    found = score("out_of_range", {"x": values}, {"x": [values[0], 3.5]})
    assert (found.value, found.threshold) == (0.5, None)


def test_a_new_level_where_there_was_one_is_shown_without_a_limit():
    found = score("unseen", {"g": ["a"] * 9}, {"g": ["b", "b", "a", None]})
    assert (found.value, found.threshold) == (2 / 3, None)


def test_nothing_is_far_out_of_a_reference_without_values():
    assert score("out_of_range", {"x": pa.nulls(5, pa.float64())}, {"x": [1e9]}).value == 0.0


@modest
@given(st.floats(0.1, 1e6), st.floats(-1e6, 1e6))
def test_the_unit_of_a_column_does_not_matter(scale, shift):
    values = np.array([5.0, 15.0, 25.0, -15.0])
    found = score("out_of_range", {"x": RANGE * scale + shift}, {"x": values * scale + shift})
    assert found.value == 0.5


# unseen


def test_a_level_is_unseen_when_the_reference_never_had_it():
    found = score("unseen", {"g": ["a", "b", None]}, {"g": ["a", "B", "", None, "b"]})
    assert (found.value, found.n_current) == (0.5, 4)


@pytest.mark.parametrize(
    "after", [pa.array([1, 2]), pa.array([1.0, 2.0]), pa.array(["1", "2"]).dictionary_encode()]
)
def test_a_level_is_the_same_in_any_type(after):
    assert score("unseen", {"g": ["1", "2"]}, {"g": after}).value == 0.0


# schema changes


@pytest.mark.parametrize("change", list(ChangeKind))
def test_each_schema_change_is_a_share_of_the_rows(change):
    rows = {"x": [1.0] * 50}
    found = score(f"schema_{change}", rows, rows, changes=[SchemaChange("c", change, 5)])
    assert (found.column, found.value, found.threshold) == ("c", 0.1, POLICY.schema_change)


def test_rows_that_were_left_out_as_repeated_do_not_make_a_share_above_one():
    rows = {"x": [1.0] * 4}
    change = SchemaChange("c", ChangeKind.EXTRA, 9)
    assert score("schema_extra", rows, rows, changes=[change]).value == 1.0


# a column that cannot be scored


def test_a_column_that_cannot_be_scored_is_a_failed_score_alone():
    before = {"x": RANGE, "g": ["a"] * 1001}
    found = scored(before, {"x": pa.array([[1.0]] * 4), "g": ["a"] * 4})
    (broken,) = [s for s in found if s.column == "x"]
    assert (broken.failed, broken.value, broken.threshold) == (True, None, None)
    assert broken.detail.startswith("ArrowNotImplementedError: ")
    assert [(s.method, s.value, s.failed) for s in found if s.column == "g"] == [
        ("missing", 0.0, False),
        ("unseen", 0.0, False),
    ]


def test_a_column_that_stands_still_is_shown_and_has_no_limit():
    before = {"x": RANGE, "g": list("ab") * 500 + ["a"]}
    still = scored(before, {"x": [3.0] * 12, "g": ["b"] * 12})
    found = {s.column: s for s in still if s.method == "constant"}
    assert found["x"].detail == "every value is 3"
    assert found["g"].reference_value == pytest.approx(500 / 1001)
    assert {(s.value, s.threshold) for s in found.values()} == {(1.0, None)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"x": [5.0] * 50, "g": ["a"] * 50}, {"x": [5.0] * 50, "g": ["a"] * 50}),
        ({"x": [0.0] * 999 + [1.0], "g": ["a"] * 999 + ["b"]}, {"x": [0.0] * 90, "g": ["a"] * 90}),
        ({"x": RANGE, "g": ["a", "b"]}, {"x": [None] * 9, "g": [None] * 9}),
    ],
    ids=["as in the reference", "by chance", "without values"],
)
def test_a_column_that_stands_still_for_a_reason_is_not_spoken_of(before, after):
    size = max(map(len, before.values()))
    before = {name: list(np.resize(values, size)) for name, values in before.items()}
    assert not [s for s in scored(before, after) if s.method == "constant"]
