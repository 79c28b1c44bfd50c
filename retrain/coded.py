"""Coded: a classifier that knows classes by number only, told their names."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, get_tags

from monitor.columns import FloatArray
from retrain.dataset import TargetArray


class Coded(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # sklearn is untyped
    """Give a classifier 0, 1, ... in place of class names, as XGBoost asks for.

    Parameters
    ----------
    estimator : classifier
        Fitted in place.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The names of the classes that the rows had, sorted.
    """

    classes_: TargetArray

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def __sklearn_tags__(self) -> Tags:
        """Take what the classifier takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags

    def fit(self, X: Any, y: TargetArray, sample_weight: FloatArray | None = None) -> Self:  # noqa: N803 - sklearn's own names
        """Fit the classifier on the places of the names among the sorted ones."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.estimator.fit(X, codes, sample_weight=sample_weight)
        return self

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803 - sklearn's own name
        """Return how likely each class is, shape (n_rows, n_classes)."""
        return np.asarray(self.estimator.predict_proba(X), dtype=np.float64)

    def predict(self, X: Any) -> TargetArray:  # noqa: N803 - sklearn's own name
        """Return the name of each row's class, shape (n_rows,)."""
        return np.asarray(self.classes_[self.estimator.predict(X)])
