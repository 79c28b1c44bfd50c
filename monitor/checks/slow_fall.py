"""Slow fall: a metric that is a little worse in window after window, by the control chart."""

from collections.abc import Sequence

import numpy as np

from monitor.checks.fall import (
    LEAST_WINDOWS,
    PerformancePolicy,
    estimate_of,
    least_fall,
    wobble_of,
)
from monitor.checks.performance import METRICS
from monitor.checks.score import BreachWhen, Check, Score
from monitor.control_chart import LIMIT, ControlChart, fall
from monitor.reference import Estimate, Reference

METHOD = "control_chart"


def slow_fall_scores(
    scores: Sequence[Score],
    before: Sequence[Estimate],
    reference: Reference,
    policy: PerformancePolicy,
) -> list[Score]:
    """Score what a window and those before it have added up to.

    Parameters
    ----------
    scores : sequence of Score
        The window's; without the metric that decides there is nothing to add.
    before : sequence of Estimate
        The metric in the windows before it whose performance is final, oldest first: those that
        the same version was judged on, without incidents.
    reference : Reference
        The champion's.
    policy : PerformancePolicy
        The metric that decides, and its allowed drop.

    Returns
    -------
    list of Score
        One or none. It has no value where the reference has no windows to learn from, and says so.
    """
    now = estimate_of(scores, Check.PERFORMANCE, policy.metric)
    reached = reference.performance.get(policy.metric)
    if now is None or reached is None:
        return []
    n_reference = len(reference.by_window.get(policy.metric, ()))
    apart = wobble_of(reference, policy.metric)
    if apart is None:
        too_few = f"the reference has {n_reference} windows with labels, {LEAST_WINDOWS} are needed"
        why = f"no control chart: {reference.other_windows or too_few}"
        return [_score(None, None, why, n_reference, 1)]
    metric, known = METRICS[policy.metric], [*before, now]
    # The reference is a mean of windows that wobble, too.
    error = float(np.hypot(reached.standard_error, apart / n_reference**0.5))
    found = fall(
        ControlChart(reached.value, error, apart, metric.bigger_is_better),
        np.array([one.value for one in known]),
        np.array([one.standard_error for one in known]),
    )
    shown = f"{found.mean:.3f}" if metric.bounded else f"{found.mean:.3g}"
    where = f"on average of {found.n_windows} windows" if found.n_windows > 1 else "in the window"
    detail = f"{metric.title} {shown} worse than the reference {where}"
    small = found.total > LIMIT and found.mean < least_fall(policy, reached)
    if small:
        detail = f"detectable, immaterial: {detail}"
    limit = None if small else LIMIT
    return [_score(found.total, limit, detail if found.total else "", n_reference, len(known))]


def _score(
    value: float | None, limit: float | None, detail: str, n_reference: int, n_current: int
) -> Score:
    return Score(
        check=Check.PERFORMANCE,
        column=None,
        method=METHOD,
        value=value,
        threshold=limit,
        breach_when=BreachWhen.ABOVE,
        n_reference=n_reference,
        n_current=n_current,
        detail=detail,
    )
