"""PAPE of several classes: metrics from the chances a model gave them, calibrated for now.

As `monitor.checks.pape`: the reference, weighted to look like the current rows, says how likely
each class is where the model gave such chances. All metrics here follow from two sums for each
class: rows that are of it, and rows that are of it and were called so. Both are summed from the
calibrated chances and corrected by what the weighted reference's labels still differ from them,
which makes each doubly robust.

The map is Dirichlet calibration with a diagonal matrix (Kull, Perelló-Nieto, Kängsepp, Silva Filho,
Song and Flach, "Beyond temperature scaling", NeurIPS 2019), the vector scaling of Guo et al. (2017)
applied to logarithms of chances: softmax of slope·ln(chance) + constant, two numbers for each
class. Of two classes it is the beta calibration of the binary models.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from monitor.checks.pape import CLIP, NEWTON_STEPS, RIDGE, Told
from monitor.columns import FloatArray, IntArray
from monitor.sample import Outcomes

HALVINGS = 10
"""A step that makes the map worse is taken by half, so many times at most."""


@dataclass(frozen=True)
class _Sums:
    """Shares of the current rows by class; each of shape (n_classes,).

    Parameters
    ----------
    called : ndarray
        Rows that the model calls so.
    hits : ndarray
        Rows that it calls so and that are of the class.
    are : ndarray
        Rows that are of the class.
    comes : ndarray
        Chance that at least one row is of the class, 0-1.
    """

    called: FloatArray
    hits: FloatArray
    are: FloatArray
    comes: FloatArray


@dataclass(frozen=True)
class _Metric:
    """A metric, and how it grows with the sums.

    Parameters
    ----------
    value : float
        The metric.
    by_hits, by_are : ndarray, shape (n_classes,)
        Its derivatives.
    by_chance : float
        Its variance because rare classes may come or not.
    """

    value: float
    by_hits: FloatArray
    by_are: FloatArray
    by_chance: float = 0.0


def pape_of_classes(
    metric: str,
    reference: Outcomes,
    weights: FloatArray,
    predictions: FloatArray,
    chances: FloatArray,
) -> Told:
    """Estimate a metric of a model of several classes.

    Parameters
    ----------
    metric : str
        A name of `monitor.checks.performance.METRICS` that multiclass models have.
    reference : Outcomes, n_reference rows
        Places of classes, and the chance of each class.
    weights : ndarray, shape (n_reference,)
        How much more often rows like each come now.
    predictions : ndarray, shape (n_current,)
        What the model calls the current rows: places of classes.
    chances : ndarray, shape (n_current, n_classes)
        How likely it found each class, 0-1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> chances = rng.dirichlet(np.ones(3), size=20_000)
    >>> labels = (chances.cumsum(axis=1) < rng.uniform(size=(20_000, 1))).sum(axis=1)
    >>> said = chances.argmax(axis=1)
    >>> before = Outcomes(said[2000:], labels[2000:], chances[2000:])
    >>> found = pape_of_classes("f1", before, np.ones(18_000), said[:2000], chances[:2000])
    >>> bool(abs(found.value - chances[:2000].max(axis=1).mean()) < 0.02)
    True
    """
    assert reference.chances is not None
    said, said_before = (_places(one) for one in (predictions, reference.predictions))
    came, shares = _places(reference.labels), weights / weights.sum()
    curve = _calibrate(reference.chances, came, shares)
    now, before = (_mapped(curve, _logs(one)) for one in (chances, reference.chances))

    left = np.eye(chances.shape[1])[came] - before
    left *= shares[:, None]
    found = _metric(metric, _sums(said, now, left, said_before))
    # What the metric gains of a row by what it is called (rows) and what it is (columns).
    gains = np.diag(found.by_hits) + found.by_are
    # The labels that will come are drawn by chance, and so are those that the map rests on.
    gains_now = gains[said]
    mean = np.sum(now * gains_now, axis=1)
    to_come = np.sum(now * gains_now**2, axis=1) - mean**2
    missed = np.sum(left * gains[said_before], axis=1)
    variance = to_come.sum() / said.size**2 + np.sum(missed**2) + found.by_chance
    return Told(found.value, float(np.sqrt(variance)))


def _places(values: FloatArray) -> IntArray:
    return np.asarray(values, dtype=np.int64)


def _logs(chances: FloatArray) -> FloatArray:
    return np.log(np.clip(chances, CLIP, 1.0))


def _mapped(curve: FloatArray, logs: FloatArray) -> FloatArray:
    """Return calibrated chances; `curve` has the slopes, then the constants."""
    slopes, constants = np.split(curve, 2)
    return np.asarray(softmax(slopes * logs + constants, axis=1), dtype=np.float64)


def _calibrate(chances: FloatArray, came: IntArray, shares: FloatArray) -> FloatArray:
    """Fit the map by Newton's method; where rows say nothing chances are taken as they are.

    Returns
    -------
    ndarray, shape (2 · n_classes,)
        The slopes, then the constants.
    """
    logs, n_classes = _logs(chances), chances.shape[1]
    is_of = np.eye(n_classes)[came]
    curve = identity = _identity(n_classes)

    def loss(one: FloatArray) -> float:
        slopes, constants = np.split(one, 2)
        of_rows = log_softmax(slopes * logs + constants, axis=1)[np.arange(came.size), came]
        return float(-np.sum(shares * of_rows) + RIDGE / 2 * np.sum((one - identity) ** 2))

    now = loss(curve)
    for _ in range(NEWTON_STEPS):
        step = _step(logs, is_of, shares, curve)
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004 - far below any sampling error
            break
        for _ in range(HALVINGS):
            then = loss(curve + step)
            if then <= now:
                break
            step /= 2
        else:
            break
        curve, now = curve + step, then
    return curve


def _identity(n_classes: int) -> FloatArray:
    """Return the map that leaves chances as they are."""
    return np.repeat([1.0, 0.0], n_classes)


def _step(logs: FloatArray, is_of: FloatArray, shares: FloatArray, curve: FloatArray) -> FloatArray:
    """Return Newton's step of the map's numbers."""
    n_classes = logs.shape[1]
    given = _mapped(curve, logs)
    left = shares[:, None] * (is_of - given)
    slope = np.concatenate([(left * logs).sum(axis=0), left.sum(axis=0)])
    slope -= RIDGE * (curve - _identity(n_classes))
    # Second derivatives: of each class by itself, less what classes take from each other.
    shared = np.hstack([given * logs, given])
    weighted = shares[:, None] * given
    squares, products, ones = (np.diag((weighted * logs**power).sum(axis=0)) for power in (2, 1, 0))
    own = np.block([[squares, products], [products, ones]])
    # Not by `@`: the threads of BLAS wait for each other where other work keeps the cores busy.
    taken = np.einsum("ij,ik->jk", shares[:, None] * shared, shared)
    bend = own - taken + RIDGE * np.eye(2 * n_classes)
    return np.asarray(np.linalg.solve(bend, slope), dtype=np.float64)


def _sums(said: IntArray, now: FloatArray, left: FloatArray, said_before: IntArray) -> _Sums:
    """Sum chances of the current rows by class, corrected by what is left on the reference."""
    n_classes, rows = now.shape[1], np.arange(said.size)
    called = np.bincount(said, minlength=n_classes) / said.size
    hits = np.bincount(said, now[rows, said], n_classes) / said.size
    hits += np.bincount(said_before, left[np.arange(said_before.size), said_before], n_classes)
    hits = np.clip(hits, 0.0, called)
    are = np.clip(now.mean(axis=0) + left.sum(axis=0), hits, 1.0)
    # Scaled to the corrected sum: a class that the reference never had does not come by the clip.
    scaled = now * (are / np.maximum(now.mean(axis=0), np.finfo(np.float64).tiny))
    none = np.log1p(-np.minimum(scaled, 1 - np.finfo(np.float64).eps)).sum(axis=0)
    return _Sums(called, hits, are, -np.expm1(none))


def _metric(metric: str, sums: _Sums) -> _Metric:
    """Return a metric of the sums, as `performance` computes it of counts."""
    n_classes = sums.called.size
    if metric == "accuracy":
        return _Metric(float(sums.hits.sum()), np.ones(n_classes), np.zeros(n_classes))
    above, below, more, slope = {
        "precision": (sums.hits, sums.called, 1.0, 0.0),
        "recall": (sums.hits * sums.comes, sums.are, sums.comes, 1.0),
        "f1": (2 * sums.hits, sums.called + sums.are, 2.0, 1.0),
    }[metric]
    # A class that is neither predicted nor there has no part in the mean; one that is not
    # predicted, or has no rows, counts 0.
    is_called = sums.called > 0
    known = is_called & (below > 0)
    safe = np.where(known, below, 1.0)
    values = np.where(known, above / safe, 0.0)
    occurs = np.where(is_called, 1.0, sums.comes)
    n_occur = occurs.sum()
    value = float(values.sum() / n_occur)
    by_hits = np.where(known, more / safe, 0.0) / n_occur
    by_are = np.where(known, -slope * values / safe, 0.0) / n_occur
    by_chance = (value / n_occur) ** 2 * np.sum(occurs * (1 - occurs))
    return _Metric(value, by_hits, by_are, float(by_chance))
