"""What is counted of rows, and that counts add up."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitor.cells import hours
from monitor.checks.quality import QualityPolicy, quality_scores
from monitor.columns import TableColumns
from monitor.grid import MAX_LEVELS, N_BINS, counts_of, grid_of
from monitor.profile import merge, profile, whole
from monitor.reference import prepare_column
from monitor.schema import Kind
from monitor.values import read_values
from monitor.window import MONDAY

modest = settings(max_examples=60, deadline=None, derandomize=True)


def grid(kind, values):
    return grid_of(read_values(TableColumns(pa.table({"x": values})), "x", kind))


def counted(kind, reference, rows, cells=None, n_cells=1):
    columns = TableColumns(pa.table({"x": rows}))
    cells = np.zeros(columns.n_rows, np.int64) if cells is None else np.asarray(cells)
    starts = [MONDAY + n * timedelta(hours=1) for n in range(n_cells)]
    return profile(columns, {"x": grid(kind, reference)}, cells=cells, starts=starts)


numbers = st.lists(
    st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(0, 3).map(float)), min_size=1
)
levels = st.lists(st.one_of(st.none(), st.sampled_from("abcdef")), min_size=1)


@modest
@given(st.sampled_from([(Kind.NUMERIC, numbers), (Kind.CATEGORICAL, levels)]).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), pair[1], pair[1], st.integers(0, 2**32))
))  # fmt: skip
def test_rows_counted_in_parts_add_up_to_rows_counted_at_once(drawn):
    kind, reference, rows, seed = drawn
    if all(value is None for value in reference):
        reference = [*reference, "a" if kind is Kind.CATEGORICAL else 0.0]
    dtype = pa.string() if kind is Kind.CATEGORICAL else pa.float64()
    reference, rows = pa.array(reference, dtype), pa.array(rows, dtype)
    cells = np.random.default_rng(seed).integers(0, 3, len(rows))
    apart = counted(kind, reference, rows, cells, 3)
    first, rest = (
        counted(kind, reference, rows.filter(pa.array(keep)), cells[keep], 3)
        for keep in (np.arange(len(rows)) < 2, np.arange(len(rows)) >= 2)
    )
    at_once = counted(kind, reference, rows).columns["x"]
    for found in (whole(apart), whole(merge([rest, first]))):
        assert found.n_rows.tolist() == [len(rows)]
        for name in ("counts", "n_null", "n_strange"):
            assert np.array_equal(getattr(found.columns["x"], name), getattr(at_once, name)), name
        assert found.columns["x"].total == pytest.approx(at_once.total, rel=1e-9, abs=1e-9)


@modest
@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=400))
def test_the_reference_over_its_own_bins_is_counted_alike_from_rows_and_from_sorted_values(values):
    column = TableColumns(pa.table({"x": values}))
    known = read_values(column, "x", Kind.NUMERIC)
    by_rows = counted(Kind.NUMERIC, values, values).columns["x"].counts[0]
    assert by_rows.tolist() == counts_of(known, grid_of(known)).tolist()
    assert by_rows.sum() == len(values)


def test_missing_infinite_far_out_and_unseen_values_are_counted_as_the_quality_check_does():
    rng = np.random.default_rng(1)
    before = pa.array(rng.normal(size=1000))
    now = pa.array([None, np.nan, np.inf, -np.inf, 50.0, 0.0, 0.1, -60.0])
    found = counted(Kind.NUMERIC, before, now).columns["x"]
    assert (found.n_null.tolist(), found.n_strange.tolist()) == ([2], [4])
    reference = prepare_column(TableColumns(pa.table({"x": before})), "x", Kind.NUMERIC)
    values = read_values(TableColumns(pa.table({"x": now})), "x", Kind.NUMERIC)
    missing, far_out, infinite = quality_scores("x", reference, values, QualityPolicy())
    assert (missing.value, far_out.value, infinite.value) == (2 / 8, 4 / 6, 2 / 6)
    found = counted(Kind.CATEGORICAL, ["a", "b"], pa.array(["a", None, "z", "z"])).columns["x"]
    assert (found.n_null.tolist(), found.n_strange.tolist()) == ([1], [2])


def test_a_value_that_many_rows_share_does_not_hide_its_neighbours():
    mostly_zero = [0.0] * 990 + [0.5] * 5 + [1.0] * 5
    zeros, halves = (
        counted(Kind.NUMERIC, mostly_zero, [value] * 10).columns["x"].counts[0]
        for value in (0.0, 0.5)
    )
    assert not np.array_equal(zeros, halves)


def test_rare_levels_are_counted_together_and_a_column_that_does_not_come_is_missing():
    names = [f"level{n}" for n in range(MAX_LEVELS + 5)]
    reference = [*names, *names[:MAX_LEVELS]]
    found = counted(Kind.CATEGORICAL, reference, names).columns["x"].counts[0]
    assert found[MAX_LEVELS:].tolist() == [5, 0]
    absent = profile(
        TableColumns(pa.table({"y": [1.0, 2.0]})),
        {"x": grid(Kind.NUMERIC, [1.0])},
        cells=np.zeros(2, np.int64),
        starts=[MONDAY],
    )
    assert absent.columns["x"].n_null.tolist() == [2]


def test_the_kolmogorov_smirnov_distance_of_profiles_is_that_of_the_rows_to_a_bin():
    rng = np.random.default_rng(2)
    before, now = rng.normal(size=20_000), rng.normal(0.1, 1.0, 5000)
    shares = [
        np.cumsum(c) / c.sum()
        for c in (
            counted(Kind.NUMERIC, before, rows).columns["x"].counts[0] for rows in (before, now)
        )
    ]
    exact = stats.ks_2samp(before, now).statistic
    assert abs(np.abs(shares[0] - shares[1]).max() - exact) <= 1 / N_BINS


def test_moments_are_of_the_values_in_units_of_the_reference():
    rng = np.random.default_rng(3)
    before, now = rng.normal(1e6, 2.0, 1000), rng.normal(1e6 + 1, 3.0, 500)
    made = grid(Kind.NUMERIC, before)
    found = counted(Kind.NUMERIC, before, now).columns["x"]
    mean = made.centre + made.scale * found.total[0] / 500
    spread = made.scale * np.sqrt(found.squares[0] / 500 - (found.total[0] / 500) ** 2)
    assert mean == pytest.approx(now.mean())
    assert spread == pytest.approx(now.std())


def test_an_hour_without_rows_is_no_cell():
    at = np.array(["2026-01-05T00:10", "2026-01-05T03:10", "2026-01-05T00:50"], "datetime64[us]")
    cells = hours(at)
    assert cells.of_row.tolist() == [0, 1, 0]
    assert [start.hour for start in cells.starts] == [0, 3]
