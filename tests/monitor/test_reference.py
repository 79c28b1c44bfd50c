"""What is kept of the reference, column by column."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.columns import TableColumns
from monitor.reference import Estimate, NumericReference, prepare
from monitor.schema import Kind, Schema, Task
from monitor.values import CategoricalValues
from monitor.window import MONDAY

modest = settings(max_examples=80, deadline=None, derandomize=True)

SCHEMA = Schema(Task.BINARY, {"x": Kind.NUMERIC, "g": Kind.CATEGORICAL}, "y", classes=("0", "1"))


def prepared(schema=SCHEMA, **columns: object):
    return prepare(TableColumns(pa.table(columns)), schema, performance={})


def numeric(values):
    return prepared(x=values).columns["x"]


def categorical(values):
    return prepared(g=values).columns["g"]


@modest
@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e9, 1e9), st.just(math.inf), st.just(math.nan)), min_size=1
    )
)
def test_a_numeric_column_is_its_finite_values_in_order_and_what_is_missing(values):
    found = numeric(pa.array(values, pa.float64()))
    finite = sorted(v for v in values if v is not None and math.isfinite(v))
    assert isinstance(found, NumericReference)
    assert found.values.tolist() == finite
    assert found.n_rows == len(values)
    assert found.n_null == sum(v is None or math.isnan(v) for v in values)
    if finite:
        assert found.std == pytest.approx(np.std(finite), abs=1e-6)
        assert finite[0] <= found.low <= found.high <= finite[-1]


def test_the_range_is_not_widened_by_one_impossible_value():
    winds = [*np.linspace(0, 40, 9_999), 1048.0]
    found = numeric(winds)
    assert found.high < 41
    assert found.values[-1] == 1048.0


@pytest.mark.parametrize(
    "values", [pa.nulls(3, pa.float64()), pa.array([math.nan] * 3), pa.nulls(3)]
)
def test_an_all_null_number_has_no_values_no_spread_and_no_range(values):
    found = numeric(values)
    assert (found.values.size, found.n_rows, found.n_null) == (0, 3, 3)
    assert all(map(math.isnan, (found.std, found.low, found.high)))


@modest
@given(st.lists(st.one_of(st.none(), st.sampled_from("abcé"), st.text(max_size=3))))
def test_a_categorical_column_is_its_levels_in_order_with_their_counts(values):
    found = categorical(pa.array(values, pa.string()))
    known = [v for v in values if v is not None]
    assert isinstance(found, CategoricalValues)
    assert found.levels == tuple(sorted(set(known)))
    assert found.counts.tolist() == [known.count(level) for level in found.levels]
    assert (found.n_rows, found.n_null) == (len(values), len(values) - len(known))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, 1, None]),
        pa.array([1.0, 2.0, 1.0, math.nan]),
        pa.array(["1", "2", "1", None]),
        pa.array([1, 2, 1, None]).dictionary_encode(),
        pa.array(["1", "2", "1", None], pa.large_string()),
    ],
    ids=lambda values: str(values.type),
)
def test_levels_are_the_same_whatever_type_they_came_in(values):
    found = categorical(values)
    assert (found.levels, found.counts.tolist(), found.n_null) == (("1", "2"), [2, 1], 1)


def test_every_column_of_the_schema_that_the_rows_have_is_prepared_and_no_other():
    found = prepared(g=["a"], prediction=[0.5], y=[1], other=[7])
    assert list(found.columns) == ["g", "prediction", "y"]
    assert found.columns["prediction"].kind is Kind.NUMERIC
    assert found.columns["y"].kind is Kind.CATEGORICAL
    assert found.n_rows == 1


def test_a_reference_holds_what_it_was_told_and_cannot_be_changed():
    performance = {"roc_auc": Estimate(0.8, 0.01, 100)}
    rows = TableColumns(pa.table({"x": [1.0]}))
    found = prepare(rows, SCHEMA, performance=performance, start=MONDAY, end=MONDAY)
    assert (found.performance, found.start, found.end) == (performance, MONDAY, MONDAY)
    with pytest.raises(FrozenInstanceError):
        found.n_rows = 2


def test_a_table_is_read_a_column_at_a_time_and_a_missing_one_has_its_name():
    rows = TableColumns(pa.table({"x": [1.0, 2.0], "g": ["a", "b"]}))
    assert (rows.n_rows, list(rows.names)) == (2, ["x", "g"])
    assert [chunk.to_pylist() for chunk in rows.chunks("g")] == [["a", "b"]]
    with pytest.raises(KeyError, match="nowhere"):
        rows.chunks("nowhere")
