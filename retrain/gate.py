"""The gate: whether a challenger replaces the champion, after at most five looks at fresh rows.

A group-sequential test (O'Brien and Fleming, *A multiple testing procedure for clinical trials*,
Biometrics 35, 1979): look k of five passes at 1.751·√(5/k) standard errors of the mean gain, so
that a challenger that gains nothing passes any of them in at most 5 % of cases. Early looks ask
for much, since little has been seen. The quantiles are Student's, as a look has few blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from monitor.checks.performance import METRICS, AnyArray, performance
from monitor.reference import Estimate
from monitor.schema import Schema
from retrain.bundle import Bundle
from retrain.candidates import predict
from retrain.comparison import MIN_BLOCKS, Comparison, ComparisonPolicy, compare
from retrain.dataset import Dataset

N_LOOKS = 5
BOUNDARY = 1.751
"""Standard errors that the last look asks for; one-sided .05 over all five."""

MIN_SEGMENT_ROWS = 200
SEGMENT_LEVEL = 0.05


class Step(StrEnum):
    """What a look leads to."""

    PASS = "pass"  # noqa: S105 - no password
    REFUSE = "refuse"
    WAIT = "wait"


@dataclass(frozen=True)
class Look:
    """A look at the challenger in the gate.

    Parameters
    ----------
    number : int
        From 1 to `N_LOOKS`.
    step : Step
        What it leads to.
    reason : str
        Why, with the numbers.
    comparison : Comparison
        What the rows have shown.
    reached : mapping of str to Estimate
        The challenger's metrics on these rows.
    """

    number: int
    step: Step
    reason: str
    comparison: Comparison
    reached: Mapping[str, Estimate]


@dataclass(frozen=True)
class Contest:
    """Two models' predictions of fresh labelled rows.

    Parameters
    ----------
    rows : Dataset
        Rows that neither has learned from, and that no choice was made on.
    champion, challenger : ndarray, shape (n_rows,)
        Predictions.
    schema : Schema
        Task and classes.
    segments : tuple of str
        Features in none of whose levels the challenger may do harm.
    """

    rows: Dataset
    champion: AnyArray
    challenger: AnyArray
    schema: Schema
    segments: tuple[str, ...] = ()


def guesses(bundle: Bundle, rows: Dataset, schema: Schema) -> AnyArray:
    """Return a version's predictions; those that were logged where its model is elsewhere."""
    if bundle.pipeline is None:
        return rows.features[schema.prediction].to_numpy()
    return predict(bundle.pipeline, rows.features, schema)


def confidence(look: int) -> float:
    """Return the confidence of the one-sided bound that look number `look` asks for, 0-1.

    Examples
    --------
    >>> [round(1 - confidence(look), 4) for look in (1, 2, 3, 4, 5)]
    [0.0, 0.0028, 0.0119, 0.0251, 0.04]
    """
    return float(norm.cdf(BOUNDARY * np.sqrt(N_LOOKS / look)))


def look_at(contest: Contest, number: int, *, metric: str, minimum_gain: float) -> Look:
    """Look at a challenger for the `number`-th time, at all rows since it came into the gate.

    Parameters
    ----------
    contest : Contest
        The predictions of all these rows.
    number : int
        From 1 to `N_LOOKS`.
    metric : str
        What decides.
    minimum_gain : float
        The lower bound of the gain must be above it, in the metric's unit.
    """
    policy = ComparisonPolicy(metric, minimum_gain, confidence(number))
    compared = _compare(contest, slice(None), policy)
    harmed = _harmed(contest, metric) if compared.passed else ""
    step, more = _step(compared, number, harmed)
    reached = performance(contest.rows.target, contest.challenger, contest.schema)
    return Look(number, step, f"{compared.reason}{more}", compared, reached)


def _step(compared: Comparison, number: int, harmed: str) -> tuple[Step, str]:
    if compared.passed:
        return (Step.REFUSE, f"; but {harmed}") if harmed else (Step.PASS, "")
    if number >= N_LOOKS:
        return Step.REFUSE, f"; it was the last of {N_LOOKS} looks"
    if _is_hopeless(compared):
        return Step.REFUSE, ""
    return Step.WAIT, f"; look {number} of {N_LOOKS}, the next comes with the next labels"


def _is_hopeless(shown: Comparison) -> bool:
    """Tell whether a challenger is not ahead: it leaves, since it only keeps the next one out.

    That makes wrong promotions rarer, never more frequent.
    """
    return shown.gain is not None and shown.n_blocks >= MIN_BLOCKS and shown.gain <= 0


def _compare(contest: Contest, rows: AnyArray | slice, policy: ComparisonPolicy) -> Comparison:
    return compare(
        contest.rows.target[rows],
        contest.champion[rows],
        contest.challenger[rows],
        contest.rows.event_at[rows],
        contest.schema,
        policy,
    )


def _harmed(contest: Contest, metric: str) -> str:
    """Name the segment that the challenger surely harms; empty when there is none.

    Every level with 200 rows is tested one-sided, and the smallest p-value is held against
    the level divided by the number of tests: the first step of Holm's procedure (Scandinavian
    Journal of Statistics 6, 1979), and one harmed segment is enough.
    """
    found: list[tuple[float, str]] = []
    for segment in contest.segments:
        levels = contest.rows.features[segment]
        for level, n_rows in levels.value_counts().items():
            inside = (levels == level).to_numpy()
            part = _compare(contest, inside, ComparisonPolicy(metric))
            if n_rows < MIN_SEGMENT_ROWS or part.n_blocks < MIN_BLOCKS or not part.standard_error:
                continue
            gain = part.gain or 0.0
            p = float(student.sf(-gain / part.standard_error, part.n_blocks - 1))
            title = METRICS[metric].title
            found.append((p, f"{title} is worse by {-gain:.3g} where {segment} is {level}"))
    p, sentence = min(found, default=(1.0, ""))
    return sentence if p <= SEGMENT_LEVEL / max(1, len(found)) else ""
