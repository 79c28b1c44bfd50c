"""Performance: how good predictions were, now that the labels are there.

Every metric here is a mean over rows, or a smooth function of such means. Its standard error is
the standard deviation of its influence values over √n, which is the delta method: for a mean the
influence of a row is its value less the mean, for a ratio of means ``a/b`` it is
``(a_i - (a/b)·b_i) / b`` (van der Vaart, *Asymptotic Statistics*, 1998, sections 3.1 and 20.1).
Rows are taken as independent; where they are not, block means (`retrain.comparison`) are honest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from monitor.classes import as_class
from monitor.columns import FloatArray
from monitor.reference import Estimate
from monitor.schema import Schema, Task

BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[np.generic]

DECISION_THRESHOLD = 0.5
"""From this probability on a binary prediction counts as the positive class."""

MIN_ROWS = 2
"""Fewer rows have no sampling error."""


@dataclass(frozen=True)
class Metric:
    """What must be known to read a metric.

    Parameters
    ----------
    title : str
        Its name in a sentence.
    bigger_is_better : bool
        False for losses.
    bounded : bool
        True when it lies in 0-1, so that differences of it are shares.
    tasks : frozenset of Task
        The tasks it exists for.
    """

    title: str
    bigger_is_better: bool
    bounded: bool
    tasks: frozenset[Task]

    def gain(self, *, champion: float, challenger: float) -> float:
        """Return how much better the challenger is; negative when it is worse."""
        return challenger - champion if self.bigger_is_better else champion - challenger

    def loss(self, value: float) -> float:
        """Return how far a value is from the best one, at least 0."""
        return 1.0 - value if self.bigger_is_better else value


_BINARY = frozenset({Task.BINARY})
_CLASSES = frozenset({Task.BINARY, Task.MULTICLASS})
_REGRESSION = frozenset({Task.REGRESSION})

METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("accuracy", bigger_is_better=True, bounded=True, tasks=_CLASSES),
    "precision": Metric("precision", bigger_is_better=True, bounded=True, tasks=_CLASSES),
    "recall": Metric("recall", bigger_is_better=True, bounded=True, tasks=_CLASSES),
    "f1": Metric("F1", bigger_is_better=True, bounded=True, tasks=_CLASSES),
    "roc_auc": Metric("ROC AUC", bigger_is_better=True, bounded=True, tasks=_BINARY),
    "log_loss": Metric("log loss", bigger_is_better=False, bounded=False, tasks=_BINARY),
    "mae": Metric("MAE", bigger_is_better=False, bounded=False, tasks=_REGRESSION),
    "rmse": Metric("RMSE", bigger_is_better=False, bounded=False, tasks=_REGRESSION),
    "r2": Metric("R²", bigger_is_better=True, bounded=False, tasks=_REGRESSION),
}
"""Every metric, by the name used in settings, the store and Prometheus."""


def default_metric(task: Task) -> str:
    """Return the metric that decides when none was chosen.

    Examples
    --------
    >>> [default_metric(task) for task in Task]
    ['roc_auc', 'accuracy', 'mae']
    """
    return {Task.BINARY: "roc_auc", Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}[task]


def performance(labels: AnyArray, predictions: AnyArray, schema: Schema) -> dict[str, Estimate]:
    """Compute every metric of the model's task, with its sampling error.

    Values equal scikit-learn's (macro averages with ``zero_division=0``).

    Parameters
    ----------
    labels : ndarray, shape (n_rows,)
        Class names, or 0/1 for a binary model; numbers for regression. None and NaN are missing.
    predictions : ndarray, shape (n_rows,)
        The probability of ``schema.positive`` in 0-1 (binary; ≥ .5 counts as that class), the
        class name (multiclass), or the value (regression). None and NaN are missing.
    schema : Schema
        The model's task and classes.

    Returns
    -------
    dict of str to Estimate
        Keyed as in `METRICS`. Rows without a finite label and prediction are left out, and so is
        a metric that these rows do not define: the ROC AUC of one class, the precision when no
        row is predicted positive, anything on fewer than two rows.

    Raises
    ------
    ValueError
        If the two arrays differ in length.

    Examples
    --------
    >>> schema = Schema(Task.REGRESSION, features={}, target="y")
    >>> found = performance(np.array([1.0, 2, 4]), np.array([1.0, 3, 2]), schema)
    >>> found["mae"].value, round(found["mae"].standard_error, 3), found["mae"].n
    (1.0, 0.577, 3)
    """
    if len(labels) != len(predictions):
        raise ValueError(f"{len(labels)} labels for {len(predictions)} predictions")
    known = _known(labels) & _known(predictions)
    labels, predictions = labels[known], predictions[known]
    if len(labels) < MIN_ROWS:
        return {}
    if schema.task is Task.BINARY:
        return _binary(is_positive(labels, schema), predictions.astype(np.float64))
    if schema.task is Task.MULTICLASS:
        return _multiclass(*(class_names(v, schema.classes) for v in (labels, predictions)))
    return _regression(labels.astype(np.float64), predictions.astype(np.float64))


def class_names(values: AnyArray, classes: tuple[str, ...]) -> npt.NDArray[np.object_]:
    """Name classes as the schema does, shape (n_rows,); None and NaN stay missing (None).

    Examples
    --------
    >>> class_names(np.array([1.0, 0.0, np.nan]), classes=("0", "1")).tolist()
    ['1', '0', None]
    """
    codes, levels = pd.factorize(values)
    # tolist() gives Python's own types, which as_class tells apart. The last place is None: a
    # missing value has code -1.
    names = [*(as_class(level, classes) for level in levels.tolist()), None]
    return np.array(names, dtype=object)[codes]


def is_positive(labels: AnyArray, schema: Schema) -> BoolArray:
    """Tell the rows of the positive class, shape (n_rows,); any other class is negative.

    0 and 1 (or False and True) that name no class of the schema say whether it is the positive.
    """
    is_flag = labels.dtype.kind in "biuf" and as_class(1, schema.classes) not in schema.classes
    if is_flag:
        return np.asarray(labels == 1, dtype=np.bool_)
    return np.asarray(class_names(labels, schema.classes) == schema.positive, dtype=np.bool_)


def _known(values: AnyArray) -> BoolArray:
    if values.dtype.kind == "f":
        return np.isfinite(values)
    return np.asarray(pd.notna(values), dtype=np.bool_)


def _binary(positive: BoolArray, probability: FloatArray) -> dict[str, Estimate]:
    predicted = probability >= DECISION_THRESHOLD
    found = {"accuracy": _mean(positive == predicted)}
    hit = positive & predicted
    for name, (numerator, denominator) in _shares(hit, positive, predicted).items():
        if denominator.any():
            found[name] = _estimate(*_ratio(numerator, denominator))
    if positive.any() and not positive.all():
        found["roc_auc"] = _roc_auc(positive, probability)
    found["log_loss"] = _mean(_log_losses(positive, probability))
    return found


def _multiclass(labels: AnyArray, predicted: AnyArray) -> dict[str, Estimate]:
    """Average over the classes that occur, as scikit-learn's ``average="macro"`` does."""
    codes, levels = pd.factorize(np.concatenate([labels, predicted]))
    true, guess = codes[: len(labels)], codes[len(labels) :]
    values: dict[str, list[float]] = {"precision": [], "recall": [], "f1": []}
    influences = {name: np.zeros(len(labels)) for name in values}
    for code in range(len(levels)):
        positive, said = true == code, guess == code
        for name, (numerator, denominator) in _shares(positive & said, positive, said).items():
            # A class never predicted has no precision: scikit-learn counts it as zero.
            value, influence = _ratio(numerator, denominator) if denominator.any() else (0.0, 0.0)
            values[name].append(value)
            influences[name] += influence / len(levels)
    macro = {name: _estimate(float(np.mean(values[name])), influences[name]) for name in values}
    return {"accuracy": _mean(true == guess), **macro}


