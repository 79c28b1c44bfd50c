"""Doubly robust: the mean of any loss without labels.

A regression m of the loss on what the model was given and said is fitted to the reference and
asked of the current rows; the reference's own residuals, weighted to look like the current rows,
correct it: mean(m) + Σ w̃·(loss - m). It is right when either the regression or the weights are
(Robins, Rotnitzky and Zhao 1994; Chernozhukov et al., "Double/debiased machine learning", 2018).
"""

import numpy as np

from monitor.checks.pape import Told
from monitor.columns import FloatArray
from monitor.domain_classifier import BOOSTING, N_PARTS, one_thread, parts


def doubly_robust(
    losses: FloatArray,
    weights: FloatArray,
    *,
    reference: FloatArray,
    current: FloatArray,
    n_rows: int,
    seed: int,
) -> Told:
    """Estimate the mean of a loss over the current rows.

    Parameters
    ----------
    losses : ndarray, shape (n_reference,)
        Loss of each reference row.
    weights : ndarray, shape (n_reference,)
        How much more often rows like each come now.
    reference : ndarray, shape (n_reference, n_features)
        Encoded rows.
    current : ndarray, shape (n_current, n_features)
        The current rows, or some that were drawn of them.
    n_rows : int
        Current rows in all.
    seed : int
        Seed of the parts: each reference row is told by a regression that has not seen it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before, now = rng.uniform(size=(4000, 1)), rng.uniform(0.5, 1.0, size=(500, 1))
    >>> found = doubly_robust(
    ...     before[:, 0] ** 2, np.where(before[:, 0] > 0.5, 2.0, 0.0),
    ...     reference=before, current=now, n_rows=500, seed=0,
    ... )
    >>> bool(abs(found.value - np.mean(now**2)) < 0.02)
    True
    """
    told_before, told_now = _regress(losses, reference, current, seed)
    shares = weights / weights.sum()
    residuals = losses - told_before
    value = told_now.mean() + np.sum(shares * residuals)
    # The labels that will come, the reference's labels, and the rows that were not drawn.
    to_come = np.sum(shares * residuals**2) / n_rows
    drawn = told_now.var() * (1 / len(current) - 1 / n_rows)
    variance = to_come + np.sum((shares * residuals) ** 2) + drawn
    return Told(float(value), float(np.sqrt(variance)))


def _regress(
    losses: FloatArray, reference: FloatArray, current: FloatArray, seed: int
) -> tuple[FloatArray, FloatArray]:
    # Loads scikit-learn, which a watch that estimates nothing never needs.
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415

    before, now = np.empty(len(reference)), np.zeros(len(current))
    for held_out in parts(len(reference), seed):
        others = np.ones(len(reference), dtype=np.bool_)
        others[held_out] = False
        with one_thread():
            made = HistGradientBoostingRegressor(**BOOSTING, random_state=seed)
            made.fit(reference[others], losses[others])
            before[held_out] = made.predict(reference[held_out])
            now += made.predict(current) / N_PARTS
    return before, now
