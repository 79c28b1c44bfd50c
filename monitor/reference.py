"""Reference: the training-time rows, prepared once so that each comparison is cheap."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from monitor.columns import Columns, FloatArray, IntArray, finite, level_counts, numbers
from monitor.schema import Kind, Schema

OUTER_QUANTILES = (0.001, 0.999)
"""A numeric column's range. Never the minimum and maximum: one bad row would widen it for good."""


@dataclass(frozen=True)
class NumericReference:
    """A numeric column of the reference.

    Parameters
    ----------
    values : ndarray, shape (n_values,), sorted ascending
        The finite values; null, NaN and ±inf are left out, as Evidently does.
    n_rows : int
        Rows, the missing ones included.
    n_null : int
        Missing rows (null or NaN).
    std : float
        Standard deviation of `values`, ddof 0; NaN when there are none.
    low, high : float
        The .1 % and 99.9 % quantiles of `values`; NaN when there are none.
    """

    values: FloatArray
    n_rows: int
    n_null: int
    std: float
    low: float
    high: float
    kind: Kind = field(default=Kind.NUMERIC, init=False)


@dataclass(frozen=True)
class CategoricalReference:
    """A categorical column of the reference.

    Parameters
    ----------
    levels : tuple of str, sorted
        The levels as text.
    counts : ndarray, shape (n_levels,)
        Rows of each level.
    n_rows : int
        Rows, the missing ones included.
    n_null : int
        Missing rows.
    """

    levels: tuple[str, ...]
    counts: IntArray
    n_rows: int
    n_null: int
    kind: Kind = field(default=Kind.CATEGORICAL, init=False)


ColumnReference = NumericReference | CategoricalReference


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its sampling error.

    Parameters
    ----------
    value : float
        The metric.
    standard_error : float
        One standard error, in the metric's unit.
    n : int
        Labelled rows it rests on.
    """

    value: float
    standard_error: float
    n: int


@dataclass(frozen=True)
class Reference:
    """What a model's windows are compared with.

    Parameters
    ----------
    schema : Schema
        The columns.
    columns : mapping of str to ColumnReference
        Every column of the schema that the reference has.
    performance : mapping of str to Estimate
        The metrics on rows the model was not fitted on.
    n_rows : int
        Rows of the reference.
    start, end : datetime or None
        Event time of the first and the last row; None without a clock.
    """

    schema: Schema
    columns: Mapping[str, ColumnReference]
    performance: Mapping[str, Estimate]
    n_rows: int
    start: datetime | None = None
    end: datetime | None = None


def prepare(
    columns: Columns,
    schema: Schema,
    *,
    performance: Mapping[str, Estimate],
    start: datetime | None = None,
    end: datetime | None = None,
) -> Reference:
    """Prepare reference rows for comparison, one column at a time.

    Parameters
    ----------
    columns : Columns, n_rows rows
        The reference rows; columns that the schema names and the rows lack are left out.
    schema : Schema
        The columns to prepare.
    performance : mapping of str to Estimate
        What the model reaches on rows it was not fitted on.
    start, end : datetime or None
        Event time of the first and the last row.
    """
    names = set(columns.names)
    prepared = {
        name: prepare_column(columns, name, kind)
        for name, kind in schema.kinds().items()
        if name in names
    }
    return Reference(schema, prepared, performance, columns.n_rows, start, end)


def prepare_column(columns: Columns, name: str, kind: Kind) -> ColumnReference:
    """Prepare one column."""
    column = columns.column(name)
    if kind is Kind.CATEGORICAL:
        counts = level_counts(column)
        n_rows = len(column)
        return CategoricalReference(
            levels=tuple(counts),
            counts=np.fromiter(counts.values(), dtype=np.int64, count=len(counts)),
            n_rows=n_rows,
            n_null=n_rows - sum(counts.values()),
        )
    rows = numbers(column)
    values = np.sort(finite(rows))
    low, high = np.quantile(values, OUTER_QUANTILES) if values.size else (np.nan, np.nan)
    return NumericReference(
        values=values,
        n_rows=rows.size,
        n_null=int(np.isnan(rows).sum()),
        std=float(values.std()) if values.size else np.nan,
        low=float(low),
        high=float(high),
    )
