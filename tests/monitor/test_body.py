"""Bodies in every format people send, and the ways in which they are broken."""

import json

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.body import ABSENT, read_body
from monitor.errors import BatchRefusedError
from monitor.fitting import values_of

modest = settings(max_examples=150, deadline=None, derandomize=True)

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
TABLE = pa.table({"x": [1.5, None, 3.0], "g": ["a", "b", None], "n": [1, 2, 3]})


def parquet(table):
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def arrow(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def read(body, content_type=JSON):
    """Read a body to plain Python values."""
    found = read_body(body if isinstance(body, bytes) else body.encode(), content_type)
    columns = {name: values_of(column) for name, column in found.columns.items()}
    assert all(len(values) == found.n_rows for values in columns.values())
    return columns


def refusal(body, content_type=JSON):
    with pytest.raises(BatchRefusedError) as refused:
        read(body, content_type)
    assert refused.value.reason == "unparseable"
    return refused.value


# what is read


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('[{"x": 1.5, "g": "a"}, {"x": null, "g": "b"}]', JSON),
        ('{"rows": [{"x": 1.5, "g": "a"}, {"x": null, "g": "b"}]}', JSON),
        ('{"labels": [{"x": 1.5, "g": "a"}, {"x": null, "g": "b"}]}', JSON),
        ('{"columns": {"x": [1.5, null], "g": ["a", "b"]}}', JSON),
        ('{"x": 1.5, "g": "a"}\n\n{"x": null, "g": "b"}\n', NDJSON),
        ('{"x": 1.5, "g": "a"}\r\n{"x": null, "g": "b"}', NDJSON),
        (parquet(TABLE.slice(0, 2).select(["x", "g"])), PARQUET),
        (arrow(TABLE.slice(0, 2).select(["x", "g"])), ARROW),
    ],
    ids=["list", "rows", "labels", "columns", "ndjson", "ndjson crlf", "parquet", "arrow"],
)
def test_every_format_gives_the_same_columns(body, content_type):
    assert read(body, content_type) == {"x": [1.5, None], "g": ["a", "b"]}


def test_csv_gives_texts_as_they_stand_so_that_007_stays_007():
    assert read("x,id\n1.50,007\n,8\n", CSV) == {"x": ["1.50", None], "id": ["007", "8"]}


def test_csv_truths_are_truths_as_in_a_reference_read_from_csv():
    found = read("a,b,c\nTrue,true,True\nFalse,,maybe\n", CSV)
    assert found == {"a": [True, False], "b": [True, None], "c": ["True", "maybe"]}


def test_csv_values_may_hold_commas_quotes_and_line_breaks():
    assert read('a,b\n"x, ""y""\nz",1\n', CSV) == {"a": ['x, "y"\nz'], "b": ["1"]}


def test_csv_may_begin_with_a_byte_order_mark():
    assert read(b"\xef\xbb\xbfa\n1\n", CSV) == {"a": ["1"]}


def test_a_csv_with_a_header_alone_has_columns_and_no_rows():
    assert read("a,b\n", CSV) == {"a": [], "b": []}


def test_a_key_that_a_row_lacks_is_absent_and_not_null():
    found = read('[{"a": 1}, {"a": null, "b": 2}]')
    assert found == {"a": [1, None], "b": [ABSENT, 2]}


def test_an_empty_list_is_a_body_of_no_rows():
    assert read_body(b"[]", JSON).n_rows == 0


@pytest.mark.parametrize(
    "content_type", ["", " ", "application/json; charset=utf-8", "Application/JSON"]
)
def test_json_is_the_default_and_parameters_and_case_do_not_matter(content_type):
    assert read('[{"a": 1}]', content_type) == {"a": [1]}


names = st.text(min_size=1, max_size=5)
cells = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))


@modest
@given(st.dictionaries(names, st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=4))
def test_rows_and_columns_and_lines_say_the_same(columns):
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lines = "\n".join(map(json.dumps, rows))
    assert read(json.dumps(rows)) == columns
    assert read(json.dumps({"columns": columns})) == columns
    assert read(lines, NDJSON) == columns


# what is refused


def test_an_unknown_content_type_is_refused_with_those_that_are_known():
    problem = refusal("a=1", "application/x-www-form-urlencoded").problem
    assert "'application/x-www-form-urlencoded' is not one of application/json, " in problem
    assert all(known in problem for known in (JSON, NDJSON, CSV, PARQUET, ARROW))


