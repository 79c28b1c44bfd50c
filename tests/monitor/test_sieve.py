"""The sieve finds every row that is refused, and no other."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from monitor.body import Body
from monitor.errors import BatchRefusedError
from monitor.sieve import sieve


def refuse_negative(body):
    """Refuse the first negative value, as intake does a bad time."""
    column = body.columns["n"]
    for row, value in enumerate(column if isinstance(column, list) else column.to_pylist()):
        if value < 0:
            raise BatchRefusedError("negative", row=row, field="n")


@given(st.lists(st.integers(-3, 10), min_size=1), st.booleans())
def test_good_rows_are_kept_in_order_and_each_bad_one_is_refused(values, in_arrow):
    column = pa.chunked_array([pa.array(values, pa.int64())]) if in_arrow else values
    found = sieve(Body({"n": column}, len(values)), refuse_negative)
    kept = found.body.columns["n"]
    good = [value for value in values if value >= 0]
    assert (kept.to_pylist() if in_arrow else kept) == good
    assert found.body.n_rows == len(good)
    assert sum(one.n_rows for one in found.refusals) == len(values) - len(good)


def test_what_is_missing_for_all_rows_is_found_at_the_first_look():
    looks = []

    def check(body: Body) -> None:
        looks.append(body.n_rows)
        raise BatchRefusedError("is missing", field="id")

    found = sieve(Body({"n": list(range(1000))}, 1000), check)
    assert looks == [1000]
    assert [one.n_rows for one in found.refusals] == [1000]
    assert found.body.n_rows == 0


def test_a_few_bad_rows_among_many_are_found_with_few_looks():
    values = list(range(10_000))
    values[17] = values[7000] = -1
    looks = []

    def check(body: Body) -> None:
        looks.append(body.n_rows)
        refuse_negative(body)

    assert sieve(Body({"n": values}, 10_000), check).body.n_rows == 9_998
    assert len(looks) < 80
