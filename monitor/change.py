"""Change: what of a metric's change comes of inputs that moved, and what of their relation.

When labels come, what was estimated without them says what performance would have been had the
relation of inputs and outcome stayed. Three parts add up to the change:

    measured - reference = (own - reference) + (estimate - own) + (measured - estimate)

with ``own`` the metric on the rows that the estimate rests on: by the version, by inputs, by the
relation. The last is tested: in standard errors of estimate and measurement it has a standard
normal distribution where only inputs moved.
"""

from dataclasses import dataclass

import numpy as np

from monitor.checks.estimate import measured
from monitor.checks.fall import PerformancePolicy, estimate_of, least_fall
from monitor.checks.performance import METRICS
from monitor.checks.score import Check, Status
from monitor.reference import Estimate, Reference
from monitor.verdict import Verdict

CONCEPT_Z = 2.33
"""Standard errors by which what was measured is worse than what inputs explain: by chance in one
window of a hundred."""


@dataclass(frozen=True)
class Change:
    """A metric's change against the reference, in the metric's unit.

    Parameters
    ----------
    metric : str
        A name of `monitor.checks.performance.METRICS`.
    by_version : float
        What was there when the version was made: its own reference rows less the reference.
    by_inputs : float
        What inputs that moved explain.
    by_relation : float
        What they do not: how inputs and outcome belong together has changed.
    z : float
        Standard errors by which the relation has made the metric worse; negative where better.
    least : float
        Smaller changes by the relation do not matter, in the metric's unit.
    """

    metric: str
    by_version: float
    by_inputs: float
    by_relation: float
    z: float
    least: float

    @property
    def is_concept(self) -> bool:
        """Whether the relation has changed for the worse: surely, and so that it matters."""
        return self.z > CONCEPT_Z and abs(self.by_relation) >= self.least

    @property
    def is_explained(self) -> bool:
        """Whether inputs that moved are the greatest part of what became worse."""
        better = METRICS[self.metric].bigger_is_better
        of_inputs, *others = (
            -part if better else part
            for part in (self.by_inputs, self.by_relation, self.by_version)
        )
        return of_inputs > max(0.0, *others)

    @property
    def sentence(self) -> str:
        """The parts in words.

        Examples
        --------
        >>> print(Change("roc_auc", 0.0, -0.01, -0.07, 4.1, 0.015).sentence)
        of -0.080 ROC AUC against the reference -0.010 because inputs moved, -0.070 because their relation to the outcome changed (4.1 standard errors, 2.33 count)
        """  # noqa: E501 - one sentence
        shown = "+.3f" if METRICS[self.metric].bounded else "+.3g"
        by_version = f"{self.by_version:{shown}}"
        before = f"{by_version} when the version was made, " if float(by_version) else ""
        return (
            f"of {self.by_version + self.by_inputs + self.by_relation:{shown}} "
            f"{METRICS[self.metric].title} against the reference {before}"
            f"{self.by_inputs:{shown}} because inputs moved, {self.by_relation:{shown}} because "
            f"their relation to the outcome changed ({self.z:.1f} standard errors, {CONCEPT_Z} "
            "count)"
        )


def change_of(verdict: Verdict, reference: Reference, policy: PerformancePolicy) -> Change | None:
    """Take a window's change of the metric that decides apart.

    Parameters
    ----------
    verdict : Verdict
        The window's.
    reference : Reference
        The champion's.
    policy : PerformancePolicy
        The metric that decides, and its allowed drop.

    Returns
    -------
    Change or None
        None while labels are not mature, where there is no estimate, and for a window with too few
        rows to judge.
    """
    real, told = (
        estimate_of(verdict.scores, check, policy.metric)
        for check in (Check.PERFORMANCE, Check.ESTIMATE)
    )
    unjudged = verdict.checks[Check.PERFORMANCE] is Status.NO_DATA
    if verdict.provisional or unjudged or real is None or told is None or reference.sample is None:
        return None
    own = measured(reference.sample.outcomes, reference.schema, policy.metric)
    before = reference.performance.get(policy.metric)
    if own is None or before is None:
        return None
    metric = METRICS[policy.metric]
    return Change(
        metric=policy.metric,
        by_version=own.value - before.value,
        by_inputs=told.value - own.value,
        by_relation=real.value - told.value,
        z=residual(told, real, bigger_is_better=metric.bigger_is_better),
        least=least_fall(policy, before),
    )


def residual(told: Estimate, real: Estimate, *, bigger_is_better: bool) -> float:
    """Return by how many standard errors what was measured is worse than what was estimated.

    Parameters
    ----------
    told : Estimate
        Of all rows of a window. Its standard error holds for what will be measured on these very
        rows: it has both their labels' chance and the reference's.
    real : Estimate
        Of those that have labels.
    bigger_is_better : bool
        Which way is worse.

    Examples
    --------
    >>> round(residual(Estimate(0.8, 0.01, 900), Estimate(0.76, 0.015, 900), bigger_is_better=True))
    4
    """
    # Some of the rows differ from all by chance; without any that lack labels there is no chance.
    unlabelled = max(0.0, 1 - real.n / told.n)
    noise = np.hypot(told.standard_error, real.standard_error * unlabelled**0.5)
    worse = told.value - real.value if bigger_is_better else real.value - told.value
    return float(worse / max(noise, 1e-300))
