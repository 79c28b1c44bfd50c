"""Leakage: features that look as if they knew the label before anyone can.

Two alarms, which stop nothing: a feature that tells the label all by itself, and one that bears
most of what a model has learned from many. Only a person knows whether it is there when a
prediction is made.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import Pipeline

from monitor.columns import FloatArray
from monitor.errors import NotPossibleError
from monitor.schema import Schema, Task
from retrain.candidates import fit
from retrain.dataset import Dataset, TargetArray, sample, take
from retrain.importance import without_each
from retrain.preparation import Encoding, Missing, Preprocessing
from retrain.recipe import Recipe
from retrain.useless import useless

MAX_AUC = 0.98
"""ROC AUC of one feature alone; of several classes, the mean of each against the rest."""

MAX_R2 = 0.995
"""Of one feature alone, for numbers: with normal values as rare as that ROC AUC."""

MAX_SHARE = 0.6
"""Of a model's permutation importance (Breiman, Random Forests, Machine Learning 45, 2001)."""

SUSPICIOUS = 10.0
"""Times that the error of a model grows without a feature. Where the feature knows the label hardly
any error is left; an honest one may well bear most of what a model knows, as the hour does of
traffic, and leaves a good part of the error."""

MIN_FEATURES = 5
"""Of fewer one may well bear most."""

MIN_ROWS = 200
MAX_ROWS = 2_000
MAX_PERMUTED_ROWS = 500
MIN_CLASS_ROWS = 10

_ALONE = Recipe(
    "one feature",
    "tree",
    {"max_leaf_nodes": 64, "min_samples_leaf": 5},
    Preprocessing(Missing.KEEP, encoding=Encoding.ORDINAL),
)


def leakage(model: Pipeline, rows: Dataset, schema: Schema, *, seed: int) -> tuple[str, ...]:
    """Return a sentence for each feature that may know the label.

    Parameters
    ----------
    model : Pipeline
        Fitted on these rows.
    rows : Dataset
        What it has learned from; fewer than 200 tell nothing.
    schema : Schema
        The features, task and classes.
    seed : int
        Of the sample and of the permutations.
    """
    few = sample(rows, MAX_ROWS, seed)
    if len(few) < MIN_ROWS:
        return ()
    left_out = useless(few.features, schema)
    names = [name for name in schema.features if name not in left_out]
    alone = [_alone(few, name, schema, seed) for name in names]
    fewer = sample(few, MAX_PERMUTED_ROWS, seed)
    return (*filter(None, alone), *_borne(model, fewer, names, schema, seed))


def _alone(rows: Dataset, name: str, schema: Schema, seed: int) -> str:
    """Hold what a tree learns of one feature on every other row against the rows between."""
    only = Schema(schema.task, {name: schema.features[name]}, schema.target, classes=schema.classes)
    learned, asked = take(rows, slice(0, None, 2)), take(rows, slice(1, None, 2))
    try:
        tree = fit(_ALONE, learned, only, window=len(rows), seed=seed)
    except NotPossibleError:  # rows of one class
        return ""
    if schema.task is Task.REGRESSION:
        reached = float(r2_score(asked.target, tree.predict(asked.features)))
        return f"{name!r} alone tells the label (R² {reached:.3f})" if reached > MAX_R2 else ""
    reached = _auc(tree, asked)
    return f"{name!r} alone tells the label (ROC AUC {reached:.3f})" if reached > MAX_AUC else ""


def _auc(tree: Pipeline, rows: Dataset) -> float:
    """Return the mean ROC AUC of each class against the rest; 0 where none has enough rows."""
    chances = tree.predict_proba(rows.features)
    found = []
    for place, name in enumerate(tree.classes_):
        is_it = rows.target == name
        if MIN_CLASS_ROWS <= is_it.sum() <= len(rows) - MIN_CLASS_ROWS:
            found.append(roc_auc_score(is_it, chances[:, place]))
    return float(np.mean(found)) if found else 0.0


def _borne(
    model: Pipeline, rows: Dataset, names: Sequence[str], schema: Schema, seed: int
) -> Sequence[str]:
    """Name the feature that bears most of what the model knows, if it does."""
    if len(names) < MIN_FEATURES:
        return ()

    def losses(features: pd.DataFrame, target: TargetArray) -> FloatArray:
        return _losses(model, features, target, schema)

    rows = replace(rows, features=rows.features[list(schema.features)])
    lost = {name: max(0.0, more) for name, more in without_each(losses, rows, names, seed).items()}
    most = max(names, key=lost.__getitem__)
    matters = lost[most] > (SUSPICIOUS - 1) * losses(rows.features, rows.target).mean()
    share = lost[most] / sum(lost.values()) if matters else 0.0
    if share <= MAX_SHARE:
        return ()
    return [f"{most!r} bears {share:.0%} of what the model knows"]


def _losses(
    model: Pipeline, features: pd.DataFrame, target: TargetArray, schema: Schema
) -> FloatArray:
    """Return the absolute errors, of the true class's probability where there are classes."""
    if schema.task is Task.REGRESSION:
        return np.asarray(np.abs(target - model.predict(features)), dtype=np.float64)
    is_true = target[:, None] == model.classes_[None, :]
    return np.asarray(1 - (model.predict_proba(features) * is_true).sum(axis=1), dtype=np.float64)
