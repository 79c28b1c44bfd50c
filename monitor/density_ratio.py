"""Density ratio: how much more often rows like those of the reference come now.

A classifier is asked to tell current rows from reference rows. Where it says "current" with
probability h, rows come (n_reference / n_current)·h / (1 - h) times as often as they did (Bickel,
Brückner and Scheffer, "Discriminative learning under covariate shift", JMLR 10 (2009)). Each row is
asked of classifiers that have not seen it, and what the classifier says is scaled by how much of it
holds on such rows: where nothing has moved its noise becomes weights of 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from monitor.columns import FloatArray
from monitor.domain_classifier import BoolArray, tell_apart

UNSUPPORTED = 0.99
"""From this probability on a current row is of a kind that the reference hardly has."""

MOST_SCALE = 2.0
"""Few shallow trees say less than they know; beyond twice as much it would be a guess."""

NEWTON_STEPS = 8


@dataclass(frozen=True)
class DensityRatio:
    """The reference's rows, weighted to look like the current ones.

    Parameters
    ----------
    weights : ndarray, shape (n_reference,)
        How much more often rows like this one come now; their mean is 1.
    unsupported_ratio : float
        Share of the current rows of a kind that the reference hardly has, 0-1.
    """

    weights: FloatArray
    unsupported_ratio: float

    @property
    def effective_rows(self) -> float:
        """Rows that the weighted reference is worth: (Σw)² / Σw² (Kish 1965)."""
        return float(self.weights.sum() ** 2 / np.sum(self.weights**2))


def density_ratio(*, reference: FloatArray, current: FloatArray, seed: int) -> DensityRatio:
    """Weight reference rows so that they look like the current ones.

    Parameters
    ----------
    reference : ndarray, shape (n_reference, n_features)
        Encoded rows; NaN is missing. At least two.
    current : ndarray, shape (n_current, n_features)
        The same columns. At least two.
    seed : int
        Seed of the parts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before, now = rng.normal(size=(4000, 1)), rng.normal(1.0, 1.0, size=(1000, 1))
    >>> found = density_ratio(reference=before, current=now, seed=0)
    >>> bool(abs(np.average(before[:, 0], weights=found.weights) - 1.0) < 0.15)
    True
    >>> found.unsupported_ratio < 0.05
    True
    """
    classifier = tell_apart(reference=reference, current=current, seed=seed)
    is_current = classifier.is_current
    logits = classifier.logits(np.concatenate([reference, current]))
    scale = _scale(logits, is_current, 0.5 / np.where(is_current, len(current), len(reference)))
    weights = np.exp(scale * logits[: len(reference)])
    # Not scaled: that some rows are told apart surely is lost among many that are not.
    lacking = expit(logits[len(reference) :]) > UNSUPPORTED
    return DensityRatio(weights / weights.mean(), float(lacking.mean()))


def _scale(logits: FloatArray, is_current: BoolArray, weights: FloatArray) -> float:
    """Return how much of the held-out logits holds: logistic regression on them, no constant."""
    scale = 0.0
    for _ in range(NEWTON_STEPS):
        told = expit(scale * logits)
        curvature = float(np.sum(weights * told * (1 - told) * logits**2))
        if curvature <= 0.0:
            return 0.0
        step = float(np.sum(weights * (is_current - told) * logits)) / curvature
        scale = float(np.clip(scale + step, 0.0, MOST_SCALE))
    return scale
