"""Segments: a model's performance on parts of a window, where one part may hide behind the rest."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.checks.performance import AnyArray, performance
from monitor.columns import texts
from monitor.reference import Estimate
from monitor.schema import Schema

MIN_SEGMENT_ROWS = 200
"""With fewer labelled rows a segment's metric says more of chance than of the model."""

Segments = Mapping[str, Mapping[str, Estimate]]
"""Column, level, and the metric on the rows in which the column has this level."""


def segment_performance(
    labels: AnyArray,
    predictions: AnyArray,
    features: pa.Table,
    schema: Schema,
    *,
    segments: Sequence[str],
    metric: str,
) -> Segments:
    """Compute one metric on each level of some columns.

    Parameters
    ----------
    labels, predictions : ndarray, shape (n_rows,)
        As `monitor.checks.performance.performance` takes them.
    features : pyarrow.Table, shape (n_rows, n_columns)
        The same rows; a segment column that it lacks is left out.
    schema : Schema
        The model's task and classes.
    segments : sequence of str
        The columns whose levels are segments.
    metric : str
        A key of `monitor.checks.performance.METRICS`.

    Returns
    -------
    mapping of str to mapping of str to Estimate
        By column and level; levels with fewer than `MIN_SEGMENT_ROWS` rows, and those that do not
        define the metric, are left out.

    Examples
    --------
    >>> from monitor.schema import Kind, Task
    >>> schema = Schema(Task.REGRESSION, {"g": Kind.CATEGORICAL}, "y")
    >>> features = pa.table({"g": ["a"] * 300 + ["b"] * 200 + ["c"] * 9})
    >>> labels = np.zeros(509)
    >>> made = np.repeat([1.0, 2.0, 3.0], [300, 200, 9])
    >>> found = segment_performance(labels, made, features, schema, segments=["g"], metric="mae")
    >>> {level: estimate.value for level, estimate in found["g"].items()}
    {'a': 1.0, 'b': 2.0}
    """
    return {
        column: _levels(labels, predictions, texts(features.column(column)), schema, metric)
        for column in segments
        if column in features.column_names
    }


def _levels(
    labels: AnyArray, predictions: AnyArray, levels: pa.ChunkedArray, schema: Schema, metric: str
) -> Mapping[str, Estimate]:
    counted = pc.value_counts(levels.drop_null())
    sizes = zip(
        counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
    )
    found: dict[str, Estimate] = {}
    for level in sorted(level for level, size in sizes if size >= MIN_SEGMENT_ROWS):
        rows = np.asarray(pc.fill_null(pc.equal(levels, level), fill_value=False), dtype=np.bool_)
        estimate = performance(labels[rows], predictions[rows], schema).get(metric)
        if estimate is not None and estimate.n >= MIN_SEGMENT_ROWS:
            found[level] = estimate
    return found
