"""Noticed: what a person should know of the rows that a version learned from."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from monitor.schema import Schema
from retrain.bundle import Notes
from retrain.dataset import Dataset
from retrain.leakage import leakage
from retrain.recipe import Recipe
from retrain.training_rows import training_rows
from retrain.useless import useless


def noticed(model: Pipeline, rows: Dataset, recipe: Recipe, schema: Schema, *, seed: int) -> Notes:
    """Return which rows and features were left out, and which features may know the label.

    Parameters
    ----------
    model : Pipeline
        Fitted.
    rows : Dataset
        The training range.
    recipe : Recipe
        How it was fitted.
    schema : Schema
        The features, task and classes.
    seed : int
        Of the fit, and of what is drawn at random.
    """
    without = left_out(rows, recipe, schema, seed=seed)
    return Notes(leakage=leakage(model, rows, schema, seed=seed), **without)


def left_out(rows: Dataset, recipe: Recipe, schema: Schema, *, seed: int) -> dict[str, Any]:
    """Return what a fit leaves out of its training range: the part of `Notes` that says so."""
    kept = training_rows(rows.features, recipe.preprocessing, schema, seed=seed)
    features = useless(rows.features[kept], schema)
    return {"left_out": features, "rows_left_out": len(rows) - int(np.count_nonzero(kept))}


def warned(reason: str, notes: Notes) -> str:
    """Add the alarms to a reason.

    Examples
    --------
    >>> warned("it is better", Notes({}, ("'x' alone tells the label (ROC AUC 0.998)",)))
    "it is better; leakage alarm: 'x' alone tells the label (ROC AUC 0.998): is it known when a \
prediction is made?"
    """
    if not notes.leakage:
        return reason
    alarm = "; ".join(notes.leakage)
    return f"{reason}; leakage alarm: {alarm}: is it known when a prediction is made?"
