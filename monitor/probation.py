"""Probation: whether a champion does harm, compared with its predecessor on the same rows.

The two predict the same production rows; when labels come their losses are compared
(`monitor.losses`). The null hypothesis is that the champion loses at most a margin more than the
predecessor on each row, given what came before. Against it stands a capital that starts at 1 and
bets a part λ of itself on each difference: under the null hypothesis it is not expected to grow,
and the chance that it ever reaches 20 is at most 1/20, however often one looks (Ville's inequality;
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86
(2024), sections 2-4). A share of the capital follows each λ of a fixed mixture, so that the whole
is a mean of products: the same in every order of the windows. The deciding metric must have fallen
on the same rows as well, materially, so that a version with better answers and worse probabilities
stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from monitor.checks.performance import METRICS
from monitor.losses import TITLES, Pairs, loss_differences, metric_gain
from monitor.schema import Schema, Task

BETS = (0.1, 0.2, 0.4, 0.8, 1.2)
"""Parts of the capital that are bet on a loss scaled to 0-1, each from an equal share of it."""

CAPITAL_TO_ROLL_BACK = 20.0
"""A champion that does no harm reaches it in at most 5 % of all cases."""

MATERIAL = 0.005
"""Fall of the metric from which harm is worth a rollback: half a point, or half a percent of a
metric that is not in 0-1. With many rows the smallest harm is certain."""

MAX_MARGIN = 0.5
"""With a greater one the largest bet could lose more than there is."""


@dataclass(frozen=True)
class ProbationPolicy:
    """How long a champion is watched beside its predecessor.

    Parameters
    ----------
    rows : int
        Labelled rows after which it has passed; 0 for no probation.
    windows : int
        Labelled windows after which it has passed.
    margin : float
        Harm that is put up with, in the unit of the loss, at most `MAX_MARGIN`.
    """

    rows: int = 5_000
    windows: int = 8
    margin: float = 0.0


@dataclass(frozen=True)
class Probation:
    """A champion that was promoted over a predecessor that can still predict.

    Parameters
    ----------
    id : int
        Number of the promotion.
    version, predecessor : int
        The champion, and what it replaced.
    since : datetime
        When it was promoted.
    """

    id: int
    version: int
    predecessor: int
    since: datetime


@dataclass(frozen=True)
class Evidence:
    """What the labelled rows of one window, or of several, say.

    Parameters
    ----------
    n_rows : int
        Labelled rows that both predicted.
    harm : float
        Sum of the differences: what the champion lost more than its predecessor.
    gain : float
        How much better the champion's metric was, times the rows.
    log_wealth : tuple of float
        Logarithm of the capital of each bet of `BETS`.
    """

    n_rows: int = 0
    harm: float = 0.0
    gain: float = 0.0
    log_wealth: tuple[float, ...] = (0.0,) * len(BETS)


class TrialStatus(StrEnum):
    """How a probation stands."""

    OPEN = "open"
    PASSED = "passed"
    EXPIRED = "expired"
    BREACHED = "breached"


@dataclass(frozen=True)
class Trial:
    """A probation with its evidence so far.

    Parameters
    ----------
    probation : Probation
        Who is on probation.
    windows : mapping of str to Evidence
        The evidence by key of the window.
    """

    probation: Probation
    windows: Mapping[str, Evidence] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Labelled rows so far."""
        return sum(one.n_rows for one in self.windows.values())

    @property
    def harm(self) -> float | None:
        """What the champion lost more than its predecessor, on average; None before any row."""
        return sum(one.harm for one in self.windows.values()) / self.n_rows if self.n_rows else None

    @property
    def gain(self) -> float | None:
        """How much better its metric was, on average over the windows; None before any row."""
        return sum(one.gain for one in self.windows.values()) / self.n_rows if self.n_rows else None

    @property
    def e_value(self) -> float:
        """The capital; at most 1 is expected of a champion that does no harm."""
        log_wealth = np.sum([one.log_wealth for one in self.windows.values()], axis=0)
        return float(np.mean(np.exp(np.minimum(log_wealth, 700.0)))) if self.windows else 1.0

    def with_window(self, key: str, found: Evidence | None) -> "Trial":
        """Return the trial with a window's evidence as it is now; None takes it out."""
        others = {name: one for name, one in self.windows.items() if name != key}
        more = {key: found} if found is not None and found.n_rows else {}
        return replace(self, windows={**others, **more})

    def status(self, policy: ProbationPolicy, *, now: datetime, horizon: timedelta) -> TrialStatus:
        """Say how it stands; it ends when labels could not come any more, too."""
        if self.e_value >= CAPITAL_TO_ROLL_BACK and (self.gain or 0.0) <= -MATERIAL:
            return TrialStatus.BREACHED
        if self.n_rows >= policy.rows or len(self.windows) >= policy.windows:
            return TrialStatus.PASSED
        expired = now >= self.probation.since + horizon
        return TrialStatus.EXPIRED if expired else TrialStatus.OPEN

    def sentence(self, task: Task, metric: str) -> str:
        """Say what was found, in plain words."""
        one, harm, gain = self.probation, self.harm, self.gain
        told = f"on probation since {one.since:%Y-%m-%d %H:%M} UTC"
        if harm is None or gain is None:
            return f"version {one.version} is {told}; no labelled row yet"
        compared = "better" if gain >= 0 else "worse"
        by = f"{abs(gain):.3g}" if METRICS[metric].bounded else f"{abs(gain):.2%}"
        return (
            f"version {one.version}, {told}, has a {METRICS[metric].title} {compared} by {by} than "
            f"version {one.predecessor} on the same {self.n_rows} labelled rows ({TITLES[task]} "
            f"{harm:+.3g}; e = {self.e_value:.3g}, harm is certain from {CAPITAL_TO_ROLL_BACK:g})"
        )


@dataclass(frozen=True)
class Judgement:
    """What is thought of a champion on probation.

    Parameters
    ----------
    trial : Trial
        The probation with its evidence.
    status : TrialStatus
        How it stands.
    sentence : str
        Why, in plain words.
    """

    trial: Trial
    status: TrialStatus
    sentence: str


def weigh(pairs: Pairs, schema: Schema, metric: str, *, unit: float, margin: float) -> Evidence:
    """Return the evidence of labelled rows.

    Parameters
    ----------
    pairs : Pairs
        The rows; none is missing.
    schema : Schema
        Task and classes.
    metric : str
        The metric that decides.
    unit : float
        The reference's mean absolute error (regression).
    margin : float
        Harm that is put up with.
    """
    differences = loss_differences(pairs, schema, unit=unit)
    above = (1 + differences) / 2 - (1 + margin) / 2
    return Evidence(
        n_rows=len(pairs.labels),
        harm=float(differences.sum()),
        gain=metric_gain(pairs, schema, metric) * len(pairs.labels),
        log_wealth=tuple(float(np.log1p(bet * above).sum()) for bet in BETS),
    )
