"""Fall: a window's metrics held against the reference's, with the fall that is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from monitor.checks.performance import METRICS
from monitor.checks.score import BreachWhen, Check, Score
from monitor.checks.segments import Segments
from monitor.reference import Estimate

SAMPLING_ERRORS = 3.0
"""A drop within this many standard errors is not told apart from chance."""


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
) -> list[Score]:
    """Hold a window's metrics against the reference's.

    Only the policy's metric has a threshold: the reference value less the allowed drop, or less
    three sampling errors of the difference where that is more.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        The window's metrics; empty while no label has come.
    reference : mapping of str to Estimate
        The same metrics on the reference.
    policy : PerformancePolicy
        The metric that decides, and its allowed drop.
    """
    return [
        _performance_score(name, estimate, reference.get(name), policy)
        for name, estimate in estimates.items()
    ]


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
    name: str, now: Estimate, before: Estimate | None, policy: PerformancePolicy
) -> Score:
    metric = METRICS[name]
    threshold = None
    if before is not None and name == policy.metric:
        scale = 1.0 if metric.bounded else abs(before.value)
        error = float(np.hypot(now.standard_error, before.standard_error))
        drop = max(policy.max_drop * scale, SAMPLING_ERRORS * error)
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
