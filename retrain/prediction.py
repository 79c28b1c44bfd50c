"""Prediction: what a fitted pipeline says of rows, in a model's own classes."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from monitor.checks.performance import class_names, is_positive
from monitor.errors import NotPossibleError
from monitor.schema import Schema, Task
from retrain.dataset import TargetArray
from retrain.side_by_side import one_thread, quiet


def predict(model: Pipeline, features: pd.DataFrame, schema: Schema) -> TargetArray:
    """Predict rows with a fitted pipeline.

    Parameters
    ----------
    model : Pipeline
        From `retrain.candidates.fit`, or fitted elsewhere.
    features : DataFrame, shape (n_rows, n_features)
        From `retrain.dataset.conform`.
    schema : Schema
        The task and classes.

    Returns
    -------
    ndarray, shape (n_rows,)
        The probability of ``schema.positive`` in 0-1 (binary), the class names (multiclass), or
        the values (regression). A model that was fitted elsewhere may know its classes as numbers.

    Raises
    ------
    NotPossibleError
        If a binary model does not know the positive class.
    """
    if not len(features):
        return np.empty(0, dtype=np.object_ if schema.task is Task.MULTICLASS else np.float64)
    one_thread()
    quiet()
    if schema.task is not Task.BINARY:
        made = np.asarray(model.predict(features))
        is_named = schema.task is Task.REGRESSION or made.dtype.kind in "OUT"
        return made if is_named else class_names(made, schema.classes)
    known = np.asarray(model.classes_)
    positive = is_positive(known, schema)
    if not positive.any():
        names = " and ".join(str(name) for name in known)
        raise NotPossibleError(f"it knows the classes {names}, and not {schema.positive!r}")
    chances = model.predict_proba(features)[:, positive.argmax()]
    return np.asarray(chances, dtype=np.float64)
