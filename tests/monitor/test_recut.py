"""Windows of a reference that are cut again out of its profile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from monitor.adapters.reference_files import open_reference, reference_files, save_reference
from monitor.columns import TableColumns
from monitor.reference import Cut, calibrated, prepare, recut
from monitor.schema import Kind, Schema, Task
from monitor.window import MONDAY, WindowPolicy

SCHEMA = Schema(Task.REGRESSION, {"x": Kind.NUMERIC, "g": Kind.CATEGORICAL}, "y")
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def made(n_days, every, anchor=MONDAY):
    """Make a reference of so many days, 30 rows a day; x wobbles from day to day."""
    rng = np.random.default_rng(n_days)
    n = 30 * n_days
    day = np.repeat(rng.normal(size=n_days), 30)
    columns = TableColumns(
        pa.table({"x": rng.normal(day), "g": rng.choice(["a", "b"], n), "y": rng.normal(size=n)})
    )
    seconds = np.sort(rng.uniform(0, n_days * 86_400, n)).astype("timedelta64[s]")
    at = np.datetime64("2026-01-05", "us") + seconds
    found = prepare(columns, SCHEMA, performance={})
    return calibrated(found, columns, Cut(at, WindowPolicy(every=every, anchor=anchor)))


def assert_same(one, other):
    assert (one.every, one.rows, one.n_windows) == (other.every, other.rows, other.n_windows)
    assert (one.periods, set(one.columns)) == (other.periods, set(other.columns))
    for name, column in one.columns.items():
        for field, value in vars(column).items():
            told = getattr(other.columns[name], field)
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(told, value, rtol=1e-9, err_msg=f"{name}.{field}")
            else:
                assert told == value, (name, field)


@pytest.mark.parametrize(
    ("n_days", "before", "after"),
    [
        (84, WEEK, DAY),
        (84, DAY, WEEK),
        (84, WEEK, 2 * WEEK),
        (12, DAY, timedelta(hours=6)),
        (12, timedelta(hours=1), DAY),
    ],
)
def test_windows_that_are_cut_again_wobble_as_if_they_had_been_cut_so_from_the_rows(
    tmp_path, n_days, before, after
):
    document = save_reference(made(n_days, before), tmp_path)
    assert all((tmp_path / name).exists() for name in reference_files(document))
    kept = open_reference(document, tmp_path)
    again = recut(kept, WindowPolicy(every=after))
    assert_same(again.calibration, made(n_days, after).calibration)
    assert_same(kept.calibration, made(n_days, before).calibration)


def test_an_anchor_within_the_week_is_kept():
    anchor = datetime(2026, 1, 7, tzinfo=UTC)
    again = recut(made(84, DAY), WindowPolicy(every=WEEK, anchor=anchor))
    assert_same(again.calibration, made(84, WEEK, anchor).calibration)


@pytest.mark.parametrize(
    "policy",
    [
        WindowPolicy(rows=100),
        WindowPolicy(every=timedelta(hours=6)),
        WindowPolicy(every=WEEK, anchor=datetime(2026, 1, 5, 6, tzinfo=UTC)),
    ],
)
def test_windows_that_hold_no_whole_days_cannot_be_cut_out_of_days(policy):
    reference = made(84, WEEK)
    assert recut(reference, policy) == replace(reference, is_recut=True)


def test_a_bundle_of_before_profiles_were_kept_keeps_its_calibration(tmp_path):
    document = save_reference(made(84, WEEK), tmp_path)
    del document["stretches"]
    kept = open_reference(document, tmp_path)
    assert recut(kept, WindowPolicy(every=DAY)) == replace(kept, is_recut=True)
