"""What is made of a reference table, and what is said about it."""

import string
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.classes import as_class
from monitor.columns import TableColumns, class_name
from monitor.errors import SchemaError
from monitor.inferred import MAX_CLASSES, infer
from monitor.schema import Kind, Roles, Schema, Task
from monitor.values import read_values

modest = settings(max_examples=60, deadline=None, derandomize=True)

START = datetime(2013, 1, 7, tzinfo=UTC)
HOURS = [START + timedelta(hours=number) for number in range(6)]


def table(**columns: object):
    """Six rows with a number, a group and a label; columns may be added or replaced."""
    plain = {"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "g": list("aabbcc"), "y": [0, 1, 0, 1, 0, 1]}
    return pa.table({**plain, **columns})


def schema_of(found, **roles: object):
    return infer(found, Roles(**{"target": "y", **roles})).schema


def guess_about(word, found, **roles: object):
    """Return the one sentence that names a word."""
    guesses = infer(found, Roles(**{"target": "y", **roles})).guesses
    (about,) = [guess for guess in guesses if word in guess]
    return about


# features


def test_numbers_are_numeric_and_texts_truths_and_dictionaries_categorical():
    columns = {
        "whole": pa.array([1, 2, 3, 4, 5, 6], pa.int16()),
        "unsigned": pa.array([1, 2, 3, 4, 5, 6], pa.uint64()),
        "half": pa.array([0.5] * 6, pa.float16()),
        "decimal": [Decimal("1.25")] * 6,
        "truth": [True, False] * 3,
        "large": pa.array(list("ababab"), pa.large_string()),
        "dictionary": pa.array(list("ababab")).dictionary_encode(),
    }
    assert dict(schema_of(table(**columns)).features) == {
        "x": Kind.NUMERIC,
        "g": Kind.CATEGORICAL,
        "whole": Kind.NUMERIC,
        "unsigned": Kind.NUMERIC,
        "half": Kind.NUMERIC,
        "decimal": Kind.NUMERIC,
        "truth": Kind.CATEGORICAL,
        "large": Kind.CATEGORICAL,
        "dictionary": Kind.CATEGORICAL,
    }


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1]] * 6),
        pa.array([{"a": 1}] * 6),
        pa.array([b"x"] * 6),
        pa.array([timedelta(1)] * 6),
        pa.nulls(6),
    ],
    ids=lambda values: str(values.type),
)
def test_a_column_that_is_neither_number_nor_text_is_left_out_and_said_so(values):
    found = table(odd=values)
    assert "odd" not in schema_of(found).features
    assert guess_about("'odd'", found) == (
        f"'odd' is left out: {values.type} is neither number nor text"
    )


def test_timestamps_and_dates_beside_the_time_are_features_that_are_dates():
    instants = pa.array([START] * 6)
    found = table(at=instants, day=pa.array([START.date()] * 6), booked=instants)
    assert schema_of(found).dates == ["day", "booked"]


def test_a_text_that_names_nearly_every_row_is_left_out_and_said_so():
    rows = range(200)
    found = pa.table({"x": rows, "name": [f"row {i}" for i in rows], "y": [i % 2 for i in rows]})
    assert list(schema_of(found).features) == ["x"]
    assert guess_about("'name'", found) == "'name' is left out: nearly every row has its own value"


