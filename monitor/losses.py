"""Losses: what a champion lost more than its predecessor, on rows that both predicted.

Each difference lies between -1 and 1, as the bets of `monitor.probation` need it:

- binary: the squared error of the probability (Brier 1950). It is a proper score, and sees harm to
  the accuracy or the ROC AUC several times sooner than wrong and right classes alone would;
- multiclass: half the squared error of the probabilities of all classes. Where a version names a
  class alone that class counts as certain, and it is right or wrong: a loss of 0 or 1, which sees
  harm later;
- regression: the absolute errors. Their difference is at most that of the predictions (triangle
  inequality), which is known before the label; it is taken in units of the reference's mean
  absolute error, or of the difference of the predictions where that is greater.
"""

from dataclasses import dataclass

import numpy as np

from monitor.checks.performance import METRICS, AnyArray, class_names, is_positive, performance
from monitor.columns import FloatArray
from monitor.schema import Schema, Task

TITLES = {
    Task.BINARY: "squared error of the probability",
    Task.MULTICLASS: "half the squared error of the probabilities",
    Task.REGRESSION: "absolute error over the reference's",
}
"""The loss of each task, in words."""


@dataclass(frozen=True)
class Pairs:
    """Labelled rows that both versions predicted, in the order in which their labels came.

    Parameters
    ----------
    labels, champion, predecessor : ndarray, shape (n_rows,)
        As `monitor.checks.performance.performance` takes them.
    chances : pair of ndarray, shape (n_rows, n_classes), or None
        How likely the champion and the predecessor found each class (multiclass), in the schema's
        order; None where one of them does not say.
    """

    labels: AnyArray
    champion: AnyArray
    predecessor: AnyArray
    chances: tuple[FloatArray, FloatArray] | None = None


def loss_differences(pairs: Pairs, schema: Schema, *, unit: float) -> FloatArray:
    """Return what the champion lost more than its predecessor in each row, in -1 to 1.

    Parameters
    ----------
    pairs : Pairs
        The rows; nothing is missing.
    schema : Schema
        Task and classes.
    unit : float
        The reference's mean absolute error (regression).

    Returns
    -------
    ndarray of float64, shape (n_rows,)

    Examples
    --------
    >>> schema = Schema(Task.BINARY, features={}, target="y", classes=("0", "1"))
    >>> pairs = Pairs(np.array([1, 0]), np.array([0.5, 0.2]), np.array([1.0, 0.2]))
    >>> loss_differences(pairs, schema, unit=1.0).tolist()
    [0.25, 0.0]
    """
    if schema.task is Task.REGRESSION:
        return _absolute(pairs, unit)
    if schema.task is Task.MULTICLASS:
        return _of_classes(pairs, schema)
    truth = is_positive(pairs.labels, schema)
    champion, predecessor = (
        (truth - np.clip(one.astype(np.float64), 0.0, 1.0)) ** 2
        for one in (pairs.champion, pairs.predecessor)
    )
    return np.asarray(champion - predecessor, dtype=np.float64)


def metric_gain(pairs: Pairs, schema: Schema, metric: str) -> float:
    """Return how much better the champion's metric is; 0 where these rows do not define it.

    It is a difference for metrics in 0-1, a share of the predecessor's value for the others.
    """
    champion, predecessor = (
        performance(pairs.labels, made, schema).get(metric)
        for made in (pairs.champion, pairs.predecessor)
    )
    if champion is None or predecessor is None:
        return 0.0
    # `gain` names what is compared with its champion: here that is the predecessor.
    gain = METRICS[metric].gain(champion=predecessor.value, challenger=champion.value)
    if METRICS[metric].bounded or not predecessor.value:
        return gain
    return gain / abs(predecessor.value)


def _of_classes(pairs: Pairs, schema: Schema) -> FloatArray:
    truth, champion, predecessor = (
        _certain(one, schema) for one in (pairs.labels, pairs.champion, pairs.predecessor)
    )
    if pairs.chances is not None:
        champion, predecessor = pairs.chances
    more = ((champion - truth) ** 2 - (predecessor - truth) ** 2).sum(axis=1) / 2
    return np.asarray(np.clip(more, -1.0, 1.0))  # rounding alone reaches beyond


def _certain(named: AnyArray, schema: Schema) -> FloatArray:
    """Return probabilities of 1 for the classes named, shape (n_rows, n_classes)."""
    return np.asarray(
        class_names(named, schema.classes)[:, None] == np.array(schema.classes, object),
        dtype=np.float64,
    )


def _absolute(pairs: Pairs, unit: float) -> FloatArray:
    truth = pairs.labels.astype(np.float64)
    champion = pairs.champion.astype(np.float64)
    predecessor = pairs.predecessor.astype(np.float64)
    scale = np.maximum(unit, np.abs(champion - predecessor))
    more = np.abs(truth - champion) - np.abs(truth - predecessor)
    # Where the two agree to the last digit and no error is known, there is nothing to lose.
    found = np.zeros_like(more)
    np.divide(more, scale, out=found, where=scale > 0)
    return np.asarray(np.clip(found, -1.0, 1.0))  # rounding alone reaches beyond
