"""Importance: how much worse a model predicts when one column tells it nothing."""

from typing import Any

import numpy as np
import pandas as pd

from monitor.checks.performance import class_names, is_positive
from monitor.schema import Schema, Task
from retrain.candidates import predict
from retrain.dataset import Dataset, TargetArray, drawn, take

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
    before = _loss(few.target, predict(pipeline, few.features, schema), schema)
    rng, names = np.random.default_rng(seed), list(schema.features)
    n_names = max(1, VALUES_AT_ONCE // few.features.size)
    found: dict[str, float] = {}
    for start in range(0, len(names), n_names):
        some = names[start : start + n_names]
        made = np.array_split(
            predict(pipeline, _shuffled(few.features, some, rng), schema), len(some)
        )
        for name, other in zip(some, made, strict=True):
            found[name] = _loss(few.target, other, schema) - before
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


def _loss(target: TargetArray, made: TargetArray, schema: Schema) -> float:
    if schema.task is Task.MULTICLASS:
        return float(np.mean(target != class_names(made, schema.classes)))
    said = made.astype(np.float64)
    if schema.task is Task.BINARY:
        return float(np.mean((is_positive(target, schema) - said) ** 2))
    return float(np.mean(np.abs(target.astype(np.float64) - said)))
