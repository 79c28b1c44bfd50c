"""Likelihood: how likely values are among clean ones, and from which row on others are likelier."""

from dataclasses import dataclass

import numpy as np

from monitor.checks.onset import MIN_ROWS
from monitor.columns import FloatArray

N_BINS = 64
NARROWEST = 0.01
"""No bin is narrower than this share of the range: what many rows share is not a certainty."""

OUTSIDE = 1e-3
"""Share that is left for values which clean rows do not have; it thins out with the square of
their distance in ranges, as far as they may lie."""


@dataclass(frozen=True)
class Density:
    """A histogram.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,), ascending
        The bins.
    logs : ndarray, shape (n_bins,)
        Logarithm of the density in each bin.
    """

    edges: FloatArray
    logs: FloatArray

    def log(self, values: FloatArray) -> FloatArray:
        """Return the logarithm of the density at values."""
        low, high = self.edges[0], self.edges[-1]
        bins = np.searchsorted(self.edges, values, side="right") - 1
        inside = self.logs[np.clip(bins, 0, self.logs.size - 1)]
        away = np.maximum(np.maximum(low - values, values - high), 0.0) / (high - low)
        outside = np.log(OUTSIDE / (2 * (high - low))) - 2 * np.log1p(away)
        found: FloatArray = np.where(away > 0, outside, inside)
        return found


def density(values: FloatArray) -> Density:
    """Estimate the density of values.

    Examples
    --------
    >>> found = density(np.linspace(0, 1, 1001))
    >>> np.round(np.exp(found.log(np.array([0.5, 2.0]))), 6).tolist()
    [1.021243, 0.000125]
    """
    low, high = float(values.min()), float(values.max())
    width = (high - low) or max(abs(high), 1.0) * NARROWEST
    cuts = np.unique(np.quantile(values, np.linspace(0, 1, N_BINS + 1)))
    edges = [low]
    for cut in cuts[1:]:
        if cut - edges[-1] >= NARROWEST * width:
            edges.append(float(cut))
    if len(edges) == 1 or edges[-1] < high:
        edges.append(max(high, edges[-1] + NARROWEST * width))
    bounds = np.array(edges)
    counts, _ = np.histogram(values, bounds)
    shares = (1 - OUTSIDE) * (counts + 0.5) / (counts + 0.5).sum()
    return Density(bounds, np.log(shares / np.diff(bounds)))


def switch(gains: FloatArray) -> tuple[int, float]:
    """Find the row from which a change of model gains most, and what it gains.

    Parameters
    ----------
    gains : ndarray, shape (n_rows,)
        Difference of the logarithms of the likelihoods, row by row in the order of time.

    Returns
    -------
    first : int
        The row; at least `MIN_ROWS` come from there on.
    gain : float
        The sum from there on.

    Examples
    --------
    >>> switch(np.repeat([-1.0, 2.0], 50))
    (50, 100.0)
    """
    sums = np.cumsum(gains[::-1])[::-1]
    first = int(np.argmax(sums[: max(1, gains.size - MIN_ROWS + 1)]))
    return first, float(sums[first])