def _regression(labels: FloatArray, predictions: FloatArray) -> dict[str, Estimate]:
    squared = (labels - predictions) ** 2
    spread = (labels - labels.mean()) ** 2
    rmse = float(np.sqrt(squared.mean()))
    # √ has the derivative 1/(2·rmse); without any error there is nothing to scale.
    influence = (squared - rmse**2) / (2 * rmse) if rmse > 0 else np.zeros_like(squared)
    found = {"mae": _mean(np.abs(labels - predictions)), "rmse": _estimate(rmse, influence)}
    if spread.any():
        # The mean of the labels is estimated too, but the spread is flat at its own mean, so
        # that this adds nothing of first order.
        unexplained, influence = _ratio(squared, spread)
        found["r2"] = _estimate(1 - unexplained, influence)
    return found


def _shares(
    hit: BoolArray, positive: BoolArray, predicted: BoolArray
) -> dict[str, tuple[AnyArray, AnyArray]]:
    """Return numerator and denominator per row; with 0/1 rows the ratio's error is binomial."""
    return {
        "precision": (hit, predicted),
        "recall": (hit, positive),
        "f1": (2 * hit, 1 * positive + 1 * predicted),
    }


def _ratio(numerator: AnyArray, denominator: AnyArray) -> tuple[float, FloatArray]:
    """Return the ratio of two means, and the influence of each row on it."""
    above, below = numerator.astype(np.float64), denominator.astype(np.float64)
    ratio = float(above.mean() / below.mean())
    return ratio, (above - ratio * below) / below.mean()


def _mean(values: AnyArray) -> Estimate:
    numbers = values.astype(np.float64)
    return _estimate(float(numbers.mean()), numbers)


def _estimate(value: float, influence: FloatArray) -> Estimate:
    n_rows = influence.size
    return Estimate(value, float(influence.std(ddof=1) / np.sqrt(n_rows)), n_rows)


def _log_losses(positive: BoolArray, probability: FloatArray) -> FloatArray:
    tiny = np.finfo(np.float64).eps  # scikit-learn's own limit: log(0) would end the mean
    given = np.where(positive, probability, 1 - probability)
    return np.asarray(-np.log(np.clip(given, tiny, 1 - tiny)), dtype=np.float64)


def _roc_auc(positive: BoolArray, probability: FloatArray) -> Estimate:
    """Compute the area under the ROC curve and DeLong's error from ranks, in O(n log n).

    With midranks R over all rows and R⁺, R⁻ within each class, a positive row beats the share
    ``(R - R⁺)/n⁻`` of the negatives; the variance is ``S²⁺/n⁺ + S²⁻/n⁻`` of these shares.
    Sun and Xu, "Fast implementation of DeLong's algorithm", IEEE Signal Processing Letters 21
    (2014); DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    ranks = rankdata(probability)
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    wins = (ranks[positive] - rankdata(probability[positive])) / n_negative
    losses = (ranks[~positive] - rankdata(probability[~positive])) / n_positive
    variance = sum(
        # One row alone shows no spread: .25 is the most that a share in 0-1 can have.
        (shares.var(ddof=1) if shares.size > 1 else 0.25) / shares.size
        for shares in (wins, losses)
    )
    return Estimate(float(wins.mean()), float(np.sqrt(variance)), positive.size)
