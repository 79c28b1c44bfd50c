"""Dataset: labelled rows to learn from, in the order of time."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import EVENT_AT
from monitor.checks.performance import class_names
from monitor.columns import FloatArray, IntArray, numbers, texts
from monitor.errors import SchemaError
from monitor.schema import Kind, Schema, Task

BoolArray = npt.NDArray[np.bool_]
TimeArray = npt.NDArray[np.datetime64]
TargetArray = npt.NDArray[np.generic]

MAX_SCORED_SHARE = 0.3
"""Largest share of the rows, the newest ones, on which recipes are compared."""

MIN_SCORED_ROWS = 1_000
"""Recipes are compared on at least so many rows, where the share allows it: on fewer, luck wins."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""Trees count in float32 and refuse anything larger; there it is as good as this."""

_CAST_ERRORS = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


@dataclass(frozen=True)
class Dataset:
    """Rows with labels, oldest first.

    Parameters
    ----------
    features : DataFrame, shape (n_rows, n_features)
        Conformed by `conform`: float64 numbers with NaN, object levels (str) with None.
    target : ndarray, shape (n_rows,)
        Class names (object, str), or float64 for regression; none is missing.
    event_at : ndarray of datetime64[us], shape (n_rows,)
        Ascending, UTC without a zone.
    """

    features: pd.DataFrame
    target: TargetArray
    event_at: TimeArray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.target)


@dataclass(frozen=True)
class Fold:
    """Rows before `start` to learn from, rows in [start, end) to score."""

    start: int
    end: int


def from_table(table: pa.Table, schema: Schema, label_column: str) -> Dataset:
    """Make a dataset of logged or reference rows.

    Parameters
    ----------
    table : pyarrow.Table, shape (n_rows, n_columns)
        Rows in any order. Event time is the log's, else the schema's time column (UTC where it
        has no zone); without both the rows are taken in order, a microsecond apart. Rows of
        equal time keep their order.
    schema : Schema
        The columns; a feature that the table lacks is missing in every row.
    label_column : str
        Where the labels are; rows without one (null, NaN, inf), or without a time, are left out.

    Raises
    ------
    SchemaError
        If there is no label column, or a column cannot be read as its kind.
    """
    if label_column not in table.column_names:
        raise SchemaError(f"the rows have no label column {label_column!r}")
    labels = table.column(label_column)
    if schema.task is Task.REGRESSION:
        target: TargetArray = _numbers(labels, label_column)
        known = np.isfinite(target)
    else:
        target = class_names(_plain(labels), schema.classes)
        known = np.asarray(pd.notna(target), dtype=np.bool_)
    dataset = Dataset(conform(table, schema), target, _event_at(table, schema))
    known &= ~np.isnat(dataset.event_at)
    order = np.argsort(dataset.event_at, kind="stable")
    return take(dataset, order[known[order]])


