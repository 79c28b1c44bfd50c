"""Estimate: how good predictions are while their labels have not come.

What is estimated is what will be measured on these rows if the relation of inputs and outcome is
what it was on the reference. **No estimate sees concept drift**: where that relation changes, all
of them go on saying what used to be true. Where even the assumption does not help, there is no
estimate, and the reason is said.
"""

from dataclasses import dataclass

import numpy as np

from monitor.checks.doubly_robust import doubly_robust
from monitor.checks.pape import Told, pape
from monitor.checks.pape_of_classes import pape_of_classes
from monitor.checks.performance import METRICS, AnyArray, class_names, is_positive, performance
from monitor.columns import FloatArray
from monitor.density_ratio import density_ratio
from monitor.reference import Estimate
from monitor.sample import Outcomes, Sample
from monitor.schema import Schema, Task

LEAST_ROWS = 30
"""Fewer current rows have no shape that could be told."""

LEAST_ALIKE = 400
"""Reference rows that look like the current ones, in effect: fewer say too little."""

MOST_UNSUPPORTED = 0.05
"""Share of current rows that may be of a kind that the reference hardly has."""

LOSSES = frozenset({"mae", "rmse", "accuracy"})
"""Metrics that come of the mean of one loss a row; a model whose chances are known has all."""

SEED = 0
"""The same rows get the same estimate."""


@dataclass(frozen=True)
class Abstention:
    """Why there is no estimate."""

    reason: str


@dataclass(frozen=True)
class Current:
    """Rows without labels.

    Parameters
    ----------
    features : ndarray, shape (n_drawn, n_columns)
        Some of them, encoded as the sample is.
    predictions : ndarray, shape (n_rows,)
        What was predicted of all of them, as numbers.
    chances : ndarray, shape (n_rows, n_classes), or None
        How likely each of several classes was found; None where a row lacks them.
    """

    features: FloatArray
    predictions: FloatArray
    chances: FloatArray | None = None


def estimate(
    sample: Sample, current: Current, schema: Schema, metric: str
) -> Estimate | Abstention:
    """Estimate a metric on rows without labels, or say why it cannot be.

    Parameters
    ----------
    sample : Sample
        The reference.
    current : Current
        The rows.
    schema : Schema
        The model's task and classes.
    metric : str
        A name of `monitor.checks.performance.METRICS`.

    Returns
    -------
    Estimate or Abstention
        The standard error holds for what will be measured on these very rows.
    """
    against = _against(sample, current, schema, metric)
    if against:
        return Abstention(against)
    ratio = density_ratio(reference=sample.features, current=current.features, seed=SEED)
    if ratio.unsupported_ratio > MOST_UNSUPPORTED:
        return Abstention(
            f"{ratio.unsupported_ratio:.0%} of the rows are of a kind that the reference hardly has"
        )
    if ratio.effective_rows < LEAST_ALIKE:
        return Abstention(
            f"only {ratio.effective_rows:.0f} of {sample.n_rows} reference rows, in effect, look "
            f"like the current ones, {LEAST_ALIKE} are needed"
        )
    told = _told(sample, current, ratio.weights, schema, metric)
    if told is None or not np.isfinite([told.value, told.standard_error]).all():
        return Abstention(f"{METRICS[metric].title} is not defined on these predictions")
    return Estimate(told.value, told.standard_error, current.predictions.size)


def _against(sample: Sample, current: Current, schema: Schema, metric: str) -> str:
    """Say what rules an estimate out before the rows are compared; empty where nothing does."""
    title = METRICS[metric].title
    if schema.task is Task.REGRESSION and metric not in LOSSES:
        return f"{title} is not the mean of a loss of each row"
    if schema.task is Task.MULTICLASS and metric not in LOSSES:
        lacking = _lacking(sample, current)
        if lacking:
            return f"{title} of several classes needs how likely each was, which {lacking}"
    if sample.n_rows < LEAST_ALIKE:
        return (
            f"the reference has {sample.n_rows} rows with both label and prediction, "
            f"{LEAST_ALIKE} are needed"
        )
    n_rows = len(current.features)
    if n_rows < LEAST_ROWS:
        return f"the champion predicted {n_rows} of the rows, {LEAST_ROWS} are needed"
    return ""


def _lacking(sample: Sample, current: Current) -> str:
    """Say who has classes alone, without their chances; empty where nobody."""
    if sample.outcomes.chances is None:
        return "the reference does not have"
    return "not all of these rows were logged with" if current.chances is None else ""


def _told(
    sample: Sample, current: Current, weights: FloatArray, schema: Schema, metric: str
) -> Told | None:
    if schema.task is Task.BINARY:
        return pape(metric, sample.outcomes, weights, current.predictions)
    if sample.outcomes.chances is not None and current.chances is not None:
        now = current.predictions, current.chances
        return pape_of_classes(metric, sample.outcomes, weights, *now)
    found = doubly_robust(
        _losses(sample.outcomes, metric),
        weights,
        reference=sample.features,
        current=current.features,
        n_rows=current.predictions.size,
        seed=SEED,
    )
    if metric != "rmse":
        return found
    root = np.sqrt(max(found.value, 0.0))
    # √ has the derivative 1/(2·root).
    return Told(float(root), float(found.standard_error / (2 * root))) if root else None


def _losses(outcomes: Outcomes, metric: str) -> FloatArray:
    if metric == "accuracy":
        return np.asarray(outcomes.predictions == outcomes.labels, dtype=np.float64)
    errors = np.abs(outcomes.predictions - outcomes.labels)
    return errors**2 if metric == "rmse" else errors


def as_numbers(values: AnyArray, schema: Schema, *, are_labels: bool) -> FloatArray:
    """Return labels or predictions as `monitor.sample.Outcomes` has them; NaN where missing.

    Examples
    --------
    >>> schema = Schema(Task.MULTICLASS, features={}, target="y", classes=("a", "b"))
    >>> as_numbers(np.array(["b", "a", None, "new"], dtype=object), schema, are_labels=False)
    array([ 1.,  0., nan, nan])
    """
    if schema.task is Task.REGRESSION or (schema.task is Task.BINARY and not are_labels):
        return np.asarray(values, dtype=np.float64)
    names = class_names(values, schema.classes)
    if schema.task is Task.BINARY:
        missing = np.array([name is None for name in names])
        return np.where(missing, np.nan, is_positive(values, schema))
    places = {name: float(place) for place, name in enumerate(schema.classes)}
    return np.array([places.get(name, np.nan) for name in names], dtype=np.float64)


def measured(outcomes: Outcomes, schema: Schema, metric: str) -> Estimate | None:
    """Measure a metric on labelled rows; None where they do not define it."""
    labels: AnyArray = outcomes.labels
    predictions: AnyArray = outcomes.predictions
    if schema.task is not Task.REGRESSION:
        classes = np.array(
            [schema.classes[0], schema.positive]
            if schema.task is Task.BINARY
            else list(schema.classes),
            dtype=object,
        )
        labels = classes[outcomes.labels.astype(np.int64)]
        if schema.task is Task.MULTICLASS:
            predictions = classes[outcomes.predictions.astype(np.int64)]
    return performance(labels, predictions, schema).get(metric)