@pytest.mark.parametrize("content_type", [JSON, CSV, PARQUET, ARROW])
@pytest.mark.parametrize("body", [b"", b"\x00", b"\xff\xfe\xfd", b"PAR1", b"not, {"])
def test_what_is_not_of_its_content_type_is_refused_by_its_name(body, content_type):
    # One line of text is a CSV header without its line break.
    assert f"the body is not valid {content_type}" in refusal(body, content_type).problem


@pytest.mark.parametrize("body", ["1", '"text"', "null", "{}", '{"row": []}', '{"rows": {"a": 1}}'])
def test_json_of_another_shape_is_refused_with_the_shapes_that_are_taken(body):
    assert refusal(body).problem == (
        'send a list of row objects, {"rows": [...]} or {"columns": {name: [...]}}'
    )


@pytest.mark.parametrize(
    "columns", ['{"a": [1], "b": []}', '{"a": 1}', '{"a": [1], "b": null}', "{}"]
)
def test_columns_of_unequal_length_are_refused(columns):
    assert refusal(f'{{"columns": {columns}}}').problem == "columns must be lists of equal length"


@pytest.mark.parametrize("row", ["1", '"text"', "null", "[1, 2]"])
@pytest.mark.parametrize(
    ("template", "content_type"), [('[{{"a": 1}}, {}]', JSON), ('{{"a": 1}}\n{}', NDJSON)]
)
def test_a_row_that_is_no_object_is_refused_by_its_number(template, content_type, row):
    refused = refusal(template.format(row), content_type)
    assert refused.row == 1
    assert str(refused) == "row 1, each row must be an object of column names"


def test_a_line_that_is_no_json_is_refused_by_its_number():
    assert refusal('{"a": 1}\n\n{"a": 2}\n{"a": ', NDJSON).row == 2


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
def test_json_nested_without_end_is_refused(content_type):
    assert "not valid" in refusal("[" * 200_000, content_type).problem


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("a,a\n1,2\n", CSV),
        (arrow(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])), ARROW),
        (parquet(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])), PARQUET),
    ],
    ids=["csv", "arrow", "parquet"],
)
def test_two_columns_of_one_name_are_refused(body, content_type):
    assert "not valid" in refusal(body, content_type).problem


def test_a_csv_line_of_another_length_is_refused():
    assert "Expected 2 columns, got 1" in refusal("a,b\n1,2\n3\n", CSV).problem


@pytest.mark.parametrize(
    ("whole", "content_type"), [(parquet(TABLE), PARQUET), (arrow(TABLE), ARROW)]
)
def test_a_body_that_was_cut_off_is_refused_or_whole(whole, content_type):
    expected = read(whole, content_type)
    for end in range(0, len(whole), 7):
        try:
            found = read(whole[:end], content_type)
        except BatchRefusedError:
            continue
        # An Arrow stream may end anywhere between two batches.
        assert found in (expected, {name: [] for name in expected})


@modest
@given(st.sampled_from([JSON, NDJSON, CSV, PARQUET, ARROW]), st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(content_type, body):
    try:
        found = read_body(body, content_type)
    except BatchRefusedError:
        return
    assert found.n_rows == max(len(values_of(c)) for c in [*found.columns.values(), []])


@modest
@given(st.data())
def test_a_damaged_body_is_read_or_refused_and_never_takes_the_process_down(data):
    content_type, whole = data.draw(
        st.sampled_from([(PARQUET, parquet(TABLE)), (ARROW, arrow(TABLE))])
    )
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assume(bytes(damaged) != whole)
    try:
        found = read_body(bytes(damaged), content_type)
    except BatchRefusedError:
        return
    # Arrow follows offsets here: unchecked ones lead out of memory.
    assert all(len(values_of(column)) == found.n_rows for column in found.columns.values())


def test_a_text_column_with_offsets_beyond_its_bytes_is_refused():
    whole = arrow(pa.table({"g": ["abc", "def"]}))
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, 3, 6))
    assert whole.count(offsets) == 1
    beyond = b"".join(n.to_bytes(4, "little") for n in (0, 3, 2**30))
    assert "not valid" in refusal(whole.replace(offsets, beyond), ARROW).problem