def conform(table: pa.Table, schema: Schema) -> pd.DataFrame:
    """Return the features of rows to learn from or to predict, as every model here takes them.

    Parameters
    ----------
    table : pyarrow.Table, shape (n_rows, n_columns)
        The rows.
    schema : Schema
        The features; one that the table lacks is missing in every row.

    Returns
    -------
    DataFrame, shape (n_rows, n_features)
        In the schema's order. Numbers are float64; null and ±inf are NaN. Levels are str in
        columns of object, null is None. Dates are datetime64[us] in UTC without a zone.

    Raises
    ------
    SchemaError
        If a numeric feature holds what is not a number.
    """
    present = set(table.column_names)
    columns = {
        name: _feature(table.column(name), name, kind) if name in present else _absent(table, kind)
        for name, kind in schema.features.items()
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def take(dataset: Dataset, rows: BoolArray | IntArray | slice) -> Dataset:
    """Return some rows, by mask, by ascending positions or by range."""
    features = dataset.features.iloc[rows].reset_index(drop=True)
    return Dataset(features, dataset.target[rows], dataset.event_at[rows])


def sample(dataset: Dataset, n_rows: int, seed: int) -> Dataset:
    """Return at most `n_rows` rows, drawn without replacement; the order of time is kept."""
    return dataset if len(dataset) <= n_rows else take(dataset, drawn(len(dataset), n_rows, seed))


def drawn(n_all: int, n_rows: int, seed: int) -> IntArray:
    """Draw `n_rows` of `n_all` rows without replacement and return their positions, ascending."""
    return np.sort(np.random.default_rng(seed).choice(n_all, size=n_rows, replace=False))


def newest(dataset: Dataset, n_windows: int | None, window: timedelta | int) -> Dataset:
    """Return the rows of the newest windows.

    Parameters
    ----------
    dataset : Dataset
        The rows.
    n_windows : int or None
        How many windows, counted back from the last row; None means all rows.
    window : timedelta or int
        Length of a window, in time or in rows.
    """
    if n_windows is None or not len(dataset):
        return dataset
    if isinstance(window, int):
        return take(dataset, slice(max(0, len(dataset) - n_windows * window), None))
    earliest = dataset.event_at[-1] - np.timedelta64(n_windows * window)
    return take(dataset, dataset.event_at > earliest)


def split(dataset: Dataset, n_folds: int, window: timedelta | int) -> list[Fold]:
    """Split rows into expanding folds over the newest windows, each learned from all before it.

    What a recipe reaches on little and old data says little of what it will reach on all of it
    tomorrow: only the newest rows are scored, a window a fold where windows are large enough.

    Parameters
    ----------
    dataset : Dataset
        The rows; those of one event time are not torn apart.
    n_folds : int
        Number of folds, at least 1; fewer are returned where rows are too few.
    window : timedelta or int
        Length of a window, in time or in rows.

    Examples
    --------
    >>> times = np.arange(10).astype("datetime64[us]")
    >>> split(Dataset(pd.DataFrame(index=range(10)), np.zeros(10), times), n_folds=3, window=1)
    [Fold(start=7, end=8), Fold(start=8, end=9), Fold(start=9, end=10)]
    """
    n_rows = len(dataset)
    wanted = max(len(newest(dataset, n_folds, window)), MIN_SCORED_ROWS)
    n_scored = min(wanted, int(np.ceil(n_rows * MAX_SCORED_SHARE)))
    cuts = [n_rows - n_scored * part // n_folds for part in range(n_folds, 0, -1)]
    edges = [*(_start_of_instant(dataset, cut) for cut in cuts), n_rows]
    return [Fold(start, end) for start, end in pairwise(edges) if 0 < start < end]


def _start_of_instant(dataset: Dataset, cut: int) -> int:
    """Return the first row of the event time at `cut`; `cut` itself when all before are of it."""
    if cut >= len(dataset):
        return cut
    return int(np.searchsorted(dataset.event_at, dataset.event_at[cut])) or cut


def _feature(column: pa.ChunkedArray, name: str, kind: Kind) -> "pd.Series[float] | pd.Series[str]":
    if kind is Kind.NUMERIC:
        values = _numbers(column, name)
        values = np.where(np.isfinite(values), values, np.nan)
        return pd.Series(np.clip(values, -FLOAT32_MAX, FLOAT32_MAX))
    if kind is Kind.DATE:
        return pd.Series(_times(column, name))
    # object on purpose: pandas 3 would make its own string type of it, pandas 2 would not.
    return pd.Series(texts(column).to_numpy(), dtype=object)


def _absent(table: pa.Table, kind: Kind) -> "pd.Series[float] | pd.Series[str]":
    if kind is Kind.NUMERIC:
        return pd.Series(np.full(table.num_rows, np.nan))
    if kind is Kind.DATE:
        return pd.Series(np.full(table.num_rows, "NaT", dtype="datetime64[us]"))
    return pd.Series([None] * table.num_rows, dtype=object)


def _numbers(column: pa.ChunkedArray, name: str) -> FloatArray:
    try:
        return numbers(column)
    except _CAST_ERRORS as error:
        raise SchemaError(f"column {name!r} is not numeric: {error}") from error


def _plain(column: pa.ChunkedArray) -> TargetArray:
    """Return labels as an array of their own type, null as None."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    # pandas would make floats of integers with a null; as_class makes "1" of both.
    return np.asarray(column.to_numpy())


def _event_at(table: pa.Table, schema: Schema) -> TimeArray:
    for name in (EVENT_AT, schema.time):
        if name is not None and name in table.column_names:
            return _times(table.column(name), name)
    return np.arange(table.num_rows).astype("datetime64[us]")


def _times(column: pa.ChunkedArray, name: str) -> TimeArray:
    try:
        # Arrow takes an integer for microseconds, whatever it counts; a text has to be a time.
        plain = pc.cast(column, pa.string()) if pa.types.is_integer(column.type) else column
        utc = pc.cast(plain, pa.timestamp("us"), safe=False)
    except _CAST_ERRORS as error:
        raise SchemaError(f"column {name!r} holds no times: {error}") from error
    return np.asarray(utc.to_numpy(), dtype="datetime64[us]")
