"""Past: a history of labelled rows, cut into the steps in which it would have come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.errors import SchemaError
from monitor.schema import Schema
from monitor.window import WindowPolicy

NO_CLOCK_START = datetime(2000, 1, 3, tzinfo=UTC)
NO_CLOCK_STEP = timedelta(days=1)
"""Rows without a clock are given one: a day a window."""


@dataclass(frozen=True)
class Step:
    """One window of the history.

    Parameters
    ----------
    end : datetime
        When its rows have all come.
    rows : pyarrow.Table, shape (n_rows, n_columns)
        The rows, labels included.
    """

    end: datetime
    rows: pa.Table


@dataclass(frozen=True)
class Past:
    """A history.

    Parameters
    ----------
    begins_at : datetime
        When the first row comes.
    steps : sequence of Step
        Oldest first.
    notes : tuple of str
        What was left out, and why.
    """

    begins_at: datetime
    steps: Sequence[Step]
    notes: tuple[str, ...]


def cut(table: pa.Table, reference: pa.Table, schema: Schema, policy: WindowPolicy) -> Past:
    """Cut a history into windows, leaving out what the reference knows already.

    Parameters
    ----------
    table : pyarrow.Table, shape (n_rows, n_columns)
        The history, in any order where there is a time column, else in the order of the rows.
    reference : pyarrow.Table
        The reference rows; those of the history that are not later are skipped.
    schema : Schema
        The columns; the target is among them.
    policy : WindowPolicy
        How windows are cut.

    Raises
    ------
    SchemaError
        If the history has no target or time column, or no row after the reference.
    """
    for name in (schema.target, schema.time):
        if name is not None and name not in table.column_names:
            raise SchemaError(f"the history has no column {name!r}")
    if schema.time is None:
        return Past(NO_CLOCK_START, tuple(_by_count(table, policy)), ())
    times, end = _times(table, schema.time), int(_times(reference, schema.time).max())
    order = np.argsort(times, kind="stable")
    after = order[times[order] > end]
    if not after.size:
        raise SchemaError(f"no row of the history is later than the reference, {_instant(end)}")
    n_skipped = order.size - after.size
    notes = (f"{n_skipped:,} rows up to the reference's end are skipped",) if n_skipped else ()
    kept, times = table.take(pa.array(after)), times[after]
    cut_up = _by_time if policy.every else _by_count_and_clock
    return Past(_instant(times[0]), tuple(cut_up(kept, times, policy)), notes)


def _by_time(rows: pa.Table, times: np.ndarray, policy: WindowPolicy) -> Iterator[Step]:
    assert policy.every is not None
    every = policy.every // timedelta(microseconds=1)
    anchor = _micros(policy.anchor)
    numbers = (times - anchor) // every
    for number in range(int(numbers[0]), int(numbers[-1]) + 1):
        first, end = np.searchsorted(numbers, [number, number + 1])
        yield Step(_instant(anchor + (number + 1) * every), rows.slice(first, end - first))


def _by_count_and_clock(rows: pa.Table, times: np.ndarray, policy: WindowPolicy) -> Iterator[Step]:
    assert policy.rows is not None
    for start in range(0, rows.num_rows - policy.rows + 1, policy.rows):
        last = int(times[start + policy.rows - 1])
        yield Step(_instant(last + 1), rows.slice(start, policy.rows))


def _by_count(rows: pa.Table, policy: WindowPolicy) -> Iterator[Step]:
    n_rows = policy.rows
    if n_rows is None:
        raise SchemaError("without a time column windows are cut by count: set window: {rows: 500}")
    for number in range(rows.num_rows // n_rows):
        end = NO_CLOCK_START + (number + 1) * NO_CLOCK_STEP
        yield Step(end, rows.slice(number * n_rows, n_rows))


def _times(table: pa.Table, name: str) -> np.ndarray:
    """Return event times in microseconds of Unix time, shape (n_rows,)."""
    column = table.column(name)
    try:
        times = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
    except pa.ArrowException as error:
        raise SchemaError(f"column {name!r} of the history holds no times: {error}") from error
    if times.null_count:
        raise SchemaError(f"column {name!r} of the history lacks {times.null_count} times")
    return np.asarray(times)


def _micros(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))