N_MANY = MAX_CLASSES + 10


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        (range(N_MANY), True),
        ([i * i for i in reversed(range(N_MANY))], True),
        (pa.array(range(N_MANY), pa.int16()), True),
        ([i // 2 for i in range(N_MANY)], False),
        ([i * 0.5 for i in range(N_MANY)], False),
        ([*range(N_MANY - 1), None], False),
        ([*range(N_MANY - 1), 0], False),
    ],
    ids=["up", "down", "short", "twice", "fractions", "gap", "again"],
)
def test_whole_numbers_that_change_one_way_in_every_row_only_count_them(values, counts):
    found = pa.table({"n": values, "x": [0.5] * N_MANY, "y": [0, 1] * (N_MANY // 2)})
    assert ("n" not in schema_of(found).features) == counts
    if counts:
        assert guess_about("'n'", found) == "'n' is left out: it only counts the rows"
    # Of few rows that may be chance, and what a person has named is a feature.
    assert "n" in schema_of(found.slice(0, MAX_CLASSES)).features
    assert "n" in schema_of(found, numeric=("n",)).features


def test_counting_is_all_there_is_to_learn_from_where_nothing_else_is_left():
    found = pa.table({"n": range(N_MANY), "y": [0, 1] * (N_MANY // 2)})
    assert set(schema_of(found).features) == {"n"}


def test_columns_of_the_reference_without_a_role_are_known_as_unused():
    found = table(name=[f"n{i}" for i in range(6)], odd=[[1]] * 6, at=HOURS)
    assert schema_of(found, numeric=("x",)).unused == ("g", "name", "odd")
    assert schema_of(found).unused == ("odd",)


def test_a_text_with_many_levels_that_come_again_is_a_feature():
    rows = range(200)
    found = pa.table({"town": [f"town {i % 60}" for i in rows], "y": [i % 2 for i in rows]})
    assert dict(schema_of(found).features) == {"town": Kind.CATEGORICAL}


def test_a_short_table_keeps_its_texts_although_each_value_occurs_once():
    assert schema_of(table(g=list("abcdef"))).features["g"] is Kind.CATEGORICAL


def test_features_keep_the_order_of_the_table_and_are_counted():
    found = table(b=[1] * 6, a=list("xyzxyz"))
    assert list(schema_of(found).features) == ["x", "g", "b", "a"]
    assert guess_about("features", found) == "2 numeric and 2 categorical features"


def test_an_all_null_number_is_a_feature_that_may_yet_come():
    assert schema_of(table(z=pa.nulls(6, pa.float64()))).features["z"] is Kind.NUMERIC


def test_listed_features_are_taken_as_they_are_listed_and_the_others_left_out():
    found = table(code=[1, 2, 3, 1, 2, 3])
    features = schema_of(found, numeric=("x",), categorical=("code",)).features
    assert dict(features) == {"x": Kind.NUMERIC, "code": Kind.CATEGORICAL}


def test_a_column_called_prediction_is_no_feature_unless_it_is_listed():
    found = table(prediction=[0.1, 0.9, 0.2, 0.8, 0.3, 0.7])
    assert list(schema_of(found).features) == ["x", "g"]
    assert "is it columns.prediction?" in guess_about("'prediction'", found)
    assert schema_of(found, prediction="prediction").prediction == "prediction"


def test_a_table_with_nothing_but_a_target_has_no_feature_left():
    with pytest.raises(SchemaError, match=r"name them under columns\.numeric"):
        schema_of(pa.table({"y": [0, 1]}))


# time and id


def test_the_first_timestamp_is_taken_for_the_time_and_said_so():
    found = table(at=HOURS, later=HOURS)
    assert schema_of(found).time == "at"
    assert guess_about("time is", found) == "time is 'at', the first timestamp column"


def test_without_a_timestamp_rows_count_from_when_they_arrive():
    assert schema_of(table()).time is None
    assert guess_about("time column", table()).endswith("at the time they arrive")


def test_what_a_person_says_is_not_guessed():
    found = table(first=HOURS, at=HOURS, row_id=range(6), key=range(6))
    inferred = infer(found, Roles("y", time="at", id="key", task=Task.BINARY))
    assert (inferred.schema.time, inferred.schema.id) == ("at", "key")
    assert not [g for g in inferred.guesses if g.startswith(("time is", "id is", "task is"))]


@pytest.mark.parametrize("values", [[START.date()] * 6, ["2013-01-07"] * 6, range(6)])
def test_a_time_that_is_not_a_timestamp_is_refused_by_its_type(values):
    with pytest.raises(SchemaError, match=r"time column 'at' is .*; store it as timestamps"):
        schema_of(table(at=values), time="at")


@pytest.mark.parametrize("name", ["id", "ID", "flight_id"])
@pytest.mark.parametrize("values", [range(6), list("abcdef")])
def test_a_unique_column_that_is_called_an_id_is_one(name, values):
    found = table(**{name: values})
    assert schema_of(found).id == name
    assert name not in schema_of(found).features
    assert guess_about("id is", found) == f"id is {name!r}: its values are unique"


@pytest.mark.parametrize(
    "columns",
    [
        {"id": [1, 1, 2, 3, 4, 5]},
        {"id": [1, 2, 3, 4, 5, None]},
        {"id": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]},
        {"id": pa.array([[i] for i in range(6)])},
        {"identity": range(6)},
    ],
    ids=["repeated", "missing", "fraction", "list", "another name"],
)
def test_a_column_that_cannot_tell_rows_apart_is_no_id(columns):
    assert schema_of(table(**columns)).id is None
    assert guess_about("no id column", table(**columns)).endswith("are generated and returned")


def test_a_listed_feature_is_not_taken_for_an_id():
    found = table(zone_id=range(6))
    assert schema_of(found, numeric=("zone_id",)).id is None


# target, task and classes


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0, 1, 0, 1, 0, 1], Task.BINARY, ("0", "1")),
        ([0.0, 1.0, 0.0, 1.0, None, 1.0], Task.BINARY, ("0", "1")),
        ([True, False] * 3, Task.BINARY, ("false", "true")),
        (["no", "yes"] * 3, Task.BINARY, ("no", "yes")),
        ([-1, 1] * 3, Task.BINARY, ("-1", "1")),
        ([3, 1, 2, 3, 1, 2], Task.MULTICLASS, ("1", "2", "3")),
        ([10, 9, 2, 10, 9, 2], Task.MULTICLASS, ("2", "9", "10")),
        (list("abcabc"), Task.MULTICLASS, ("a", "b", "c")),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], Task.REGRESSION, ()),
        ([Decimal("0.1"), Decimal("0.2"), Decimal("0.3")] * 2, Task.REGRESSION, ()),
    ],
)
def test_the_task_and_the_classes_follow_from_the_target(values, task, classes):
    found = schema_of(table(y=values))
    assert (found.task, found.classes) == (task, classes)
    assert guess_about("task is", table(y=values)).startswith(f"task is {task}: 'y' has ")


