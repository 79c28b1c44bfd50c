"""Labelled reference rows, drawn and encoded."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitor.columns import TableColumns
from monitor.sample import MOST_LEVELS, MOST_ROWS, Outcomes, encode, sample_of
from monitor.schema import Kind

N_ROWS = 1000


def sampled(predictions=None, labels=None, **columns: object):
    n_rows = len(next(iter(columns.values())))
    known = np.ones(n_rows)
    outcomes = Outcomes(
        known if predictions is None else predictions, known if labels is None else labels
    )
    kinds = {
        name: Kind.NUMERIC if np.asarray(values).dtype.kind in "fi" else Kind.CATEGORICAL
        for name, values in columns.items()
    }
    rows = TableColumns(pa.table({name: pa.array(values) for name, values in columns.items()}))
    return sample_of(rows, kinds, outcomes, np.arange(n_rows), seed=0)


def noise(n_rows=N_ROWS):
    return np.random.default_rng(0).normal(size=n_rows)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(N_ROWS) + noise(),
        -np.arange(N_ROWS) // 400,
        pd.date_range("2026-01-01", periods=N_ROWS, freq="h").strftime("%Y-%m").to_numpy(),
        [f"day {n // 20}" for n in range(N_ROWS)],
    ],
    ids=["a count", "a month falling", "a month's name", "a day's name"],
)
def test_a_column_that_tells_the_time_is_left_out(values):
    assert list(sampled(x=noise(), t=values).levels) == ["x"]


@pytest.mark.parametrize(
    "values",
    [
        np.full(N_ROWS, 3.0),
        np.full(N_ROWS, np.nan),
        np.arange(N_ROWS) % 24,
        np.where(np.arange(N_ROWS) > 500, 1.0, 0.0) + noise(),
        np.random.default_rng(1).choice(["a", "b", None], N_ROWS),
    ],
    ids=["constant", "missing", "hour", "shifted", "levels"],
)
def test_a_column_that_does_not_is_kept(values):
    assert list(sampled(x=noise(), t=values).levels) == ["x", "t"]


def test_rows_without_a_label_or_a_prediction_are_left_out():
    some = np.where(np.arange(10) % 2, 1.0, np.nan)
    found = sampled(predictions=some, x=noise(10))
    assert found.windows.tolist() == [1, 3, 5, 7, 9]
    assert found.features[:, 0].tolist() == noise(10)[1::2].tolist()


def test_a_large_reference_is_drawn_from_in_its_order():
    found = sampled(x=noise(MOST_ROWS + 5000))
    assert found.n_rows == MOST_ROWS
    assert (np.diff(found.windows) > 0).all()


def test_levels_beyond_the_most_frequent_are_one():
    names = [f"{n % 400:03}" for n in np.random.default_rng(0).permutation(40_000) % 400]
    found = sampled(g=names)
    assert len(found.levels["g"]) == MOST_LEVELS
    assert found.features[:, 0].max() == MOST_LEVELS


def test_current_rows_are_encoded_as_the_sample_is():
    found = sampled(x=noise(), g=np.random.default_rng(1).choice(["a", "b"], N_ROWS))
    rows = TableColumns(pa.table({"g": ["b", "a"], "x": [1.0, np.inf]}))
    codes = encode(rows, found.levels, np.arange(2))
    assert np.isnan(codes[1, 0])
    assert sorted(codes[:, 1]) == [0.0, 1.0]
