"""Calibrated: a fitted classifier whose probabilities mean what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from monitor.checks.performance import class_names
from monitor.columns import FloatArray
from monitor.schema import Schema, Task

SOFTENED = 1e-4
"""What a chance of 0 is taken for: trees say 0 and 1, whose log-odds are infinite."""


@dataclass(frozen=True)
class Calibration:
    """How chances are mapped: their log-odds become ``slope · log-odds + intercept``.

    Two numbers cannot follow noise, and they keep the order of the rows. Of several classes the
    slope alone is the inverse of a temperature, which keeps the likeliest class.

    Parameters
    ----------
    slope : float
        Above 0; below 1 for a model that is too sure.
    intercept : float
        Added to the log-odds of the positive class; 0 where there are more than two.

    References
    ----------
    Platt (1999), "Probabilistic outputs for support vector machines"; Guo, Pleiss, Sun and
    Weinberger (2017), "On calibration of modern neural networks", ICML.
    """

    slope: float
    intercept: float = 0.0


def mapped(chances: FloatArray, calibration: Calibration) -> FloatArray:
    """Return calibrated chances.

    Parameters
    ----------
    chances : ndarray of float, shape (n_rows, n_classes)
        Each row adds up to 1.
    calibration : Calibration
        Its intercept is of the last class.

    Examples
    --------
    >>> mapped(np.array([[0.1, 0.9], [0.5, 0.5]]), Calibration(0.5)).round(2).tolist()
    [[0.25, 0.75], [0.5, 0.5]]
    """
    softened = SOFTENED + (1 - chances.shape[1] * SOFTENED) * np.asarray(chances, np.float64)
    logs: FloatArray = calibration.slope * np.log(softened)
    logs[:, -1] += calibration.intercept
    logs -= logs.max(axis=1, keepdims=True)
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=1, keepdims=True)
    return logs


def binary_chances(positive: npt.NDArray[np.generic]) -> FloatArray:
    """Return the chances of both classes, shape (n_rows, 2), out of the last one's."""
    last = positive.astype(np.float64)
    return np.column_stack([1 - last, last])


def class_chances(model: Any, features: pd.DataFrame, classes: Sequence[str]) -> FloatArray:
    """Return how likely each class is, shape (n_rows, n_classes); 0 of one that a model lacks."""
    made = model.predict_proba(features)
    names = class_names(np.asarray(model.classes_), tuple(classes))
    known = {name: place for place, name in enumerate(names)}
    nothing = np.zeros(len(features))
    return np.column_stack([made[:, known[one]] if one in known else nothing for one in classes])


def several_chances(model: Any, features: pd.DataFrame, schema: Schema) -> FloatArray | None:
    """Return how likely each of several classes is, shape (n_rows, n_classes).

    None where there are not several, and of a model that does not say.
    """
    if schema.task is not Task.MULTICLASS or not hasattr(model, "predict_proba"):
        return None
    return class_chances(model, features, schema.classes)


class Calibrated(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # sklearn is untyped
    """A fitted classifier with its chances mapped.

    Parameters
    ----------
    estimator : classifier, fitted
        With ``predict_proba``.
    slope, intercept : float
        The `Calibration`; the intercept is of the last of the classifier's classes.
    """

    def __init__(self, estimator: Any, slope: float = 1.0, intercept: float = 0.0) -> None:
        self.estimator = estimator
        self.slope = slope
        self.intercept = intercept

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn that there is nothing to fit."""
        return True

    @property
    def classes_(self) -> Any:
        """The classes, in the order of the columns of chances."""
        return self.estimator.classes_

    def fit(self, X: Any, y: Any) -> "Calibrated":  # noqa: ARG002, N803 - sklearn's own names
        """Return it as it is: its classifier is fitted already."""
        return self

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803 - sklearn's own name
        """Return calibrated chances, shape (n_rows, n_classes)."""
        calibration = Calibration(self.slope, self.intercept)
        return mapped(self.estimator.predict_proba(X), calibration)

    def predict(self, X: Any) -> Any:  # noqa: N803 - sklearn's own name
        """Return the likeliest class of each row, shape (n_rows,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
