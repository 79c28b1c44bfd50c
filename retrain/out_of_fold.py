"""Out of fold: reference rows as models see them that were not fitted on them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from monitor.batch import CHANCES
from monitor.chances import listed
from monitor.columns import FloatArray, TableColumns
from monitor.schema import Schema
from retrain.calibrated import several_chances
from retrain.candidates import fit
from retrain.dataset import Dataset, TargetArray, drawn, take
from retrain.importance import permutation_importance
from retrain.prediction import predict
from retrain.recipe import Recipe

MOST_ROWS = 20_000
N_BLOCKS = 3
"""Predictions come from this many contiguous blocks, each predicted by a model that has not seen
it."""


def out_of_fold(
    rows: Dataset, recipe: Recipe, schema: Schema, *, window: timedelta | int, seed: int
) -> tuple[TableColumns, dict[str, float]]:
    """Predict rows, and ask how important each feature is: on its own rows a model looks too sure.

    Parameters
    ----------
    rows : Dataset
        The reference.
    recipe : Recipe
        How its model is fitted; here on a part of the rows, whatever range or weights it has.
    schema : Schema
        The columns.
    window : timedelta or int
        Length of a window, in time or in rows.
    seed : int
        Seed of every random choice.

    Returns
    -------
    tuple of TableColumns and dict of str to float
        Features, labels, predictions and the chances of several classes, which some rows of many
        lack; and the permutation importance by feature.
    """
    n_rows = min(len(rows), MOST_ROWS)
    places = drawn(len(rows), n_rows, seed) if n_rows < len(rows) else np.arange(n_rows)
    few = take(rows, places)
    plain = replace(recipe, training_range=None, fading=False)
    made: list[TargetArray] = []
    found: list[FloatArray] = []
    asked: list[dict[str, float]] = []
    for block in np.array_split(np.arange(len(few)), N_BLOCKS):
        others = np.setdiff1d(np.arange(len(few)), block)
        pipeline = fit(plain, take(few, others), schema, window=window, seed=seed)
        held = take(few, block)
        made.append(predict(pipeline, held.features, schema))
        chances = several_chances(pipeline, held.features, schema)
        found += [] if chances is None else [chances]
        asked.append(permutation_importance(pipeline, held, schema, seed))
    # Each beside its own row: windows of predictions are compared, too.
    predictions = np.full(len(rows), None, dtype=object)
    predictions[places] = np.concatenate(made)
    importance = {name: float(np.mean([one[name] for one in asked])) for name in asked[0]}
    of_all = None
    if found:
        of_all = np.full((len(rows), len(schema.classes)), np.nan)
        of_all[places] = np.concatenate(found)
    return with_predictions(rows, schema, predictions, of_all), importance


def with_predictions(
    rows: Dataset, schema: Schema, predictions: TargetArray, chances: FloatArray | None
) -> TableColumns:
    """Put features, labels and predictions, of which some may be missing, side by side.

    Of several classes the chances come, too, where they are known.
    """
    features = pa.Table.from_pandas(rows.features[list(schema.features)], preserve_index=False)
    table = features.append_column(schema.target, pa.array(rows.target, from_pandas=True))
    table = table.append_column(schema.prediction, pa.array(predictions, from_pandas=True))
    return TableColumns(table if chances is None else table.append_column(CHANCES, listed(chances)))
