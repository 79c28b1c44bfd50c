"""Control chart: small falls of a metric that add up, told from its wobble between windows."""

from dataclasses import dataclass

import numpy as np

from monitor.columns import FloatArray

ALLOWANCE = 0.75
"""Standard errors that a window may be worse than the reference without adding to the sum: half
of the fall that should be found."""

LIMIT = 4.5
"""Sum from which performance has fallen."""


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


def control_chart(
    values: FloatArray, standard_errors: FloatArray, *, bigger_is_better: bool
) -> ControlChart:
    """Learn from the reference's windows how a metric wobbles.

    Parameters
    ----------
    values, standard_errors : ndarray, shape (n_windows,)
        The metric of each reference window with its sampling error; at least two.
    bigger_is_better : bool
        Which way is a fall.

    Examples
    --------
    >>> chart = control_chart(np.array([0.8, 0.84]), np.full(2, 0.01), bigger_is_better=True)
    >>> round(chart.reference, 2), round(chart.wobble, 4)
    (0.82, 0.0265)
    """
    sampling = float(np.mean(standard_errors**2))
    wobble = max(0.0, float(np.var(values, ddof=1)) - sampling)
    error = np.sqrt((wobble + sampling) / values.size)
    return ControlChart(float(values.mean()), float(error), wobble**0.5, bigger_is_better)


def deviations(chart: ControlChart, values: FloatArray, standard_errors: FloatArray) -> FloatArray:
    """Return how much worse than the reference windows are, in standard errors of the difference.

    Parameters
    ----------
    chart : ControlChart
        The reference.
    values, standard_errors : ndarray, shape (n_windows,)
        The metric of each window with its sampling error.
    """
    worse = chart.reference - values if chart.bigger_is_better else values - chart.reference
    noise = np.sqrt(chart.wobble**2 + standard_errors**2 + chart.standard_error**2)
    found: FloatArray = worse / np.maximum(noise, 1e-300)
    return found


def cumulated(deviation: FloatArray) -> FloatArray:
    """Add up what windows are worse than the allowance; a good window takes it back.

    Parameters
    ----------
    deviation : ndarray, shape (n_windows,)
        From `deviations`, oldest first; NaN for a window without labels, which changes nothing.

    Returns
    -------
    ndarray, shape (n_windows,)
        Performance has fallen where it is above `LIMIT`.

    References
    ----------
    Page (1954), "Continuous inspection schemes", Biometrika 41, 100-115.

    Examples
    --------
    >>> cumulated(np.array([1.0, 2.75, np.nan, -5.0])).tolist()
    [0.25, 2.25, 2.25, 0.0]
    """
    found, now = np.empty(deviation.size), 0.0
    for at, z in enumerate(deviation.tolist()):
        now = now if np.isnan(z) else max(0.0, now + z - ALLOWANCE)
        found[at] = now
    return found
