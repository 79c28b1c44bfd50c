"""The gate: whether a challenger replaces the champion, after at most five looks at fresh rows.

A group-sequential test (O'Brien and Fleming, *A multiple testing procedure for clinical trials*,
Biometrics 35, 1979): a look passes at 1.751/√t standard errors of the mean gain, t the share of
the planned evidence that it rests on, so that a challenger that gains nothing passes any look in
at most 5 % of cases. Early looks ask for much, since little has been seen. What is planned are
five windows, or fewer where they tell as much as is needed: the precision at which two points of
gain would hardly ever stay unseen (information-based monitoring: Lan and DeMets, *Discrete
sequential boundaries for clinical trials*, Biometrika 70, 1983; Mehta and Tsiatis, *Flexible sample
size considerations using information-based interim monitoring*, Drug Information Journal 35, 2001).
The quantiles are Student's, as a look has few blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from monitor.checks.performance import METRICS, AnyArray, performance
from monitor.reference import Estimate
from monitor.schema import Schema
from retrain.bundle import Bundle
from retrain.comparison import (
    MIN_BLOCKS,
    Blocks,
    Comparison,
    ComparisonPolicy,
    blocks,
    judged,
    pooled,
)
from retrain.dataset import Dataset
from retrain.prediction import predict

N_LOOKS = 5
BOUNDARY = 1.751
"""Standard errors that the last look asks for; one-sided .05 over all five, less over fewer."""

PLANNED_GAIN = 0.02
"""The gain that is to be seen: absolute for metrics within 0-1, relative for losses."""

PLANNED_POWER = 0.99
"""How often it is seen at full evidence."""

MIN_SEGMENT_ROWS = 200
SEGMENT_LEVEL = 0.05


class Step(StrEnum):
    """What a look leads to."""

    PASS = "pass"  # noqa: S105 - no password
    REFUSE = "refuse"
    WAIT = "wait"


@dataclass(frozen=True)
class Segment:
    """What a challenger does where a feature has one of its levels.

    Parameters
    ----------
    column, level : str
        The feature, and the level.
    n_rows : int
        Rows there.
    gain, standard_error : float
        Mean gain over the blocks of these rows.
    p : float
        How likely so bad a gain is of a challenger that does no harm there, 0-1.
    """

    column: str
    level: str
    n_rows: int
    gain: float
    standard_error: float
    p: float


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
        The challenger's metrics on the fresh rows.
    seen : Blocks
        Both models on the fresh rows.
    segments : tuple of Segment
        The declared ones, the most harmed first; empty where the gain alone does not pass.
    """

    number: int
    step: Step
    reason: str
    comparison: Comparison
    reached: Mapping[str, Estimate]
    seen: Blocks
    segments: tuple[Segment, ...] = ()


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


def confidence(share: float) -> float:
    """Return the confidence of the one-sided bound that a look asks for, 0-1.

    Parameters
    ----------
    share : float
        Part of the planned evidence that it rests on, 0-1, more than 0.

    Examples
    --------
    >>> [round(1 - confidence(share), 4) for share in (0.2, 0.4, 0.6, 0.8, 1)]
    [0.0, 0.0028, 0.0119, 0.0251, 0.04]
    """
    return float(norm.cdf(BOUNDARY / np.sqrt(share)))


def evidence(seen: Blocks, number: int) -> float:
    """Return the share of the planned evidence that a look rests on, 0-1.

    Windows count, or the precision of the gain where that is further: of large windows one may tell
    as much as five small ones. Neither knows which way the gain goes, so that looks at any such
    times keep the error of all together (Lan and DeMets, Biometrika 70, 1983).

    Parameters
    ----------
    seen : Blocks
        What was looked at.
    number : int
        Windows looked at, from 1 to `N_LOOKS`.
    """
    share, n_blocks, gains = number / N_LOOKS, len(seen.pairs), seen.gains
    if n_blocks >= MIN_BLOCKS and gains.std():
        scale = 1.0 if METRICS[seen.metric].bounded else abs(seen.pairs[:, 0].mean())
        wanted = PLANNED_GAIN * scale / (BOUNDARY + norm.ppf(PLANNED_POWER))
        # Of few blocks the error is often too small by chance: its inverse square is unbiased so.
        fair = (n_blocks - 3) / (n_blocks - 1)
        share = max(share, fair * n_blocks * (wanted / gains.std(ddof=1)) ** 2)
    return float(min(1.0, share))


