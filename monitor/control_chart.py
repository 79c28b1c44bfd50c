"""Control chart: small falls of a metric that add up, told from its wobble between windows."""

from dataclasses import dataclass

import numpy as np

from monitor.columns import FloatArray

ALLOWANCE = 0.75
"""Standard errors that a window may be worse than the reference without adding to the sum: half
of the fall that should be found."""

LIMIT = 4.5
"""Sum from which performance has fallen."""

CEILING = LIMIT + 1.5 * ALLOWANCE
"""The sum grows no further, so that it comes back below its limit within two windows that are as
good as the reference, however long the fall was."""


@dataclass(frozen=True)
class ControlChart:
    """What a metric's windows are held against.

    Parameters
    ----------
    reference : float
        The metric on the reference.
    standard_error : float
        Its sampling error.
    wobble : float
        Standard deviation of the metric between reference windows beyond what sampling explains.
    bigger_is_better : bool
        Which way is a fall.
    """

    reference: float
    standard_error: float
    wobble: float
    bigger_is_better: bool


@dataclass(frozen=True)
class Fall:
    """What has added up at the newest window.

    Parameters
    ----------
    total : float
        The sum, in standard errors; performance has fallen when it is above `LIMIT`.
    n_windows : int
        Windows since it last was 0.
    mean : float
        How much worse than the reference these were on average, in the metric's unit.
    """

    total: float
    n_windows: int
    mean: float


def wobble(values: FloatArray, standard_errors: FloatArray) -> float:
    """Return how much a metric wobbles from window to window beyond what sampling explains.

    It is told from neighbours (mean square successive difference): a reference that is of several
    regimes, each predicted out of fold by a model of the others, has levels that last, and these
    would excuse any fall.

    Parameters
    ----------
    values, standard_errors : ndarray, shape (n_windows,)
        The metric of each reference window with its sampling error, oldest first; at least two.

    References
    ----------
    von Neumann, Kent, Bellinson and Hart (1941), "The mean square successive difference", Annals
    of Mathematical Statistics 12, 153-162; the moving range of the chart for individuals
    (Montgomery, "Introduction to statistical quality control", section 6.4).

    Examples
    --------
    >>> round(wobble(np.array([0.8, 0.84]), np.full(2, 0.01)), 4)
    0.0265
    >>> round(wobble(np.repeat([0.98, 0.66], 7), np.full(14, 0.01)), 2)
    0.06
    """
    sampling = float(np.mean(standard_errors**2))
    apart = float(np.mean(np.diff(values) ** 2)) / 2
    return float(np.sqrt(max(0.0, apart - sampling)))


def fall(chart: ControlChart, values: FloatArray, standard_errors: FloatArray) -> Fall:
    """Add up what windows are worse than the allowance; a good window takes it back.

    Parameters
    ----------
    chart : ControlChart
        The reference.
    values, standard_errors : ndarray, shape (n_windows,)
        The metric of each window with its sampling error, oldest first.

    References
    ----------
    Page (1954), "Continuous inspection schemes", Biometrika 41, 100-115.

    Examples
    --------
    >>> chart = ControlChart(0.8, 0.0, 0.0, bigger_is_better=True)
    >>> found = fall(chart, np.array([0.9, 0.78, 0.77]), np.full(3, 0.01))
    >>> round(found.total, 2), found.n_windows, round(found.mean, 3)
    (3.5, 2, 0.025)
    """
    worse = chart.reference - values if chart.bigger_is_better else values - chart.reference
    noise = np.sqrt(chart.wobble**2 + standard_errors**2 + chart.standard_error**2)
    total, since = 0.0, 0
    for at, z in enumerate((worse / np.maximum(noise, 1e-300)).tolist()):
        total = min(CEILING, max(0.0, total + z - ALLOWANCE))
        since = since if total else at + 1
    added = worse[since:]
    return Fall(total, added.size, float(added.mean()) if added.size else 0.0)
