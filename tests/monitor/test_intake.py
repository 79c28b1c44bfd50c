"""Rows and labels made to fit a schema: what is kept, what is counted, what is refused."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import intake
from monitor.batch import (
    EVENT_AT,
    EXTRA,
    FUTURE_TOLERANCE,
    LABEL,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    ChangeKind,
    RowKind,
    SchemaChange,
)
from monitor.body import Body, from_rows, read_body
from monitor.errors import BatchRefusedError
from monitor.intake import labels, predictions, refuse_changes
from monitor.reserved import MAX_ID_LENGTH
from monitor.schema import Kind, Schema, Task

modest = settings(max_examples=100, deadline=None, derandomize=True)

NOW = datetime(2013, 7, 1, 12, tzinfo=UTC)
REQUEST = intake.Request("late", "request", "digest", NOW, champion=3)
FEATURES = {"x": Kind.NUMERIC, "g": Kind.CATEGORICAL}
BINARY = Schema(Task.BINARY, FEATURES, "y", classes=("0", "1"))
MULTICLASS = Schema(Task.MULTICLASS, FEATURES, "y", classes=("a", "b", "c"))
REGRESSION = Schema(Task.REGRESSION, FEATURES, "y")
CLOCKED = Schema(Task.BINARY, FEATURES, "y", time="at", id="id", classes=("0", "1"))

ROW = {"x": 1.5, "g": "a", "prediction": 0.5}
AT = "2013-07-01T10:00:00Z"
CLOCKED_ROW = {**ROW, "at": AT, "id": "r1"}


def taken(rows, schema=BINARY, request=REQUEST):
    """Take prediction rows in, as JSON brings them; returns the batches."""
    return predictions(from_rows(rows), schema, request)


def column(batches, name):
    return batches[0].rows.column(name).to_pylist()


def arrow(**columns: object):
    """Make a body as Arrow and Parquet bring it."""
    table = pa.table(columns)
    return Body({name: table.column(name) for name in table.column_names}, table.num_rows)


def refusal(take, *arguments: object):
    with pytest.raises(BatchRefusedError) as refused:
        take(*arguments)
    found = refused.value
    return found.reason, found.row, found.field


# rows as they should be


def test_a_row_that_fits_is_kept_as_it_is():
    (batch,) = taken([CLOCKED_ROW], CLOCKED)
    assert batch.rows.to_pylist() == [
        {
            "x": 1.5,
            "g": "a",
            "prediction": 0.5,
            PREDICTION_ID: "r1",
            EVENT_AT: datetime(2013, 7, 1, 10, tzinfo=UTC),
            RECEIVED_AT: NOW,
            MODEL_VERSION: 3,
            EXTRA: None,
        }
    ]
    assert (batch.kind, batch.changes) == (RowKind.PREDICTION, ())
    assert (batch.model, batch.request_id, batch.digest) == ("late", "request", "digest")


@pytest.mark.parametrize("schema", [BINARY, MULTICLASS, REGRESSION, CLOCKED])
def test_the_log_s_columns_have_the_same_types_whatever_came(schema):
    full, empty = {**CLOCKED_ROW, "prediction": 1}, {"at": AT, "id": "r2"}
    found = [taken(rows, schema)[0].rows.schema for rows in ([full], [empty], [])]
    assert found[0] == found[1] == found[2]


def test_a_body_of_no_rows_is_a_batch_of_none():
    (batch,) = taken([], CLOCKED)
    assert (batch.rows.num_rows, batch.changes) == (0, ())


def test_rows_without_a_clock_happen_when_they_arrive():
    assert column(taken([ROW]), EVENT_AT) == [NOW]


def test_a_predictor_gets_the_fitted_features_and_its_predictions_are_taken():
    seen: list[list[dict[str, object]]] = []

    def predict(features: pa.Table) -> dict[str, pa.Array]:
        seen.append(features.to_pylist())
        return {"prediction": pa.array([0.25, 0.75])}

    rows = [{"x": "1", "g": 7, "prediction": 9}, {"g": None}]
    batches = predictions(from_rows(rows), BINARY, REQUEST, predict)
    assert seen == [[{"x": 1.0, "g": "7"}, {"x": None, "g": None}]]
    assert column(batches, "prediction") == [0.25, 0.75]
    assert column(batches, EXTRA) == [None, None]


@pytest.mark.parametrize(
    ("value", "kind", "fitted"),
    [
        (1, Kind.NUMERIC, 1.0),
        ("1.5", Kind.NUMERIC, 1.5),
        (True, Kind.NUMERIC, 1.0),
        (10**30, Kind.NUMERIC, 1e30),
        (None, Kind.NUMERIC, None),
        ("a", Kind.CATEGORICAL, "a"),
        ("", Kind.CATEGORICAL, ""),
        (1, Kind.CATEGORICAL, "1"),
        (1.0, Kind.CATEGORICAL, "1"),
        (2.5, Kind.CATEGORICAL, "2.5"),
        (True, Kind.CATEGORICAL, "true"),
    ],
)
def test_a_value_of_another_type_that_says_the_same_fits(value, kind, fitted):
    schema = Schema(Task.BINARY, {"v": kind}, "y", classes=("0", "1"))
    batches = taken([{"v": value, "prediction": 0.5}], schema)
    assert column(batches, "v") == [fitted]
    assert batches[0].changes == ()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2], pa.int8()),
        pa.array([1, 2], pa.uint64()),
        pa.array([1.0, 2.0], pa.float32()),
        pa.array([1.0, 2.0]).dictionary_encode(),
        pa.array(["1", "2"]),
        pa.array(["1", "2"], pa.string_view()),
    ],
    ids=lambda values: str(values.type),
)
def test_arrow_types_fit_numbers_and_categories_alike(values):
    schema = Schema(
        Task.BINARY, {"n": Kind.NUMERIC, "c": Kind.CATEGORICAL}, "y", classes=("0", "1")
    )
    batches = predictions(arrow(n=values, c=values, prediction=[0.1, 0.2]), schema, REQUEST)
    assert (column(batches, "n"), column(batches, "c")) == ([1.0, 2.0], ["1", "2"])
    assert batches[0].changes == ()


# missing, extra and retyped columns


def test_a_column_that_did_not_come_is_null_and_counted():
    batches = taken([{"g": "a", "prediction": 0.5}] * 3)
    assert column(batches, "x") == [None] * 3
    assert batches[0].changes == (SchemaChange("x", ChangeKind.MISSING, 3),)


def test_rows_that_lack_a_key_are_counted_and_null_ones_are_not():
    batches = taken([ROW, {"g": "a", "prediction": 0.5}, {**ROW, "x": None}])
    assert column(batches, "x") == [1.5, None, None]
    assert batches[0].changes == (SchemaChange("x", ChangeKind.MISSING, 1),)


def test_a_missing_prediction_is_null_and_counted():
    batches = taken([{"x": 1.0, "g": "a"}])
    assert batches[0].changes == (SchemaChange("prediction", ChangeKind.MISSING, 1),)


def test_an_extra_column_is_kept_raw_and_counted_where_it_came():
    batches = taken([{**ROW, "new": [1, {"a": None}]}, ROW, {**ROW, "new": None}])
    assert column(batches, EXTRA) == ['{"new": [1, {"a": null}]}', None, '{"new": null}']
    assert batches[0].changes == (SchemaChange("new", ChangeKind.EXTRA, 2),)


def test_a_column_of_the_reference_that_has_no_role_may_come_and_is_no_change():
    schema = replace(BINARY, unused=("position",))
    batches = taken([{**ROW, "position": 7, "new": 1}, ROW], schema)
    assert column(batches, EXTRA) == ['{"new": 1}', None]
    assert batches[0].changes == (SchemaChange("new", ChangeKind.EXTRA, 1),)


def test_values_of_another_type_are_kept_raw_and_counted():
    rows = [{**ROW, "x": value} for value in (1.5, "many", [1], None, "2.5")]
    batches = taken(rows)
    assert column(batches, "x") == [1.5, None, None, None, 2.5]
    assert [text and json.loads(text) for text in column(batches, EXTRA)] == [
        None, {"x": "many"}, {"x": [1]}, None, None,
    ]  # fmt: skip
    assert batches[0].changes == (SchemaChange("x", ChangeKind.RETYPED, 2),)


def test_a_category_that_comes_as_an_object_is_kept_raw():
    batches = taken([{**ROW, "g": {"code": "a"}}])
    assert column(batches, "g") == [None]
    assert column(batches, EXTRA) == ['{"g": {"code": "a"}}']


def test_one_row_keeps_everything_of_it_that_did_not_fit():
    batches = taken([{"x": "many", "g": ["a"], "prediction": "?", "new": 1}])
    assert json.loads(column(batches, EXTRA)[0]) == {
        "x": "many", "g": ["a"], "prediction": "?", "new": 1,
    }  # fmt: skip
    assert [(c.column, c.change) for c in batches[0].changes] == [
        ("x", ChangeKind.RETYPED),
        ("g", ChangeKind.RETYPED),
        ("prediction", ChangeKind.RETYPED),
        ("new", ChangeKind.EXTRA),
    ]


def test_extra_columns_are_named_in_the_order_in_which_they_came():
    names = [f"extra {number}" for number in range(20)]
    batches = taken([{**ROW, **dict.fromkeys(names, 1)}])
    assert [change.column for change in batches[0].changes] == names


def test_an_arrow_column_of_another_type_is_kept_raw():
    at = datetime(2013, 7, 1, tzinfo=UTC)
    body = arrow(x=pa.array([at]), g=pa.array([{"code": 1}]), prediction=[0.5], b=[b"\xff"])
    batches = predictions(body, BINARY, REQUEST)
    kept = json.loads(column(batches, EXTRA)[0])
    assert kept.keys() == {"x", "g", "b"}
    assert (kept["x"], kept["g"]) == (str(at), {"code": 1})


def test_a_time_that_python_does_not_know_is_kept_as_a_number():
    far = pa.array([2**62], pa.timestamp("us"))
    batches = predictions(arrow(x=[1.0], g=["a"], prediction=[0.5], far=far), BINARY, REQUEST)
    assert column(batches, EXTRA) == [json.dumps({"far": 2**62})]


def test_half_a_character_is_no_text_and_is_kept_raw():
    body = read_body(rb'[{"x": 1, "g": "\ud83d", "prediction": 0.5}]', "application/json")
    batches = predictions(body, BINARY, REQUEST)
    assert column(batches, "g") == [None]
    assert column(batches, EXTRA) == [r'{"g": "\ud83d"}']
    assert batches[0].changes == (SchemaChange("g", ChangeKind.RETYPED, 1),)


def test_changes_are_refused_where_the_configuration_says_so():
    refuse_changes(taken([ROW]))
    batches = taken([{**ROW, "x": "many"}, {**ROW, "new": 1}])
    with pytest.raises(BatchRefusedError) as refused:
        refuse_changes(batches)
    assert (refused.value.reason, refused.value.field) == ("schema", "x")
    assert str(refused.value) == (
        "field 'x': the column is retyped in 1 rows, and on_schema_change is refuse"
    )


# times


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2013-07-01T10:00:00Z", 10),
        ("2013-07-01 10:00", 10),
        ("2013-07-01T10:00:00.000000+02:00", 8),
        ("20130701T100000Z", 10),
        ("2013-07-01", 0),
    ],
)
def test_iso_times_are_taken_as_utc_unless_they_say_otherwise(text, hour):
    batches = taken([{**CLOCKED_ROW, "at": text}], CLOCKED)
    assert column(batches, EVENT_AT) == [datetime(2013, 7, 1, hour, tzinfo=UTC)]


@pytest.mark.parametrize(
    "dtype",
    [
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.timestamp("us", "UTC"),
        pa.timestamp("ms", "America/New_York"),
    ],
    ids=str,
)
def test_arrow_timestamps_are_instants_of_any_unit_and_zone(dtype):
    at = datetime(2013, 7, 1, 10, tzinfo=UTC)
    times = pa.array([at if dtype.tz else at.replace(tzinfo=None)], dtype)
    body = arrow(x=[1.0], g=["a"], prediction=[0.5], id=["r1"], at=times)
    assert column(predictions(body, CLOCKED, REQUEST), EVENT_AT) == [at]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "soon",
        "now",
        "today",
        "2013-13-01",
        "01/07/2013",
        "1372672800",
        1372672800,
        True,
        [AT],
    ],
)
def test_what_is_no_iso_time_is_refused_by_row_and_field(bad):
    rows = [CLOCKED_ROW, {**CLOCKED_ROW, "at": bad}, {**CLOCKED_ROW, "at": None}]
    assert refusal(taken, rows, CLOCKED) == ("bad_time", 1, "at")


def test_the_message_of_a_bad_time_says_what_was_found_and_what_was_expected():
    with pytest.raises(BatchRefusedError) as refused:
        taken([{**CLOCKED_ROW, "at": "soon"}], CLOCKED)
    assert str(refused.value) == (
        "row 0, field 'at': a time is needed: ISO 8601, as 2013-07-01T15:00:00Z; found 'soon'"
    )


@pytest.mark.parametrize("rows", [[ROW | {"id": "r1"}], [CLOCKED_ROW, ROW | {"id": "r2"}]])
def test_a_row_without_its_time_is_refused(rows):
    with pytest.raises(BatchRefusedError, match="found nothing") as refused:
        taken(rows, CLOCKED)
    assert (refused.value.reason, refused.value.row) == ("bad_time", len(rows) - 1)


@pytest.mark.parametrize("years", [-200_000, 200_000])
def test_an_arrow_time_beyond_the_calendar_is_refused(years):
    times = pa.array([years * 31_556_952], pa.timestamp("s")).cast(pa.timestamp("us"))
    body = arrow(x=[1.0], g=["a"], prediction=[0.5], id=["r1"], at=times)
    assert refusal(predictions, body, CLOCKED, REQUEST) == ("bad_time", 0, "at")


def test_a_time_may_lie_ahead_as_far_as_clocks_differ_and_no_further():
    edge = NOW + FUTURE_TOLERANCE
    assert column(taken([{**CLOCKED_ROW, "at": edge.isoformat()}], CLOCKED), EVENT_AT) == [edge]
    beyond = (edge + timedelta(microseconds=1)).isoformat()
    rows = [CLOCKED_ROW, {**CLOCKED_ROW, "at": beyond}]
    assert refusal(taken, rows, CLOCKED) == ("bad_time", 1, "at")


@modest
@given(
    st.timedeltas(timedelta(0), timedelta(days=9000)).map(lambda ago: NOW - ago),
    st.integers(-14 * 4, 14 * 4).map(lambda n: timezone(timedelta(minutes=15 * n))),
)
def test_every_iso_time_is_the_instant_it_names(instant, zone):
    at = instant.astimezone(zone)
    assert column(taken([{**CLOCKED_ROW, "at": at.isoformat()}], CLOCKED), EVENT_AT) == [at]


# ids


def test_generated_ids_are_the_same_when_the_request_is_repeated():
    first, again = (column(taken([ROW] * 3), PREDICTION_ID) for _ in range(2))
    assert first == again == ["request-0", "request-1", "request-2"]
    other = intake.Request("late", "another", "digest", NOW, champion=3)
    assert not set(column(taken([ROW] * 3, BINARY, other), PREDICTION_ID)) & set(first)


@pytest.mark.parametrize(
    ("schema", "name"), [(BINARY, "prediction_id"), (CLOCKED, "id"), (CLOCKED, "prediction_id")]
)
@pytest.mark.parametrize(
    ("value", "name_of_it"), [("r1", "r1"), (7, "7"), (7.0, "7"), ("007", "007")]
)
def test_a_given_id_is_kept_under_either_name(schema, name, value, name_of_it):
    batches = taken([{**ROW, "at": AT, name: value}], schema)
    assert column(batches, PREDICTION_ID) == [name_of_it]
    assert not [c for c in batches[0].changes if c.column == name]


@pytest.mark.parametrize(
    "bad", [None, "", [], {"a": 1}, math.nan, "x" * (MAX_ID_LENGTH + 1), "\ud83d"]
)
def test_what_cannot_be_an_id_is_refused_by_row_and_field(bad):
    rows = [CLOCKED_ROW, {**CLOCKED_ROW, "id": bad}]
    assert refusal(taken, rows, CLOCKED) == ("bad_id", 1, "id")
    body = from_rows([{"id": "r1", "y": 1}, {"id": bad, "y": 1}])
    assert refusal(labels, body, CLOCKED, REQUEST) == ("bad_id", 1, "id")


def test_an_id_may_be_as_long_as_the_limit():
    longest = "x" * MAX_ID_LENGTH
    assert column(taken([{**CLOCKED_ROW, "id": longest}], CLOCKED), PREDICTION_ID) == [longest]


@pytest.mark.parametrize("rows", [[ROW], [ROW | {"id": "r1"}, ROW]])
def test_a_row_without_its_id_is_refused(rows):
    clockless = Schema(Task.BINARY, FEATURES, "y", id="id", classes=("0", "1"))
    assert refusal(taken, rows, clockless) == ("bad_id", len(rows) - 1, "id")


# versions


@pytest.mark.parametrize(("given_version", "version"), [(2, 2), ("2", 2), (2.0, 2), (None, 3)])
def test_a_row_may_say_which_version_predicted_it(given_version, version):
    batches = taken([{**ROW, "model_version": given_version}, ROW])
    assert column(batches, MODEL_VERSION) == [version, 3]
    assert batches[0].changes == ()


@pytest.mark.parametrize("odd", ["v2", 1.5, 0, -1, 2**70, math.inf, [2]])
def test_what_is_no_version_counts_as_the_champion_s_and_is_kept_raw(odd):
    batches = taken([{**ROW, "model_version": odd}])
    assert column(batches, MODEL_VERSION) == [3]
    assert json.loads(column(batches, EXTRA)[0]) == {"model_version": odd}
    assert batches[0].changes == (SchemaChange("model_version", ChangeKind.RETYPED, 1),)


def test_versions_in_csv_are_read_as_numbers():
    body = read_body(b"x,g,prediction,model_version\n1,a,0.5,2\n2,b,0.5,\n", "text/csv")
    assert column(predictions(body, BINARY, REQUEST), MODEL_VERSION) == [2, 3]


# predictions


@pytest.mark.parametrize(
    ("classes", "predicted", "probability"),
    [
        (("0", "1"), 0.25, 0.25),
        (("0", "1"), 1, 1.0),
        (("0", "1"), "1", 1.0),
        (("0", "1"), True, 1.0),
        (("0", "1"), "0.25", 0.25),
        (("false", "true"), True, 1.0),
        (("false", "true"), "False", 0.0),
        (("no", "yes"), "yes", 1.0),
        (("no", "yes"), "no", 0.0),
        (("no", "yes"), None, None),
    ],
)
def test_the_class_that_a_binary_model_predicts_becomes_a_probability(
    classes, predicted, probability
):
    schema = Schema(Task.BINARY, FEATURES, "y", classes=classes)
    batches = taken([{**ROW, "prediction": predicted}], schema)
    assert column(batches, "prediction") == [probability]
    assert batches[0].changes == ()


@pytest.mark.parametrize(
    "predicted",
    [pa.array(["no", "yes"]), pa.array(["no", "yes"]).dictionary_encode(), pa.array([False, True])],
)
def test_predicted_classes_become_probabilities_in_arrow_too(predicted):
    classes = ("false", "true") if pa.types.is_boolean(predicted.type) else ("no", "yes")
    schema = Schema(Task.BINARY, FEATURES, "y", classes=classes)
    body = arrow(x=[1.0, 2.0], g=["a", "b"], prediction=predicted)
    assert column(predictions(body, schema, REQUEST), "prediction") == [0.0, 1.0]


def test_a_predicted_class_that_the_model_does_not_have_is_retyped():
    schema = Schema(Task.BINARY, FEATURES, "y", classes=("no", "yes"))
    batches = taken([{**ROW, "prediction": "perhaps"}], schema)
    assert column(batches, "prediction") == [None]
    assert batches[0].changes == (SchemaChange("prediction", ChangeKind.RETYPED, 1),)


def test_a_multiclass_prediction_stays_a_class():
    assert column(taken([{**ROW, "prediction": "c"}], MULTICLASS), "prediction") == ["c"]


# labels


def test_targets_inside_prediction_rows_become_labels_of_their_rows():
    rows = [{**ROW, "y": 1}, ROW, {**ROW, "y": None}, {**ROW, "y": False}]
    first, second = taken(rows)
    assert (first.kind, second.kind) == (RowKind.PREDICTION, RowKind.LABEL)
    assert "y" not in first.rows.column_names
    assert second.rows.to_pylist() == [
        {PREDICTION_ID: "request-0", LABEL: "1", EVENT_AT: NOW, RECEIVED_AT: NOW},
        {PREDICTION_ID: "request-3", LABEL: "0", EVENT_AT: NOW, RECEIVED_AT: NOW},
    ]
    assert (second.request_id, second.digest) == (first.request_id, first.digest)


@pytest.mark.parametrize("schema", [BINARY, REGRESSION])
def test_a_target_that_is_nan_has_not_come(schema):
    assert len(taken([{**ROW, "y": math.nan}], schema)) == 1
    body = arrow(x=[1.0, 2.0], g=["a", "b"], prediction=[0.5, 0.5], y=np.array([math.nan, 1.0]))
    _, found = predictions(body, schema, REQUEST)
    assert found.rows.column(PREDICTION_ID).to_pylist() == ["request-1"]


def test_whole_numbers_written_with_decimals_in_csv_are_the_classes_they_were():
    body = read_body(b"x,g,prediction,y\n1,a,0.5,1.0\n2,b,0.5,\n3,c,0.5,0.0\n", "text/csv")
    _, found = predictions(body, BINARY, REQUEST)
    assert found.rows.column(LABEL).to_pylist() == ["1", "0"]


@pytest.mark.parametrize("row", [{"y": 1}, {"label": 1}])
@pytest.mark.parametrize(
    ("name", "schema"), [("id", CLOCKED), ("prediction_id", CLOCKED), ("prediction_id", BINARY)]
)
def test_labels_come_under_the_schema_s_names_or_plain_ones(row, name, schema):
    batch = labels(from_rows([{name: 7, **row}]), schema, REQUEST)
    assert batch.kind is RowKind.LABEL
    assert batch.rows.to_pylist() == [
        {PREDICTION_ID: "7", LABEL: "1", EVENT_AT: NOW, RECEIVED_AT: NOW}
    ]


@pytest.mark.parametrize(
    ("schema", "value", "label"),
    [
        (BINARY, True, "1"),
        (BINARY, 0.0, "0"),
        (MULTICLASS, "c", "c"),
        (MULTICLASS, "new", "new"),
        (REGRESSION, 3, 3.0),
        (REGRESSION, "2.5", 2.5),
    ],
)
def test_a_label_is_the_class_s_name_or_a_number(schema, value, label):
    batch = labels(from_rows([{"prediction_id": "r1", "y": value}]), schema, REQUEST)
    assert batch.rows.column(LABEL).to_pylist() == [label]
    assert batch.rows.schema.field(LABEL).type == (
        pa.float64() if schema is REGRESSION else pa.string()
    )


@pytest.mark.parametrize(
    ("schema", "bad"),
    [
        (BINARY, None), (BINARY, math.nan), (BINARY, [1]), (BINARY, {}), (BINARY, "\ud83d"),
        (REGRESSION, None), (REGRESSION, math.nan), (REGRESSION, math.inf), (REGRESSION, "much"),
        (REGRESSION, [1]),
    ],
)  # fmt: skip
def test_what_cannot_be_a_label_is_refused_by_row_and_field(schema, bad):
    rows = [{"prediction_id": "r1", "label": 1}, {"prediction_id": "r2", "label": bad}]
    assert refusal(labels, from_rows(rows), schema, REQUEST) == ("bad_label", 1, "label")


def test_a_bad_target_inside_prediction_rows_is_refused_by_its_row_in_the_body():
    rows = [ROW, {**ROW, "y": None}, {**ROW, "y": 1.5}, {**ROW, "y": "much"}]
    assert refusal(taken, rows, REGRESSION) == ("bad_label", 3, "y")
    with pytest.raises(BatchRefusedError, match="a label must be a number, not 'much'"):
        taken(rows, REGRESSION)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"y": 1}, "field 'id': the column is missing; send it as 'id' or 'prediction_id'"),
        ({"id": 1}, "field 'y': the column is missing; send it as 'y' or 'label'"),
    ],
)
def test_a_label_body_without_ids_or_labels_is_refused_with_the_names_to_use(row, expected):
    with pytest.raises(BatchRefusedError) as refused:
        labels(from_rows([row]), CLOCKED, REQUEST)
    assert str(refused.value) == expected


# whatever comes

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=6)
)
anything = st.one_of(
    scalars, st.lists(scalars, max_size=2), st.dictionaries(st.text(), scalars, max_size=2)
)
fields = st.sampled_from(["x", "g", "prediction", "y", "id", "at", "model_version", "new", "other"])


@modest
@given(
    st.lists(st.dictionaries(fields, anything, max_size=8), max_size=4),
    st.sampled_from([BINARY, MULTICLASS, REGRESSION]),
)
def test_nothing_of_what_came_is_lost_and_nothing_but_a_bad_value_refuses_it(rows, schema):
    try:
        batches = taken(rows, schema)
    except BatchRefusedError as refused:
        where = refused.reason, refused.field
    else:
        where = None
        logged = batches[0].rows.to_pylist()
        assert len(logged) == len(rows)
        for row, kept in zip(rows, logged, strict=True):
            raw = json.loads(kept[EXTRA] or "{}")
            for name in ("x", "g", "prediction"):
                came = row.get(name) is not None
                assert came == (kept[name] is not None or name in raw)
            assert row.keys() & {"id", "at", "new", "other"} <= raw.keys()
        counted = {(c.column, c.change): c.n_rows for c in batches[0].changes}
        n_missing = sum("x" not in row for row in rows)
        assert counted.get(("x", ChangeKind.MISSING), 0) == n_missing
    assert where in (None, ("bad_label", "y"))