def look_at(
    contest: Contest,
    number: int,
    *,
    metric: str,
    minimum_gain: float,
    earlier: Sequence[Blocks] = (),
) -> Look:
    """Look at a challenger for the `number`-th time, at all rows since it came into the gate.

    Parameters
    ----------
    contest : Contest
        The predictions of all these rows.
    number : int
        Windows looked at, from 1 to `N_LOOKS`, the earlier ones among them.
    metric : str
        What decides.
    minimum_gain : float
        The lower bound of the gain must be above it, in the metric's unit.
    earlier : sequence of Blocks
        Windows before, on which trials held the champion's recipe, fitted again, against it.
    """
    fresh = _seen(contest, slice(None), metric)
    seen = pooled([*earlier, fresh])
    share = evidence(seen, number)
    compared = judged(seen, ComparisonPolicy(metric, minimum_gain, confidence(share)))
    found = _segments(contest, metric) if compared.passed else ()
    step, more = _step(compared, number, share, _harmed(found, metric))
    reached = performance(contest.rows.target, contest.challenger, contest.schema)
    return Look(number, step, f"{compared.reason}{more}", compared, reached, fresh, found)


def _step(compared: Comparison, number: int, share: float, harmed: str) -> tuple[Step, str]:
    if compared.passed:
        return (Step.REFUSE, f"; but {harmed}") if harmed else (Step.PASS, "")
    if number >= N_LOOKS:
        return Step.REFUSE, f"; it was the last of {N_LOOKS} looks"
    if share >= 1:
        return Step.REFUSE, f"; a gain of {PLANNED_GAIN:.0%} would have shown"
    if _is_hopeless(compared):
        return Step.REFUSE, ""
    return Step.WAIT, f"; look {number} of {N_LOOKS}, the next comes with the next labels"


def _is_hopeless(shown: Comparison) -> bool:
    """Tell whether a challenger is not ahead: it leaves, since it only keeps the next one out.

    That makes wrong promotions rarer, never more frequent.
    """
    return shown.gain is not None and shown.n_blocks >= MIN_BLOCKS and shown.gain <= 0


def _seen(contest: Contest, rows: AnyArray | slice, metric: str) -> Blocks:
    return blocks(
        contest.rows.target[rows],
        contest.champion[rows],
        contest.challenger[rows],
        contest.rows.event_at[rows],
        contest.schema,
        metric,
    )


def _segments(contest: Contest, metric: str) -> tuple[Segment, ...]:
    """Test one-sided, in every level with 200 rows of every segment, whether there is harm."""
    found: list[Segment] = []
    for segment in contest.segments:
        levels = contest.rows.features[segment]
        for level, n_rows in levels.value_counts().items():
            inside = (levels == level).to_numpy()
            part = judged(_seen(contest, inside, metric), ComparisonPolicy(metric))
            if n_rows < MIN_SEGMENT_ROWS or part.n_blocks < MIN_BLOCKS or not part.standard_error:
                continue
            gain, error = part.gain or 0.0, part.standard_error
            p = float(student.sf(-gain / error, part.n_blocks - 1))
            found.append(Segment(segment, str(level), int(n_rows), gain, error, p))
    return tuple(sorted(found, key=lambda one: one.p))


def _harmed(found: Sequence[Segment], metric: str) -> str:
    """Name the segment that the challenger surely harms; empty when there is none.

    The smallest p-value is held against the level divided by the number of tests: the first step
    of Holm's procedure (Scandinavian Journal of Statistics 6, 1979), and one harmed segment is
    enough.
    """
    if not found or found[0].p > SEGMENT_LEVEL / len(found):
        return ""
    worst = found[0]
    told = f"{METRICS[metric].title} is worse by {-worst.gain:.3g}"
    return f"{told} where {worst.column} is {worst.level}"
