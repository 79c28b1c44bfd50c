"""Sample: labelled reference rows as numbers, kept so that performance can be estimated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from monitor.chances import of_all
from monitor.columns import Columns, FloatArray, IntArray, numbers, texts
from monitor.schema import Kind

MOST_ROWS = 10_000
"""Rows a side; more tell a classifier little and cost each cycle."""

MOST_LEVELS = 254
"""Levels that are told apart; rarer ones, and those never seen, are one."""

TIME_LIKE = 0.8
"""A column whose ranks the order of the rows explains at least this well, as a share of what it
could explain, grows with time, or names rows: any later window would look like nothing that was
ever there."""

Levels = Mapping[str, tuple[str, ...] | None]
"""Columns of a sample, in order: the levels of a categorical one by frequency, None for numbers."""


@dataclass(frozen=True)
class Outcomes:
    """What was predicted of rows, and what came, as numbers.

    Parameters
    ----------
    predictions, labels : ndarray, shape (n_rows,)
        Probability and 0/1 (binary), places in the schema's classes (multiclass), or values
        (regression); NaN is missing.
    chances : ndarray, shape (n_rows, n_classes), or None
        How likely each of several classes was found, 0-1; a row of NaN is missing. None where the
        model says classes alone.
    """

    predictions: FloatArray
    labels: FloatArray
    chances: FloatArray | None = None

    def take(self, rows: IntArray) -> "Outcomes":
        """Return some rows."""
        chances = None if self.chances is None else self.chances[rows]
        return Outcomes(self.predictions[rows], self.labels[rows], chances)


@dataclass(frozen=True)
class Sample:
    """Labelled and predicted reference rows.

    Parameters
    ----------
    levels : mapping of str to tuple of str or None
        The columns of `features`, see `Levels`.
    features : ndarray, shape (n_rows, n_columns)
        What the model was given and what it predicted, encoded by `encode`.
    outcomes : Outcomes, n_rows rows
        Nothing is missing; there are chances where every row has them.
    windows : ndarray, shape (n_rows,)
        Number of the reference window of each row; -1 for one that is not like the others.
    """

    levels: Levels
    features: FloatArray
    outcomes: Outcomes
    windows: IntArray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.windows)

    def take(self, rows: IntArray) -> "Sample":
        """Return some rows."""
        found = replace(self, outcomes=self.outcomes.take(rows), windows=self.windows[rows])
        return replace(found, features=self.features[rows])

    def without_chances(self) -> "Sample":
        """Return the rows as if the model said classes alone."""
        return replace(self, outcomes=replace(self.outcomes, chances=None))


def sample_of(
    columns: Columns, kinds: Mapping[str, Kind], outcomes: Outcomes, windows: IntArray, seed: int
) -> Sample:
    """Draw labelled and predicted rows, and encode them a column at a time.

    Parameters
    ----------
    columns : Columns, n_rows rows
        The reference rows, in the order of time.
    kinds : mapping of str to Kind
        The columns wanted; those the rows lack, and those that only tell the time or name the row,
        are left out.
    outcomes : Outcomes, n_rows rows
        Predictions, labels and chances.
    windows : ndarray, shape (n_rows,)
        Number of each row's window.
    seed : int
        Seed of the draw.
    """
    known = np.isfinite(outcomes.predictions) & np.isfinite(outcomes.labels)
    rows = drawn(np.flatnonzero(known), seed)
    levels: dict[str, tuple[str, ...] | None] = {}
    encoded = []
    for name, kind in kinds.items():
        if name not in columns.names:
            continue
        column = _column(columns, name).take(pa.array(rows))
        names = None if kind is Kind.NUMERIC else _by_frequency(column)
        values = _encode(column, names)
        if not _is_time_like(values, names):
            levels[name] = names
            encoded.append(values)
    features = np.column_stack([*encoded, np.zeros((rows.size, 0))])
    taken = outcomes.take(rows)
    taken = replace(taken, chances=of_all(taken.chances))
    return Sample(levels, features, taken, windows[rows])


def encode(columns: Columns, levels: Levels, rows: IntArray) -> FloatArray:
    """Encode some rows as a sample's are; a column that is not there is missing in each.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_columns)

    Examples
    --------
    >>> from monitor.columns import TableColumns
    >>> now = TableColumns(pa.table({"x": [1.5, None, 2.0], "g": ["b", "new", None]}))
    >>> encode(now, {"x": None, "g": ("a", "b"), "gone": None}, np.arange(3)).tolist()
    [[1.5, 1.0, nan], [nan, 2.0, nan], [2.0, nan, nan]]
    """
    found = np.full((rows.size, len(levels)), np.nan)
    for at, (name, names) in enumerate(levels.items()):
        if name in columns.names:
            found[:, at] = _encode(_column(columns, name).take(pa.array(rows)), names)
    return found


def drawn(rows: IntArray, seed: int) -> IntArray:
    """Draw at most `MOST_ROWS` of rows, in their order."""
    if rows.size <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))


def _column(columns: Columns, name: str) -> pa.ChunkedArray:
    chunks: Iterator[pa.Array] = columns.chunks(name)
    return pa.chunked_array([*chunks] or [pa.nulls(0)])


def _by_frequency(column: pa.ChunkedArray) -> tuple[str, ...]:
    counted = pc.value_counts(texts(column))
    names, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    known = [(-n, name) for name, n in zip(names, counts, strict=True) if name is not None]
    return tuple(name for _, name in sorted(known)[:MOST_LEVELS])


def _encode(column: pa.ChunkedArray, names: tuple[str, ...] | None) -> FloatArray:
    if names is None:
        values = numbers(column)
        return np.where(np.isfinite(values), values, np.nan)
    named = texts(column)
    places = pc.index_in(named, value_set=pa.array(names, pa.string()))
    codes = pc.if_else(pc.is_null(named), None, pc.fill_null(places, len(names)))
    return numbers(codes)


def _is_time_like(values: FloatArray, names: tuple[str, ...] | None) -> bool:
    """Say whether a column tells the place of each row about as well as if it were in order."""
    known = np.isfinite(values)
    values, places = values[known], np.flatnonzero(known).astype(np.float64)
    if values.size <= 1 or values.min() == values.max():
        return False
    if names is not None:  # levels have no order but that of the rows
        _, codes = np.unique(values, return_inverse=True)
        values = (np.bincount(codes, places) / np.bincount(codes))[codes]
    ranks = rankdata(values)
    explained, best = (np.corrcoef(one, places)[0, 1] ** 2 for one in (ranks, np.sort(ranks)))
    return bool(explained >= TIME_LIKE * best)
