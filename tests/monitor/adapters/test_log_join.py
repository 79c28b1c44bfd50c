"""The first row of each prediction id."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.adapters.log_join import first_of_each
from monitor.batch import PREDICTION_ID

parts = st.sampled_from(["", "a", "b", "é", "1234567", "12345678", "a\x00", "\x00"])
texts = st.lists(st.builds("".join, st.lists(parts, max_size=4)), max_size=12)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(texts, min_size=1, max_size=3), st.integers(0, 3))
def test_of_each_prediction_id_the_first_row_is_kept(chunks, start):
    ids = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks]).slice(start)
    rows = pa.table({PREDICTION_ID: ids, "place": pa.array(range(len(ids)), pa.int64())})
    firsts: dict[str, int] = {}
    for place, name in enumerate(ids.to_pylist()):
        firsts.setdefault(name, place)
    assert first_of_each(rows).column("place").to_pylist() == sorted(firsts.values())


def test_ids_that_differ_only_in_the_middle_differ():
    ids = [f"12345678{number}12345678" for number in (1, 2, 1)]
    rows = pa.table({PREDICTION_ID: ids, "place": [0, 1, 2]})
    assert first_of_each(rows).column("place").to_pylist() == [0, 1]
