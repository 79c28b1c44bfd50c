"""Rows that repeat an earlier one."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.columns import TableColumns
from monitor.duplicates import repeated_ratio
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