def test_a_dictionary_target_is_what_its_values_are():
    found = schema_of(table(y=pa.array(["no", "yes"] * 3).dictionary_encode()))
    assert (found.task, found.classes, found.positive) == (Task.BINARY, ("no", "yes"), "yes")


@pytest.mark.parametrize("nothing", [float("nan"), float("inf"), None])
def test_a_target_that_is_not_a_number_is_missing_and_no_class(nothing):
    target = pa.array([0.0, 1.0, 0.0, 1.0, 0.0, nothing])
    assert schema_of(table(y=target)).classes == ("0", "1")


@pytest.mark.parametrize(
    ("n_classes", "task"), [(MAX_CLASSES, Task.MULTICLASS), (MAX_CLASSES + 1, Task.REGRESSION)]
)
def test_whole_numbers_are_classes_as_long_as_they_are_few(n_classes, task):
    rows = range(2 * n_classes)
    assert schema_of(pa.table({"x": rows, "y": [i % n_classes for i in rows]})).task is task


def test_a_text_is_never_a_quantity_however_many_values_it_has():
    rows = range(300)
    assert schema_of(pa.table({"x": rows, "y": [f"c{i % 90}" for i in rows]})).task is (
        Task.MULTICLASS
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None] * 6, "target 'y' has no value"),
        (pa.nulls(6, pa.float64()), "target 'y' has no value"),
        ([float("nan")] * 6, "target 'y' has no value"),
        ([1] * 6, "target 'y' must have at least two classes, it has ['1']"),
        ([[1], [2]] * 3, "target 'y' is list<item: int64>, neither number nor text"),
        (HOURS, "target 'y' is timestamp[us, tz=UTC], neither number nor text"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused_and_why(values, expected):
    with pytest.raises(SchemaError) as refused:
        schema_of(table(y=values))
    assert str(refused.value) == expected


def test_an_empty_table_is_refused():
    empty = pa.table({"x": pa.array([], pa.float64()), "y": pa.array([], pa.float64())})
    with pytest.raises(SchemaError, match="target 'y' has no value"):
        schema_of(empty)


@pytest.mark.parametrize(
    ("task", "values", "expected"),
    [
        (Task.BINARY, [1, 2, 3, 1, 2, 3], "must have two classes, it has ['1', '2', '3']"),
        (Task.MULTICLASS, ["a"] * 6, "must have at least two classes, it has ['a']"),
        (Task.REGRESSION, list("abcabc"), "is string; a regression needs numbers"),
    ],
)
def test_a_target_that_does_not_fit_the_task_is_refused_and_why(task, values, expected):
    with pytest.raises(SchemaError) as refused:
        schema_of(table(y=values), task=task)
    assert str(refused.value) == f"target 'y' {expected}"


def test_a_person_may_take_two_numbers_for_a_quantity():
    assert schema_of(table(), task=Task.REGRESSION).classes == ()


# roles


@pytest.mark.parametrize("role", ["target", "prediction", "time", "id"])
def test_a_named_column_that_is_not_there_is_refused_with_those_that_are(role):
    with pytest.raises(SchemaError) as refused:
        schema_of(table(), **{role: "nowhere"})
    assert str(refused.value) == "the reference has no column 'nowhere'; it has x, g, y"


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_listed_feature_that_is_not_there_is_refused(kind):
    with pytest.raises(SchemaError, match="no column 'nowhere'"):
        schema_of(table(), **{kind: ("x", "nowhere")})


@pytest.mark.parametrize(
    "roles",
    [
        {"numeric": ("x", "y")},
        {"numeric": ("x",), "categorical": ("x",)},
        {"prediction": "y"},
        {"id": "x", "prediction": "x"},
    ],
    ids=["target as feature", "listed twice", "target as prediction", "id as prediction"],
)
def test_a_column_has_one_role_only(roles):
    with pytest.raises(SchemaError, match="is named twice; it can have one role only"):
        schema_of(table(), **roles)


def test_predictions_and_labels_are_compared_as_their_task_asks():
    kinds = {task: Schema(task, {"x": Kind.NUMERIC}, "y").kinds() for task in Task}
    number, group = Kind.NUMERIC, Kind.CATEGORICAL
    assert kinds[Task.BINARY] == {"x": number, "prediction": number, "y": group}
    assert kinds[Task.MULTICLASS] == {"x": number, "prediction": group, "y": group}
    assert kinds[Task.REGRESSION] == {"x": number, "prediction": number, "y": number}


# class names


@pytest.mark.parametrize(
    ("value", "classes", "name"),
    [
        (1, ("0", "1"), "1"),
        (1.0, ("0", "1"), "1"),
        (True, ("0", "1"), "1"),
        ("1.0", ("0", "1"), "1"),
        ("0.00", ("0", "1"), "0"),
        ("TRUE", ("0", "1"), "1"),
        (0, ("false", "true"), "false"),
        ("1.0", ("false", "true"), "true"),
        ("True", ("false", "true"), "true"),
        (True, ("False", "True"), "True"),
        (2, ("1", "2", "3"), "2"),
        ("late", ("late", "on time"), "late"),
        ("Late", ("late", "on time"), "Late"),
        ("1.0", ("1.0", "2.0"), "1.0"),
        ("2.5", ("0", "1"), "2.5"),
        (1, ("late", "on time"), "1"),
    ],
)
def test_a_label_gets_the_name_that_the_schema_has_for_it(value, classes, name):
    assert as_class(value, classes) == name


values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(string.printable),
)


@modest
@given(values, values)
def test_naming_a_class_again_changes_nothing(value, other):
    classes = (class_name(value), class_name(other))
    name = as_class(value, classes)
    assert name == classes[0]
    assert as_class(name, classes) == name


def levels_of(values):
    return read_values(TableColumns(pa.table({"g": values})), "g", Kind.CATEGORICAL)


@modest
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_a_column_of_floats_has_the_levels_that_its_values_have_one_by_one(floats):
    found = levels_of(pa.array(floats, pa.float64()))
    alone = [levels_of(pa.array([value])) for value in floats]
    assert set(found.levels) == {level for one in alone for level in one.levels}
    assert found.counts.sum() == len(floats)


@pytest.mark.parametrize("value", [1, 1.0, -3.0, 2.5, 3e15, 1e20, True, False, "late"])
def test_a_single_value_is_named_as_a_column_of_it_is(value):
    assert levels_of(pa.array([value])).levels == (class_name(value),)
