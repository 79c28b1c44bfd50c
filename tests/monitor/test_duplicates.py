"""Rows that repeat an earlier one."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.columns import TableColumns
from monitor.duplicates import known_ratio, repeated_ratio
from monitor.schema import Kind

KINDS = {"x": Kind.NUMERIC, "n": Kind.NUMERIC, "g": Kind.CATEGORICAL}
rows = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.5, -1.5, float("inf"), None]),
        st.integers(-2, 2),
        st.sampled_from(["a", "b", "", None]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rows)
def test_the_share_is_that_of_pandas(values):
    frame = pd.DataFrame(values, columns=list(KINDS)).astype({"x": float})
    columns = TableColumns(pa.Table.from_pandas(frame, preserve_index=False))
    assert repeated_ratio(columns, KINDS) == pytest.approx(frame.duplicated().mean())


def test_pieces_and_dictionaries_change_nothing():
    levels = np.array(["a", "b", "c"], dtype=object)[np.arange(900) % 3]
    plain = pa.table({"x": np.arange(900) % 450, "g": levels})
    encoded = plain.set_column(1, "g", plain.column("g").dictionary_encode())
    cut = pa.concat_tables([encoded.slice(0, 7), encoded.slice(7, 500), encoded.slice(507)])
    shares = {repeated_ratio(TableColumns(table), KINDS) for table in (plain, encoded, cut)}
    assert shares == {0.5}


def test_without_rows_or_columns_there_is_no_share():
    assert repeated_ratio(TableColumns(pa.table({"x": pa.array([], pa.float64())})), KINDS) is None
    assert repeated_ratio(TableColumns(pa.table({"other": [1.0]})), KINDS) is None


def test_rows_without_a_value_are_no_repetition_where_a_column_has_lost_some():
    table = pa.table({"x": [1.0, 1.0, 2.0, 3.0, None, float("nan")], "n": [1, 1, 1, 1, 1, 1]})
    columns = TableColumns(table)
    assert repeated_ratio(columns, KINDS) == pytest.approx(2 / 6)
    assert repeated_ratio(columns, KINDS, gaps=["x"]) == pytest.approx(1 / 4)
    assert repeated_ratio(columns, KINDS, gaps=["not there"]) == pytest.approx(2 / 6)


def test_of_few_rows_that_are_left_nothing_is_told():
    table = pa.table({"x": [1.0, 1.0, None, None, None]})
    assert repeated_ratio(TableColumns(table), KINDS, gaps=["x"]) is None


def test_rows_without_a_value_are_no_news_nor_old_where_a_column_has_lost_some():
    before = TableColumns(pa.table({"x": [1.0, None], "n": [1, 1]}))
    now = TableColumns(pa.table({"x": [1.0, 2.0, None, None], "n": [1, 1, 1, 1]}))
    assert known_ratio(now, before, KINDS) == pytest.approx(3 / 4)
    assert known_ratio(now, before, KINDS, gaps=["x"]) == pytest.approx(1 / 2)
    fewer = TableColumns(pa.table({"x": [1.0, None, None], "n": [1, 1, 1]}))
    assert known_ratio(fewer, before, KINDS, gaps=["x"]) is None
