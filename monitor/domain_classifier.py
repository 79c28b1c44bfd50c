"""Domain classifier: tells current rows from the reference's, each row by models it is new to.

Two models are fitted on rows that they do not share. What they say of a row that neither has been
fitted on is averaged; of the others only the one that has not seen it is asked (cross-fitting).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from monitor.columns import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]

N_PARTS = 2
"""Classifiers, fitted on rows that they do not share."""

FITTED_ROWS = 4_000
"""Rows of each side that one is fitted on at most: more tell it little and cost each cycle."""

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


@dataclass(frozen=True)
class _Fitted:
    """One model, what it says too little of for having seen more of one side, and who is new."""

    model: Any
    log_odds: float
    unseen: BoolArray


@dataclass(frozen=True)
class DomainClassifier:
    """Models that tell rows apart.

    Parameters
    ----------
    is_current : ndarray, shape (n_rows,)
        Which of the rows are current ones.
    """

    is_current: BoolArray
    _fitted: tuple[_Fitted, ...]

    def logits(self, rows: FloatArray, places: IntArray | None = None) -> FloatArray:
        """Return how surely rows are current ones, as said by those that have not seen them.

        Parameters
        ----------
        rows : ndarray, shape (n_asked, n_features)
            Rows that it was fitted on, perhaps with some values changed.
        places : ndarray, shape (n_asked,), or None
            Which of the rows they are; None for all.

        Returns
        -------
        ndarray, shape (n_asked,)
            ln(h / (1 - h)), both sides weighing the same in each model's rows.
        """
        said, n_asked = np.zeros(len(rows)), np.zeros(len(rows))
        for one in self._fitted:
            unseen = one.unseen if places is None else one.unseen[places]
            if unseen.any():
                with one_thread():
                    said[unseen] += one.model.decision_function(rows[unseen]) + one.log_odds
                n_asked += unseen
        return said / np.maximum(n_asked, 1)

    def auc(self, logits: FloatArray, places: IntArray | None = None) -> float:
        """Return the chance that a current row is told from one of the reference, 0-1."""
        current = self.is_current if places is None else self.is_current[places]
        n_current = int(current.sum())
        ranks = rankdata(logits)[current].sum() - n_current * (n_current + 1) / 2
        return float(ranks / (n_current * (current.size - n_current)))


def tell_apart(*, reference: FloatArray, current: FloatArray, seed: int) -> DomainClassifier:
    """Fit a domain classifier.

    Parameters
    ----------
    reference : ndarray, shape (n_reference, n_features)
        Encoded rows; NaN is missing. At least two.
    current : ndarray, shape (n_current, n_features)
        The same columns. At least two. In a result they come after the reference's rows.
    seed : int
        Seed of the parts.

    References
    ----------
    Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests", arXiv:1610.06545.
    """
    # Loads scikit-learn, which a watch that has no labelled reference never needs.
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    rows = np.concatenate([reference, current])
    is_current = np.arange(len(rows)) >= len(reference)
    before, now = parts(len(reference), seed), parts(len(current), seed + 1)
    found = []
    for of_before, of_now in zip(before, now, strict=True):
        fitted = np.concatenate([of_before[:FITTED_ROWS], len(reference) + of_now[:FITTED_ROWS]])
        unseen = np.ones(len(rows), dtype=np.bool_)
        unseen[fitted] = False
        with one_thread():
            made = HistGradientBoostingClassifier(**BOOSTING, random_state=seed)
            made.fit(rows[fitted], is_current[fitted])
        # As if there were as many current rows as others; weights in the fit itself would do the
        # same and make scikit-learn look for weighted quantiles, which takes far longer.
        n_now = int(is_current[fitted].sum())
        found.append(_Fitted(made, float(np.log((fitted.size - n_now) / n_now)), unseen))
    return DomainClassifier(is_current, tuple(found))


def parts(n_rows: int, seed: int) -> list[IntArray]:
    """Put rows into `N_PARTS` parts of equal size at random; each is an array of their places."""
    return np.array_split(np.random.default_rng(seed).permutation(n_rows), N_PARTS)


@cache
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - once scikit-learn is there

    return ThreadpoolController()


def one_thread() -> Any:
    """Keep OpenMP to the thread that calls, in a ``with``: cycles run beside requests and fits."""
    return _thread_pools().limit(limits=1, user_api="openmp")
