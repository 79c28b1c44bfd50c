"""Useless: features that teach nothing, and why they are left out of a model."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from monitor.columns import FloatArray
from monitor.inferred import ID_LIKE_SHARE, MAX_CLASSES
from monitor.schema import Kind, Schema

EXPECTED_REPEATS = 5.0
"""If whole numbers were drawn from their span and so many pairs alike were to be expected, none
comes up in less than 1 % of cases: somebody has counted."""

_CONSTANT = "it has one value"
_COUNTED = "it counts the rows: whole numbers, none of them twice"
_NAMES = "nearly every row has its own value"


def useless(features: pd.DataFrame, schema: Schema) -> Mapping[str, str]:
    """Return the features that teach nothing, with the reason.

    Those with one value, and those that name the row: text with a value of its own in more than
    half of the rows, whole numbers without a repetition that either never fall or lie so close
    together that quantities would repeat. Missing beside one value is something to learn from.
    Where every feature is useless none is named: a model needs one.

    Parameters
    ----------
    features : DataFrame, shape (n_rows, n_features)
        Conformed training features, oldest first.
    schema : Schema
        The features and their kinds.

    Examples
    --------
    >>> from monitor.schema import Task
    >>> rows = pd.DataFrame({"x": [1.5, 0.5, 0.5], "unit": ["km", "km", "km"]})
    >>> kinds = {"x": Kind.NUMERIC, "unit": Kind.CATEGORICAL}
    >>> useless(rows, Schema(Task.BINARY, kinds, "y"))
    {'unit': 'it has one value'}
    """
    found = {name: _why(features[name], kind) for name, kind in schema.features.items()}
    named = {name: why for name, why in found.items() if why}
    return {} if len(named) == len(found) else named


def without(schema: Schema, names: Collection[str]) -> Schema:
    """Return a schema without some features."""
    kept = {name: kind for name, kind in schema.features.items() if name not in names}
    return replace(schema, features=kept)


def _why(column: "pd.Series[float] | pd.Series[str]", kind: Kind) -> str:
    if kind is Kind.NUMERIC:
        values = np.asarray(column, dtype=np.float64)
        if np.isnan(values).all() or (values == values[0]).all():
            return _CONSTANT
        return _COUNTED if _is_counter(values) else ""
    n_levels = column.nunique(dropna=False)
    if n_levels == 1:
        return _CONSTANT
    if kind is Kind.DATE:
        return ""
    is_name = n_levels > MAX_CLASSES and n_levels > ID_LIKE_SHARE * len(column)
    return _NAMES if is_name else ""


def _is_counter(values: FloatArray) -> bool:
    few = values[:MAX_CLASSES]  # mostly enough to tell
    if len(values) <= MAX_CLASSES or (few != np.floor(few)).any():
        return False
    if not (values == np.floor(values)).all():
        return False  # also where one is missing
    if (np.diff(values) > 0).all():
        return True
    ordered = np.sort(values)
    span = ordered[-1] - ordered[0]
    is_dense = len(values) ** 2 / (2 * span) >= EXPECTED_REPEATS
    return bool(is_dense and (np.diff(ordered) > 0).all())
