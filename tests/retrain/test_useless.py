"""Features that teach nothing are named with the reason, and left out of a model."""

import numpy as np
import pandas as pd
import pytest

from monitor.schema import Kind, Schema, Task
from retrain.useless import useless

N_ROWS = 400


def named(it):
    """Name what is useless beside a useful feature."""
    features = pd.DataFrame({"x": np.random.default_rng(0).normal(size=N_ROWS), "it": it})
    kinds = {
        name: Kind.CATEGORICAL if features[name].dtype == object else Kind.NUMERIC
        for name in features
    }
    return useless(features, Schema(Task.REGRESSION, kinds, "target"))


def text(values):
    return pd.Series(list(values), dtype=object)


@pytest.mark.parametrize(
    "column",
    [np.full(N_ROWS, 3.5), np.full(N_ROWS, np.nan), text(["km"] * N_ROWS), text([None] * N_ROWS)],
)
def test_a_feature_with_one_value_is_useless(column):
    assert named(column) == {"it": "it has one value"}


def test_missing_beside_one_value_is_something_to_learn_from():
    assert not named(np.where(np.arange(N_ROWS) % 2, 1.0, np.nan))
    assert not named(text(["yes", None] * (N_ROWS // 2)))


@pytest.mark.parametrize(
    "column",
    [
        np.arange(N_ROWS, dtype=float),
        np.cumsum(np.random.default_rng(0).integers(1, 10**6, N_ROWS)).astype(float),
        np.random.default_rng(0).permutation(N_ROWS).astype(float),
    ],
    ids=["a count", "numbers that never fall", "a shuffled count"],
)
def test_a_number_that_counts_the_rows_is_useless(column):
    assert named(column) == {"it": "it counts the rows: whole numbers, none of them twice"}


def test_text_with_a_value_for_nearly_every_row_is_useless():
    assert "own value" in named(text(f"ticket {i}" for i in range(N_ROWS)))["it"]


@pytest.mark.parametrize(
    "column",
    [
        np.random.default_rng(0).integers(0, 10**9, N_ROWS).astype(float),
        np.random.default_rng(0).integers(0, 100, N_ROWS).astype(float),
        np.sort(np.random.default_rng(0).normal(size=N_ROWS)),
        text(f"shop {i % 120}" for i in range(N_ROWS)),
    ],
    ids=["amounts that happen to differ", "ages", "a trend", "shops"],
)
def test_quantities_and_groups_are_of_use(column):
    assert not named(column)


def test_where_every_feature_is_useless_none_is_named():
    features = pd.DataFrame({"it": np.zeros(N_ROWS)})
    assert not useless(features, Schema(Task.REGRESSION, {"it": Kind.NUMERIC}, "target"))
