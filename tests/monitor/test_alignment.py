"""One side's column read as the other's type."""

import pyarrow as pa
import pytest

from monitor.adapters.column_frames import frame_columns
from monitor.alignment import align
from monitor.errors import SchemaError
from monitor.schema import Kind

NUMERIC, CATEGORICAL = Kind.NUMERIC, Kind.CATEGORICAL


def aligned(values: object, other: object, kind: Kind):
    sides = [frame_columns(pa.table({"x": one})) for one in (values, other)]
    chunks = align(*sides, {"x": kind}).chunks("x")
    return [value for chunk in chunks for value in chunk.to_pylist()]


@pytest.mark.parametrize(
    ("values", "other", "kind", "expected"),
    [
        (
            ["1", " 2.5 ", None, "1e3", "-inf"],
            [1.5],
            NUMERIC,
            [1.0, 2.5, None, 1000.0, float("-inf")],
        ),
        (pa.array(["1", "2"]).dictionary_encode(), [1.5], NUMERIC, [1.0, 2.0]),
        (pa.array(["1", "2"]).cast(pa.string_view()), [1.5], NUMERIC, [1.0, 2.0]),
        (pa.array([1, 2]).dictionary_encode(), [1.5], NUMERIC, [1, 2]),
        ([True, None], [1, 0], CATEGORICAL, [1, None]),
        (["True", "FALSE", "Maybe", None], [True], CATEGORICAL, ["true", "false", "Maybe", None]),
        (["True", "b"], ["a"], CATEGORICAL, ["True", "b"]),
        ([1, 2], ["1"], CATEGORICAL, [1, 2]),
    ],
)
def test_values_are_read_as_the_other_side_s(values, other, kind, expected):
    assert aligned(values, other, kind) == expected


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (
            ["1", "", "x"],
            NUMERIC,
            "'x' is text where the reference has numbers, and '' is no number",
        ),
        (["1", "0x10"], NUMERIC, "'0x10' is no number"),
        (pa.array([0], pa.timestamp("s")), NUMERIC, "timestamp[s] on one side and numbers"),
        ([[1]], NUMERIC, "list<item: int64> on one side and numbers"),
        ([[1]], CATEGORICAL, "list<item: int64> on one side and text"),
        ([b"1"], CATEGORICAL, "binary on one side and text"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(values, kind, message):
    with pytest.raises(SchemaError) as refused:
        aligned(values, [1.5] if kind is NUMERIC else ["a"], kind)
    assert message in str(refused.value)


def test_a_column_of_one_side_alone_is_read_as_it_is():
    columns = frame_columns(pa.table({"x": ["1"]}))
    other = frame_columns(pa.table({"y": [1]}))
    assert [c.to_pylist() for c in align(columns, other, {"x": NUMERIC}).chunks("x")] == [["1"]]
