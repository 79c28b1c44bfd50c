"""Which columns of two tables are compared, and as what."""

import pyarrow as pa
import pytest

from monitor.adapters.column_frames import frame_columns
from monitor.errors import SchemaError
from monitor.pairing import pair
from monitor.schema import Kind

N_ROWS = 120


def paired(columns: dict[str, object], other: dict[str, object] | None = None, **asked: object):
    sides = [frame_columns(pa.table(one)) for one in (columns, other or columns)]
    return pair(reference=sides[0], current=sides[1], **asked)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([number % 10 for number in range(N_ROWS)], Kind.CATEGORICAL),
        ([number % 11 for number in range(N_ROWS)], Kind.NUMERIC),
        ([None, *(number % 10 for number in range(N_ROWS - 1))], Kind.CATEGORICAL),
        ([1.0, 2.0] * (N_ROWS // 2), Kind.NUMERIC),
        ([True, None] * (N_ROWS // 2), Kind.CATEGORICAL),
        (["a", "b"] * (N_ROWS // 2), Kind.CATEGORICAL),
        (pa.array(["a", "b"] * (N_ROWS // 2)).dictionary_encode(), Kind.CATEGORICAL),
        (pa.array(["a", "b"] * (N_ROWS // 2)).cast(pa.string_view()), Kind.CATEGORICAL),
        (pa.array(["1.5"] * N_ROWS).cast(pa.decimal128(5, 2)), Kind.NUMERIC),
    ],
)
def test_a_column_is_compared_as_its_type_and_its_values_say(values, kind):
    found = paired({"x": values})
    assert (found.kinds, found.notes) == ({"x": kind}, ())


def test_a_column_without_a_value_is_what_the_other_side_has():
    found = paired({"x": pa.nulls(2), "y": pa.nulls(2)}, {"x": [1.5, 2.5], "y": pa.nulls(2)})
    assert found.kinds == {"x": Kind.NUMERIC, "y": Kind.CATEGORICAL}


@pytest.mark.parametrize("name", ["id", "ORDER_ID", "", "Unnamed: 0", "__index_level_0__"])
def test_whole_numbers_under_an_id_s_name_are_an_id_when_none_is_there_twice(name):
    assert paired({name: range(N_ROWS), "x": [1.5] * N_ROWS}).kinds == {"x": Kind.NUMERIC}


@pytest.mark.parametrize(
    ("name", "values"), [("number", range(N_ROWS)), ("user_id", [*range(N_ROWS - 1), 0])]
)
def test_other_whole_numbers_are_not(name, values):
    assert paired({name: values}).kinds == {name: Kind.NUMERIC}


def test_text_is_left_out_when_more_than_half_of_the_values_differ():
    texts = [f"text {number}" for number in range(61)] + ["text 0"] * 59
    assert paired({"x": texts}).notes == ("left out (text, and nearly every row has its own): 'x'",)
    assert paired({"x": [*texts[:60], *texts[:60]]}).kinds == {"x": Kind.CATEGORICAL}
    sparse = [*texts[:60], *[None] * 60]
    assert paired({"x": sparse}).kinds == {}


def test_a_column_that_is_named_is_never_taken_for_an_id():
    assert paired({"id": range(N_ROWS)}, named=["id"]).kinds == {"id": Kind.NUMERIC}


def test_a_column_that_is_named_and_cannot_be_compared_is_refused():
    with pytest.raises(SchemaError, match="'x' cannot be compared: StructType is neither"):
        paired({"x": [{"y": 1}]}, only=["x"])


def test_a_message_names_ten_columns_at_most():
    extra = {f"x{number}": [1.5] for number in range(13)}
    (note,) = paired({"x": [1.5]}, {"x": [1.5], **extra}).notes
    assert note.endswith("'x9' and 3 others")
