"""Training rows: those that a model learns from, without what the preparation leaves out.

A row to predict is never left out, so all of this happens before a pipeline is fitted.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import IsolationForest

from monitor.columns import FloatArray
from monitor.schema import Kind, Schema
from retrain.preparation import Missing, Outliers, Preprocessing
from retrain.preprocess import names_of

BoolArray = npt.NDArray[np.bool_]

OUTER_FENCE = 3.0
"""Interquartile ranges beyond the quartiles from which a value is "far out" (Tukey, *Exploratory
Data Analysis*, 1977). The inner fence, 1.5, leaves out one of 140 normal values in each column."""

ISOLATED_SHARE = 0.01
"""Rows that are left out as the most isolated ones."""


def training_rows(
    features: pd.DataFrame, choice: Preprocessing, schema: Schema, *, seed: int
) -> BoolArray:
    """Tell the rows to train on: all but those that `choice` leaves out.

    A column without any number would leave out every row and is passed over.

    Parameters
    ----------
    features : DataFrame, shape (n_rows, n_features)
        Conformed training features.
    choice : Preprocessing
        What to leave out.
    schema : Schema
        The features and their kinds.
    seed : int
        Of the isolation forest.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
    """
    kept = np.ones(len(features), dtype=np.bool_)
    if choice.missing is not Missing.DROP and choice.outliers in {Outliers.NONE, Outliers.CLIP}:
        return kept
    values = features[names_of(schema, Kind.NUMERIC)].to_numpy(np.float64)
    values = values[:, ~np.isnan(values).all(axis=0)]
    if not values.size:
        return kept
    if choice.missing is Missing.DROP:
        kept &= ~np.isnan(values).any(axis=1)
    if choice.outliers is Outliers.IQR:
        kept &= _within_fences(values)
    if choice.outliers is Outliers.ISOLATION_FOREST:
        # Liu, Ting and Zhou, Isolation Forest, ICDM 2008; missing values go down one side.
        forest = IsolationForest(contamination=ISOLATED_SHARE, random_state=seed)
        kept &= forest.fit_predict(values) > 0
    return kept


def _within_fences(values: FloatArray) -> BoolArray:
    """Tell the rows without a value that is far out; a missing one is not."""
    low, high = np.nanquantile(values, (0.25, 0.75), axis=0)
    reach = OUTER_FENCE * (high - low)
    # Where most rows have one value, each other value would be far out.
    reach[reach == 0] = np.inf
    is_far: BoolArray = (values < low - reach) | (values > high + reach)
    return ~np.asarray(is_far.any(axis=1), dtype=np.bool_)
