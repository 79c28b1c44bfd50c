"""Fall: a window's metrics held against the reference's, with the fall that is allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from monitor.checks.performance import METRICS
from monitor.checks.score import BreachWhen, Check, Score
from monitor.checks.segments import Segments
from monitor.control_chart import wobble
from monitor.reference import Estimate, Reference

STANDARD_ERRORS = 3.0
"""A drop within so many standard errors, by chance and wobble, is none that could be told."""

LEAST_OF_DROP = 0.5
"""Of the drop that is allowed: with labels enough the smallest change is seen, and less than half
of what would matter is not called one."""

LEAST_WINDOWS = 8
"""With fewer reference windows nobody knows how much a metric wobbles."""


@dataclass(frozen=True)
class PerformancePolicy:
    """When a metric has fallen too far.

    Parameters
    ----------
    metric : str
        A name of `monitor.checks.performance.METRICS`.
    max_drop : float
        Allowed fall below the reference: absolute for metrics within 0-1, relative for losses.
    segments : tuple of str
        Features whose levels are also looked at one by one.
    """

    metric: str
    max_drop: float = 0.03
    segments: tuple[str, ...] = ()


def performance_scores(
    estimates: Mapping[str, Estimate],
    reference: Mapping[str, Estimate],
    policy: PerformancePolicy,
    apart: float = 0.0,
) -> list[Score]:
    """Hold a window's metrics against the reference's.

    Only the policy's metric has a threshold: the reference value less the allowed drop, or less
    three standard errors of the difference where that is more.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        The window's metrics; empty while no label has come.
    reference : mapping of str to Estimate
        The same metrics on the reference.
    policy : PerformancePolicy
        The metric that decides, and its allowed drop.
    apart : float
        How much that metric wobbles from window to window; see `wobble_of`.
    """
    return [
        _performance_score(name, estimate, reference.get(name), policy, apart)
        for name, estimate in estimates.items()
    ]


def estimate_of(scores: Iterable[Score], check: Check, metric: str) -> Estimate | None:
    """Return a metric of a whole window, as measured or estimated; None where it has none."""
    for one in scores:
        of_all = one.check is check and one.method == metric and one.level is None
        if of_all and one.value is not None and one.standard_error is not None:
            return Estimate(one.value, one.standard_error, one.n_current)
    return None


def least_fall(policy: PerformancePolicy, reference: Estimate) -> float:
    """Return the fall below which none matters, in the metric's unit."""
    scale = 1.0 if METRICS[policy.metric].bounded else abs(reference.value)
    return LEAST_OF_DROP * policy.max_drop * scale


def wobble_of(reference: Reference, metric: str) -> float | None:
    """Return how much a metric wobbles from one reference window to the next beyond sampling.

    None where the reference has fewer than `LEAST_WINDOWS` windows that could tell, or was cut into
    others than now: shorter ones wobble otherwise.
    """
    windows = reference.by_window.get(metric, ())
    if reference.is_recut or len(windows) < LEAST_WINDOWS:
        return None
    errors = np.array([one.standard_error for one in windows])
    return wobble(np.array([one.value for one in windows]), errors)


def segment_scores(
    estimates: Segments, reference: Segments, policy: PerformancePolicy
) -> list[Score]:
    """Show a window's metric on each segment beside the reference's.

    Without a threshold: among many segments one looks bad by chance in every window.

    Parameters
    ----------
    estimates : mapping of str to mapping of str to Estimate
        The deciding metric on the window, by segment column and level.
    reference : mapping of str to mapping of str to Estimate
        The same on the reference.
    policy : PerformancePolicy
        The metric that decides.
    """
    return [
        replace(
            _performance_score(
                policy.metric, estimate, reference.get(column, {}).get(level), policy
            ),
            column=column,
            level=level,
            threshold=None,
        )
        for column, levels in estimates.items()
        for level, estimate in levels.items()
    ]


def _performance_score(
    name: str,
    now: Estimate,
    before: Estimate | None,
    policy: PerformancePolicy,
    apart: float = 0.0,
) -> Score:
    metric = METRICS[name]
    threshold = None
    if before is not None and name == policy.metric:
        scale = 1.0 if metric.bounded else abs(before.value)
        error = np.hypot(np.hypot(now.standard_error, before.standard_error), apart)
        drop = max(policy.max_drop * scale, STANDARD_ERRORS * float(error))
        threshold = before.value - drop if metric.bigger_is_better else before.value + drop
    return Score(
        check=Check.PERFORMANCE,
        column=None,
        method=name,
        value=now.value,
        threshold=threshold,
        breach_when=BreachWhen.BELOW if metric.bigger_is_better else BreachWhen.ABOVE,
        n_reference=before.n if before else 0,
        n_current=now.n,
        standard_error=now.standard_error,
        reference_value=before.value if before else None,
    )
