"""A history, cut into the steps in which it would have come."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from leeway.backtest.past import cut
from monitor.errors import SchemaError
from monitor.schema import Kind, Schema, Task
from monitor.window import WindowPolicy

DAY = timedelta(days=1)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
TIMED = Schema(Task.REGRESSION, {"x": Kind.NUMERIC}, "y", time="at")
UNTIMED = Schema(Task.REGRESSION, {"x": Kind.NUMERIC}, "y")
DAILY = WindowPolicy(every=DAY)


def rows(*days: float):
    """One row at each of some days after the Monday, `x` counting them."""
    times = [MONDAY + day * DAY for day in days]
    return pa.table(
        {"at": times, "x": [float(i) for i in range(len(days))], "y": [0.0] * len(days)}
    )


def shape(past):
    return [(step.end - MONDAY, step.rows.column("x").to_pylist()) for step in past.steps]


def test_time_windows_end_where_the_policy_aligns_them_whatever_the_order_of_the_rows():
    past = cut(rows(2.5, 1.1, 1.9), rows(0.5), TIMED, DAILY)
    assert shape(past) == [(2 * DAY, [1.0, 2.0]), (3 * DAY, [0.0])]
    assert past.begins_at == MONDAY + 1.1 * DAY


def test_a_stretch_without_rows_is_a_step_without_rows():
    assert shape(cut(rows(1.5, 3.5), rows(0.5), TIMED, DAILY)) == [
        (2 * DAY, [0.0]),
        (3 * DAY, []),
        (4 * DAY, [1.0]),
    ]


def test_rows_up_to_the_reference_s_end_are_skipped_with_a_note():
    past = cut(rows(0.2, 0.5, 1.5), rows(0.1, 0.5), TIMED, DAILY)
    assert shape(past) == [(2 * DAY, [2.0])]
    assert past.notes == ("2 rows up to the reference's end are skipped",)


def test_rows_are_counted_off_where_windows_are_cut_by_count():
    for schema in (TIMED, UNTIMED):
        past = cut(rows(1, 2, 3, 4, 5), rows(0), schema, WindowPolicy(rows=2))
        assert [numbers for _, numbers in shape(past)] == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    ("history", "schema", "policy", "hint"),
    [
        (rows(0.1), TIMED, DAILY, "no row of the history is later than the reference"),
        (rows(1.0).drop_columns("y"), TIMED, DAILY, "no column 'y'"),
        (rows(1.0).drop_columns("at"), TIMED, DAILY, "no column 'at'"),
        (rows(1.0), UNTIMED, DAILY, "windows are cut by count"),
        (rows(1.0).set_column(0, "at", pa.array(["soon"])), TIMED, DAILY, "holds no times"),
        (rows(1.0).set_column(0, "at", pa.nulls(1, pa.timestamp("us"))), TIMED, DAILY, "lacks 1"),
    ],
)
def test_a_history_that_cannot_be_replayed_is_refused_with_what_is_wrong(
    history, schema, policy, hint
):
    with pytest.raises(SchemaError, match=hint):
        cut(history, rows(0.5), schema, policy)
