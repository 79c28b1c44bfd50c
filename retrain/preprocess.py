"""Preprocessing: one scikit-learn pipeline from conformed features to an estimator's matrix.

Whatever is learned from rows (means, quantiles, levels) is learned inside the pipeline, on the
rows it is fitted on, so that no validation row leaks into it and serving repeats it exactly.
"""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from monitor.columns import FloatArray
from monitor.grid import OUTER_QUANTILES
from monitor.schema import Kind, Schema
from retrain.dates import DateParts
from retrain.preparation import Encoding, Missing, Outliers, Preprocessing, Scaling

BoolArray = npt.NDArray[np.bool_]

RARE_ROWS = 10
"""A level with fewer training rows is grouped with the other rare ones."""

MAX_COLUMNS_PER_FEATURE = 40
"""Levels of one feature that one-hot encoding tells apart; the rest are grouped."""

MAX_CODES_PER_FEATURE = 200
"""Levels told apart by number; histogram gradient boosting takes at most 255."""

UNSEEN_CODE, MISSING_CODE = -1, -2


class QuantileClipper(TransformerMixin, BaseEstimator):  # type: ignore[misc] # sklearn is untyped
    """Clip each column to its outer quantiles on the training rows; NaN stays NaN.

    Parameters
    ----------
    low, high : float
        The quantiles, 0-1.

    Attributes
    ----------
    low_, high_ : ndarray, shape (n_columns,)
        The limits; -inf and inf for a column without a number.
    """

    low_: FloatArray
    high_: FloatArray

    def __init__(self, low: float = OUTER_QUANTILES[0], high: float = OUTER_QUANTILES[1]) -> None:
        self.low = low
        self.high = high

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002, N803 - sklearn's own names
        """Learn the limits from rows, shape (n_rows, n_columns)."""
        values = np.asarray(X, dtype=np.float64)
        empty = np.isnan(values).all(axis=0)
        limits = np.full((2, values.shape[1]), [[-np.inf], [np.inf]])
        limits[:, ~empty] = np.nanquantile(values[:, ~empty], (self.low, self.high), axis=0)
        self.low_, self.high_ = limits
        return self

    def transform(self, X: Any) -> FloatArray:  # noqa: N803 - sklearn's own name
        """Return rows, shape (n_rows, n_columns), within the limits."""
        return np.clip(np.asarray(X, dtype=np.float64), self.low_, self.high_)


class EmptyColumnFiller(TransformerMixin, BaseEstimator):  # type: ignore[misc] # sklearn is untyped
    """Make 0 of every number in a column that had none when fitted; other NaN stay NaN.

    Histogram gradient boosting takes missing values, but no column made of them only.

    Attributes
    ----------
    is_empty_ : ndarray of bool, shape (n_columns,)
        The columns without a number on the training rows.
    """

    is_empty_: BoolArray

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002, N803 - sklearn's own names
        """Find the empty columns of rows, shape (n_rows, n_columns)."""
        missing: BoolArray = np.isnan(np.asarray(X, dtype=np.float64))
        self.is_empty_ = np.asarray(missing.all(axis=0), dtype=np.bool_)
        return self

    def transform(self, X: Any) -> FloatArray:  # noqa: N803 - sklearn's own name
        """Return rows, shape (n_rows, n_columns), with 0 in the empty columns."""
        return np.where(self.is_empty_, 0.0, np.asarray(X, dtype=np.float64))


def names_of(schema: Schema, kind: Kind) -> list[str]:
    """Return the features compared in this way, in the schema's order."""
    return [name for name, found in schema.features.items() if found is kind]


def pipeline(schema: Schema, choice: Preprocessing, estimator: Any) -> Pipeline:
    """Put preparation and estimator into one unfitted pipeline.

    Unseen levels, columns without any value, and values missing only when predicting all have
    their place. Which rows are left out is `retrain.training_rows`'s, before it is fitted.

    Parameters
    ----------
    schema : Schema
        The features and their kinds.
    choice : Preprocessing
        How to prepare them.
    estimator : scikit-learn estimator, unfitted
        Told its categorical columns when the encoding is native.
    """
    numeric, categorical = names_of(schema, Kind.NUMERIC), names_of(schema, Kind.CATEGORICAL)
    if choice.encoding is Encoding.NATIVE:
        # The numeric columns come first: the transformer below keeps this order.
        places = range(len(numeric), len(numeric) + len(categorical))
        estimator.set_params(categorical_features=list(places) or None)
    parts = [
        ("numeric", _numeric_steps(choice), numeric),
        ("categorical", _encoder(choice.encoding), categorical),
        ("dates", _date_steps(choice), schema.dates),
    ]
    if choice.missing is Missing.INDICATOR:
        # Last, as it is known only when fitted how many columns have anything missing.
        parts.append(("missing", MissingIndicator(error_on_new=False), numeric))
    # Many levels make a matrix of zeros, which as such would be the largest thing in the process.
    columns = ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0.3)
    return Pipeline([("prepare", columns), ("model", estimator)])


def _numeric_steps(choice: Preprocessing) -> Pipeline:
    steps: list[tuple[str, Any]] = []
    if choice.outliers is Outliers.CLIP:
        steps.append(("clip", QuantileClipper()))
    if choice.missing is Missing.KEEP:
        steps.append(("fill", EmptyColumnFiller()))
    else:
        by_median = choice.missing in {Missing.DROP, Missing.INDICATOR}
        strategy = Missing.MEDIAN if by_median else choice.missing
        # Without keep_empty_features a column that training never saw filled would vanish.
        filler = SimpleImputer(strategy=str(strategy), fill_value=0, keep_empty_features=True)
        steps.append(("fill", filler))
    if choice.scaling is Scaling.STANDARD:
        steps.append(("scale", StandardScaler()))
    if choice.scaling is Scaling.ROBUST:
        steps.append(("scale", RobustScaler()))
    return Pipeline(steps)


def _date_steps(choice: Preprocessing) -> Pipeline:
    return Pipeline([("expand", DateParts()), *_numeric_steps(choice).steps])


def _encoder(encoding: Encoding) -> Any:
    """Return an encoder to which a missing value is a level like any other."""
    if encoding is Encoding.ONE_HOT:
        return OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=RARE_ROWS,
            max_categories=MAX_COLUMNS_PER_FEATURE,
        )
    is_native = encoding is Encoding.NATIVE
    # Native estimators know NaN as a level; a level that training never saw joins it there.
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan if is_native else UNSEEN_CODE,
        encoded_missing_value=np.nan if is_native else MISSING_CODE,
        min_frequency=RARE_ROWS,
        max_categories=MAX_CODES_PER_FEATURE,
    )
