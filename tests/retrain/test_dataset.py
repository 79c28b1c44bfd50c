"""Tables become rows to learn from: typed alike, in the order of time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitor.batch import EVENT_AT
from monitor.errors import SchemaError
from monitor.schema import Kind, Schema, Task
from retrain.dataset import (
    Dataset,
    conform,
    from_table,
    newest,
    sample,
    split,
    take,
)

SCHEMA = Schema(
    Task.BINARY,
    {"price": Kind.NUMERIC, "shop": Kind.CATEGORICAL},
    target="sold",
    time="at",
    classes=("0", "1"),
)
DAY = datetime(2026, 3, 1, tzinfo=UTC)


def table(**columns: object):
    n_rows = len(next(iter(columns.values())))
    defaults = {
        "price": [float(row) for row in range(n_rows)],
        "shop": ["north"] * n_rows,
        "sold": [0, 1] * (n_rows // 2) + [0] * (n_rows % 2),
        "at": [DAY + timedelta(hours=row) for row in range(n_rows)],
    }
    return pa.table({**defaults, **columns})


def hourly(n_rows):
    times = np.datetime64("2026-03-01", "us") + np.arange(n_rows) * np.timedelta64(1, "h")
    return Dataset(pd.DataFrame({"price": np.arange(n_rows) * 1.0}), np.arange(n_rows) % 2, times)


def test_rows_come_in_the_order_of_time_and_equal_times_in_the_order_given():
    times = [DAY + timedelta(hours=hour) for hour in (2, 1, 1, 0)]
    dataset = from_table(table(at=times, price=[1, 2, 3, 4]), SCHEMA, "sold")
    assert dataset.features["price"].tolist() == [4, 2, 3, 1]
    assert (np.diff(dataset.event_at) >= np.timedelta64(0)).all()


def test_the_logs_event_time_goes_before_the_schemas_time():
    rows = table(price=[1, 2]).append_column(EVENT_AT, [[DAY, DAY - timedelta(days=1)]])
    assert from_table(rows, SCHEMA, "sold").features["price"].tolist() == [2, 1]


def test_times_of_any_zone_and_unit_become_utc_microseconds():
    zoned = pa.array([DAY, DAY + timedelta(hours=1)], pa.timestamp("ns", "America/New_York"))
    dataset = from_table(table(at=zoned), SCHEMA, "sold")
    assert dataset.event_at.dtype == "datetime64[us]"
    assert dataset.event_at[0] == np.datetime64("2026-03-01T00:00")


def test_a_row_without_a_time_is_left_out():
    dataset = from_table(table(at=[DAY, None, DAY]), SCHEMA, "sold")
    assert dataset.features["price"].tolist() == [0, 2]


def test_a_time_column_that_holds_no_times_is_refused_by_name():
    with pytest.raises(SchemaError, match="'at' holds no times"):
        from_table(table(at=[1, 2]), SCHEMA, "sold")


def test_without_a_clock_rows_keep_their_order():
    dataset = from_table(table(price=[3, 1, 2]).drop(["at"]), SCHEMA, "sold")
    assert dataset.features["price"].tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    "labels", [[1, None, 0], [1.0, None, 0.0], [True, None, False], ["1", None, "0"]]
)
def test_labels_of_any_type_become_class_names_and_rows_without_one_go(labels):
    dataset = from_table(table(sold=labels), SCHEMA, "sold")
    assert dataset.target.tolist() == ["1", "0"]
    assert dataset.features["price"].tolist() == [0, 2]


def test_labels_in_a_dictionary_column_become_class_names():
    labels = pa.array(["1", "0"]).dictionary_encode()
    assert from_table(table(sold=labels), SCHEMA, "sold").target.tolist() == ["1", "0"]


def test_regression_labels_become_finite_floats():
    schema = Schema(Task.REGRESSION, SCHEMA.features, "sold", time="at")
    dataset = from_table(table(sold=[1.5, float("nan"), float("inf"), 2.0]), schema, "sold")
    assert dataset.target.tolist() == [1.5, 2.0]


def test_rows_without_the_label_column_are_refused():
    with pytest.raises(SchemaError, match="no label column '_label'"):
        from_table(table(price=[1]), SCHEMA, "_label")


def test_numbers_are_float64_with_nan_for_whatever_is_none():
    found = conform(table(price=[1, None, float("inf"), float("nan")]), SCHEMA)["price"]
    assert found.dtype == np.float64
    assert found.isna().tolist() == [False, True, True, True]


def test_numbers_beyond_float32_are_brought_into_it():
    found = conform(table(price=[1e300, -1e300]), SCHEMA)["price"]
    assert np.isfinite(found.to_numpy().astype(np.float32)).all()


def test_levels_are_texts_in_object_columns_with_none():
    found = conform(table(shop=[1.0, None, 2.0]), SCHEMA)["shop"]
    assert found.dtype == object
    assert found.tolist() == ["1", None, "2"]


def test_a_column_that_is_not_there_is_missing_in_every_row():
    found = conform(pa.table({"other": [1, 2]}), SCHEMA)
    assert list(found.columns) == ["price", "shop"]
    assert found.isna().all(axis=None)


def test_a_column_of_nulls_without_type_is_missing_in_every_row():
    found = conform(table(price=pa.nulls(2), shop=pa.nulls(2)), SCHEMA)
    assert found.dtypes.tolist() == [np.float64, object]
    assert found.isna().all(axis=None)


def test_a_numeric_feature_of_words_is_refused_by_name():
    with pytest.raises(SchemaError, match="'price' is not numeric"):
        conform(table(price=["cheap"]), SCHEMA)


def test_rows_are_taken_by_mask_and_by_range():
    dataset = hourly(4)
    by_mask = take(dataset, np.array([True, False, False, True]))
    assert by_mask.features["price"].tolist() == [0, 3]
    assert by_mask.features.index.tolist() == [0, 1]
    assert take(dataset, slice(1, 3)).features["price"].tolist() == [1, 2]


def test_a_sample_keeps_the_order_of_time_and_repeats_with_its_seed():
    dataset = hourly(100)
    once, again, other = (sample(dataset, 10, seed) for seed in (1, 1, 2))
    assert len(once) == 10
    assert (np.diff(once.event_at) > np.timedelta64(0)).all()
    assert (once.event_at == again.event_at).all()
    assert (once.event_at != other.event_at).any()


def test_a_sample_of_more_rows_than_there_are_is_all_of_them():
    dataset = hourly(5)
    assert sample(dataset, 10, 0) is dataset


@pytest.mark.parametrize(
    ("n_windows", "window", "n_rows"),
    [(2, timedelta(hours=6), 12), (2, 5, 10), (9, 50, 24), (None, 5, 24)],
)
def test_the_newest_windows_are_counted_back_from_the_last_row(n_windows, window, n_rows):
    found = newest(hourly(24), n_windows, window)
    assert len(found) == n_rows
    assert found.event_at[-1] == hourly(24).event_at[-1]


def test_folds_expand_and_never_look_ahead():
    folds = split(hourly(40), 3, timedelta(hours=4))
    assert [(fold.start, fold.end) for fold in folds] == [(28, 32), (32, 36), (36, 40)]


def test_the_newest_windows_are_scored_where_they_have_rows_enough():
    folds = split(hourly(6000), 4, timedelta(hours=300))
    assert [(fold.start, fold.end) for fold in folds] == [
        (start, start + 300) for start in (4800, 5100, 5400, 5700)
    ]


def test_a_fold_does_not_tear_one_event_time_apart():
    dataset = hourly(12)
    times = dataset.event_at.copy()
    times[7:10] = times[7]
    folds = split(Dataset(dataset.features, dataset.target, times), 3, 1)
    assert folds[0].start == 7


@pytest.mark.parametrize("n_rows", [0, 1, 2])
def test_too_few_rows_give_fewer_folds(n_rows):
    assert len(split(hourly(n_rows), 3, 1)) <= max(0, n_rows - 1)
