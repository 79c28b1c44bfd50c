"""Importance: how much worse a model predicts when one column tells it nothing."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from monitor.checks.performance import class_names, is_positive
from monitor.columns import FloatArray
from monitor.schema import Schema, Task
from retrain.dataset import Dataset, TargetArray, drawn, take
from retrain.prediction import predict

Losses: TypeAlias = Callable[[pd.DataFrame, TargetArray], FloatArray]

MOST_ROWS = 300
"""Rows that are predicted once more for each column: they rank columns well enough."""

VALUES_AT_ONCE = 4_000_000
"""Values of one call to the model; each call costs something by itself, and each value memory."""


def permutation_importance(
    pipeline: Any, rows: Dataset, schema: Schema, seed: int
) -> dict[str, float]:
    """Return how much greater the loss is when a column's values are put in another order.

    The loss is the squared error of a probability, the share of wrong classes, or the mean absolute
    error.

    Parameters
    ----------
    pipeline : object
        A fitted model.
    rows : Dataset
        Rows that it has not seen, if the importance is to be an honest one.
    schema : Schema
        The model's columns.
    seed : int
        Seed of the draw and of the orders.

    Returns
    -------
    dict of str to float
        By feature; about 0 where the model would not miss it, and by chance below.

    References
    ----------
    Breiman (2001), "Random forests", Machine Learning 45, 5-32.
    """
    few = take(rows, drawn(len(rows), min(len(rows), MOST_ROWS), seed))

    def losses(features: pd.DataFrame, target: TargetArray) -> FloatArray:
        return _losses(target, predict(pipeline, features, schema), schema)

    return without_each(losses, few, list(schema.features), seed)


def without_each(
    losses: Losses, rows: Dataset, names: Sequence[str], seed: int
) -> dict[str, float]:
    """Return how much greater the mean loss is when the values of a column change places.

    Parameters
    ----------
    losses : callable
        Returns the loss of each row, shape (n_rows,), of features and labels.
    rows : Dataset
        All of them are asked for, once more for each column.
    names : sequence of str
        The columns.
    seed : int
        Seed of the orders.
    """
    before = float(losses(rows.features, rows.target).mean())
    rng, n_names = np.random.default_rng(seed), max(1, VALUES_AT_ONCE // rows.features.size)
    found: dict[str, float] = {}
    for start in range(0, len(names), n_names):
        some = list(names[start : start + n_names])
        shuffled = _shuffled(rows.features, some, rng)
        after = losses(shuffled, np.tile(rows.target, len(some))).reshape(len(some), -1)
        found |= dict(zip(some, (after.mean(axis=1) - before).tolist(), strict=True))
    return found


def _shuffled(features: pd.DataFrame, names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """Stack the rows once for each column, with that column in another order."""
    n_rows = len(features)
    columns: dict[str, Any] = {}
    for name in features.columns:
        values = features[name].to_numpy()
        stacked = np.tile(values, len(names))
        if name in names:
            at = names.index(name) * n_rows
            stacked[at : at + n_rows] = rng.permutation(values)
        columns[name] = stacked
    return pd.DataFrame(columns)


def _losses(target: TargetArray, made: TargetArray, schema: Schema) -> FloatArray:
    if schema.task is Task.MULTICLASS:
        return np.asarray(target != class_names(made, schema.classes), dtype=np.float64)
    said = made.astype(np.float64)
    if schema.task is Task.BINARY:
        return np.asarray((is_positive(target, schema) - said) ** 2, dtype=np.float64)
    return np.abs(target.astype(np.float64) - said)
