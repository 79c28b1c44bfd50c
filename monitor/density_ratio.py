"""Density ratio: how much more often rows like those of the reference come now.

A classifier is asked to tell current rows from reference rows. Where it says "current" with
probability h, rows come (n_reference / n_current)·h / (1 - h) times as often as they did (Bickel,
Brückner and Scheffer, "Discriminative learning under covariate shift", JMLR 10 (2009)). Each row is
asked of classifiers that have not seen it, and what the classifier says is scaled by how much of it
holds on such rows: where nothing has moved its noise becomes weights of 1.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import expit

from monitor.columns import FloatArray, IntArray

N_PARTS = 2
"""Classifiers, fitted on rows that they do not share."""

FITTED_ROWS = 4_000
"""Rows of each side that one is fitted on at most: more tell it little and cost each cycle."""

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
    rows = np.concatenate([reference, current])
    is_current = np.arange(len(rows)) >= len(reference)
    logits = _held_out_logits(rows, is_current, seed)
    scale = _scale(logits, is_current, 0.5 / np.where(is_current, len(current), len(reference)))
    weights = np.exp(scale * logits[: len(reference)])
    # Not scaled: that some rows are told apart surely is lost among many that are not.
    lacking = expit(logits[len(reference) :]) > UNSUPPORTED
    return DensityRatio(weights / weights.mean(), float(lacking.mean()))


def parts(n_rows: int, seed: int) -> list[IntArray]:
    """Put rows into `N_PARTS` parts of equal size at random; each is an array of their places."""
    return np.array_split(np.random.default_rng(seed).permutation(n_rows), N_PARTS)


def _held_out_logits(rows: FloatArray, is_current: Any, seed: int) -> FloatArray:
    """Return the mean of what classifiers say that have not seen a row."""
    # Loads scikit-learn, which a watch that estimates nothing never needs.
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    n_reference = len(rows) - int(is_current.sum())
    before, now = parts(n_reference, seed), parts(len(rows) - n_reference, seed + 1)
    said, n_asked = np.zeros(len(rows)), np.zeros(len(rows))
    for of_before, of_now in zip(before, now, strict=True):
        fitted = np.concatenate([of_before[:FITTED_ROWS], n_reference + of_now[:FITTED_ROWS]])
        others = np.ones(len(rows), dtype=np.bool_)
        others[fitted] = False
        with one_thread():
            made = HistGradientBoostingClassifier(**BOOSTING, random_state=seed)
            made.fit(rows[fitted], is_current[fitted])
            said[others] += made.decision_function(rows[others])
        # As if there were as many current rows as others; weights in the fit itself would do the
        # same and make scikit-learn look for weighted quantiles, which takes far longer.
        n_now = int(is_current[fitted].sum())
        said[others] += np.log((fitted.size - n_now) / n_now)
        n_asked += others
    return said / n_asked


def _scale(logits: FloatArray, is_current: Any, weights: FloatArray) -> float:
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


BOOSTING = {
    "max_iter": 25,
    "learning_rate": 0.3,
    "max_leaf_nodes": 4,
    "l2_regularization": 10.0,
    "min_samples_leaf": 20,
    "early_stopping": False,
}
"""Few, shallow trees: whoever has to tell two clouds of rows apart needs no more, and each cycle
pays for them."""


@cache
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - once scikit-learn is there

    return ThreadpoolController()


def one_thread() -> Any:
    """Keep OpenMP to the thread that calls, in a ``with``: cycles run beside requests and fits."""
    return _thread_pools().limit(limits=1, user_api="openmp")
