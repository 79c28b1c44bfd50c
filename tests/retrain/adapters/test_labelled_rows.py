"""The rows to learn from, out of a real reference file and a real log."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from monitor.batch import EVENT_AT, LABEL
from monitor.errors import SchemaError
from retrain.adapters.labelled_rows import labelled_reference, read_table

N_REFERENCE, A_WEEK = 1120, 280


@pytest.fixture
def rows(app):
    """Ask for the rows to learn from."""
    world = app.deployment.retrain_world()
    return lambda: world.rows.labelled("late", app.clock.now()).rows


def judge(app):
    return app.deployment.watcher().check("late")


def test_without_a_log_the_rows_are_those_of_the_reference(rows):
    table = rows()
    assert table.num_rows == N_REFERENCE
    assert table.column_names == ["x", "y", "g", "prediction", LABEL, EVENT_AT]
    assert pc.unique(table.column(LABEL)).to_pylist() in (["0", "1"], ["1", "0"])


def test_judged_and_labelled_rows_follow_the_reference_in_time_order(rows, app):
    week = app.live(0)
    judge(app)
    table = rows()
    assert table.num_rows == N_REFERENCE + A_WEEK
    times = table.column(EVENT_AT).to_numpy()
    assert (np.diff(times) >= np.timedelta64(0)).all()
    newest = table.slice(N_REFERENCE)
    np.testing.assert_allclose(newest.column("x").to_numpy(), week["x"])
    assert newest.column(LABEL).to_pylist() == week["late"].astype(str).tolist()
    assert newest.column("prediction").null_count == 0


def test_rows_without_a_label_and_windows_with_few_are_left_out(rows, app):
    app.live(0, labelled=False)
    judge(app)
    assert rows().num_rows == N_REFERENCE
    week = app.live(1, labelled=False)
    app.label(week.head(7), "seven")
    judge(app)
    assert rows().num_rows == N_REFERENCE  # the first labels are no fair sample
    app.label(week.iloc[7:260], "more")
    judge(app)
    assert rows().num_rows == N_REFERENCE + 260


def test_a_window_without_a_verdict_is_left_out(rows, app):
    app.live(0)
    assert rows().num_rows == N_REFERENCE
    judge(app)
    assert rows().num_rows == N_REFERENCE + A_WEEK


def test_incident_windows_are_left_out(rows, app, made_up, week_start):
    app.live(0)
    broken = made_up(1)
    app.clock.set(week_start(2))
    app.predict(broken.drop(columns="late").assign(x=None), "week 1")
    app.label(broken, "labels 1")
    app.live(2)
    assert [one.diagnosis.kind for one in judge(app)] == ["none", "incident", "none"]
    table = rows()
    assert table.num_rows == N_REFERENCE + 2 * A_WEEK
    within = pc.and_(
        pc.greater_equal(table.column(EVENT_AT), pa.scalar(week_start(1))),
        pc.less(table.column(EVENT_AT), pa.scalar(week_start(2))),
    )
    assert not pc.any(within).as_py()


def test_what_is_sealed_is_learned_from_as_well(rows, app):
    app.live(0)
    judge(app)
    before = rows()
    assert app.deployment.log.seal() > 0
    assert rows().equals(before)


def test_a_reference_without_a_clock_lies_long_before_anything_logged(app):
    schema = app.deployment.schema("late")
    timeless = pa.table({"x": [1.0, 2.0], "y": [0.0, 0.0], "g": ["a", "b"], "late": [0, 1]})
    table = labelled_reference(timeless, replace(schema, time=None))
    assert table.column(EVENT_AT).to_numpy().astype("datetime64[D]").astype(str).tolist() == [
        "1970-01-01",
        "1970-01-01",
    ]
    assert table.column(LABEL).to_pylist() == ["0", "1"]


def test_csv_and_parquet_give_the_same_rows(tmp_path, made_up):
    frame = made_up(0)
    frame.to_csv(tmp_path / "r.csv", index=False)
    frame.to_parquet(tmp_path / "r.parquet")
    read = [read_table(tmp_path / f"r.{ending}") for ending in ("csv", "parquet")]
    for name in ("x", "g", "late"):
        assert read[0].column(name).to_pylist() == read[1].column(name).to_pylist()


def test_a_time_column_of_text_is_refused_with_what_to_do(app):
    schema = app.deployment.schema("late")
    table = pa.table({"x": [1.0], "y": [0.0], "g": ["a"], "late": [0], "at": ["2026"]})
    with pytest.raises(SchemaError, match="store it as timestamps"):
        labelled_reference(table, schema)


def test_a_file_that_is_not_there_or_no_table_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="no such file"):
        read_table(tmp_path / "r.parquet")
    (tmp_path / "r.parquet").write_text("no table")
    with pytest.raises(SchemaError, match="neither Parquet nor CSV"):
        read_table(tmp_path / "r.parquet")


def test_an_empty_cell_of_a_csv_reference_is_a_missing_value(tmp_path):
    (tmp_path / "reference.csv").write_text("x,shop\n1,north\n,\n")
    assert read_table(tmp_path / "reference.csv").to_pylist()[1] == {"x": None, "shop": None}


def test_the_row_numbers_that_pandas_keeps_in_a_file_are_no_column(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=[7, 3])
    frame.to_parquet(tmp_path / "rows.parquet")
    assert "__index_level_0__" in pa.parquet.read_schema(tmp_path / "rows.parquet").names
    assert read_table(tmp_path / "rows.parquet").column_names == ["x"]
