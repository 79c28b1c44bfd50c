"""Fading: rows that count for less the older they are, and samples that keep to it."""

from datetime import timedelta

import numpy as np

from monitor.columns import FloatArray, IntArray
from retrain.dataset import Dataset

HALF_WEIGHT_WINDOWS = 4
"""Age in windows at which a row counts half: the shortest training range that competes."""


def recency(dataset: Dataset, window: timedelta | int) -> FloatArray:
    """Return weights 1 / (1 + age in windows / 4): gradual forgetting at every pace at once.

    A weight that halves with every so many windows needs to be told how fast the world turns. This
    one is a mean over all such paces: of 26 windows the newest 7 have half of the weight, of 52 the
    newest 11 (gradual forgetting: Koychev, *Gradual forgetting for adaptation to concept drift*,
    ECAI 2000 Workshop on Current Issues in Spatio-Temporal Reasoning).

    Parameters
    ----------
    dataset : Dataset
        The rows.
    window : timedelta or int
        Length of a window, in time or in rows.

    Examples
    --------
    >>> import pandas as pd
    >>> times = np.arange(5).astype("datetime64[us]")
    >>> recency(Dataset(pd.DataFrame(index=range(5)), np.zeros(5), times), window=1).round(2)
    array([0.5 , 0.57, 0.67, 0.8 , 1.  ])
    """
    if isinstance(window, int):
        age = np.arange(len(dataset))[::-1] / window
    else:
        age = (dataset.event_at[-1] - dataset.event_at) / np.timedelta64(window)
    return np.asarray(1 / (1 + age / HALF_WEIGHT_WINDOWS), dtype=np.float64)


def drawn_by(weights: FloatArray, n_rows: int, seed: int) -> tuple[IntArray, FloatArray]:
    """Draw rows the more often the more they count, so that a sample does not thin the newest ones.

    Systematic sampling with chances in proportion to size, of rows in random order (Madow, *On the
    theory of systematic sampling II*, Annals of Mathematical Statistics 20, 1949).

    Parameters
    ----------
    weights : ndarray, shape (n_all,)
        Above 0.
    n_rows : int
        How many to draw, fewer than there are.
    seed : int
        Of the order.

    Returns
    -------
    places : ndarray of int, shape (n_rows,)
        Positions, ascending.
    weights : ndarray, shape (n_rows,)
        What each stands for: its weight divided by its chance to be drawn.

    Examples
    --------
    >>> places, left = drawn_by(1 / np.arange(1.0, 101), 10, seed=0)
    >>> len(set(places)), bool(0 in places), left.round(2)[:3].tolist()
    (10, True, [1.0, 0.5, 0.46])
    """
    chances = np.zeros(weights.size)
    sure = chances > 0
    while (more := chances >= 1).sum() > sure.sum() or not chances.any():
        sure = more
        rest = weights[~sure].sum()
        chances = np.where(sure, 1.0, weights * (n_rows - sure.sum()) / rest)
    order = np.random.default_rng(seed).permutation(weights.size)
    reached = np.cumsum(chances[order])
    steps = (np.arange(n_rows) + 0.5) * reached[-1] / n_rows
    places = np.sort(order[np.searchsorted(reached, steps)])
    return places, weights[places] / chances[places]
