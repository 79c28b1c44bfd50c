"""How soon probation takes a harmful champion back, and how often a harmless one.

Every world is made here, with its seed. The truth is a logistic model of ten features (or a linear
one, for regression); the predecessor knows most of it; the champion

- ``noise``: has forgotten it in part: its score is the predecessor's with noise on top, as much as
  costs three points of accuracy;
- ``segment``: is as good as the predecessor but in one segment, which it gets wrong, again for
  three points of accuracy;
- ``equal``: is another model that is exactly as good: both have noise of the same size.

A multiclass model has four classes, each with a logit like the binary one's; where a version gives
no probabilities (*classes alone*) only right and wrong count.
Labels come in windows of 250 rows, and the evidence is weighed after each. Prints a Markdown table.
"""

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from monitor.columns import FloatArray
from monitor.losses import Pairs, loss_differences, metric_gain
from monitor.probation import Probation, ProbationPolicy, Trial, TrialStatus, weigh
from monitor.schema import Schema, Task

N_REPETITIONS = 1_000
WINDOW = 250
HARM = 0.03
WITHIN = 2_000
DEFAULT = ProbationPolicy()
HORIZON = timedelta(days=90)
N_FEATURES = 10
PROBE = 400_000
"""Rows on which the harm is measured and set."""

BINARY = Schema(Task.BINARY, features={}, target="y", classes=("0", "1"))
CLASSES = Schema(Task.MULTICLASS, features={}, target="y", classes=("a", "b", "c", "d"))
REGRESSION = Schema(Task.REGRESSION, features={}, target="y")

Made = tuple[FloatArray, FloatArray, FloatArray]


def rows(rng: np.random.Generator, n_rows: int, kind: str, size: float) -> Made:
    """Return labels and the scores of champion and predecessor on the logit's scale."""
    x = rng.normal(size=(n_rows, N_FEATURES))
    truth = 1.6 * x[:, :-1].sum(axis=1) / np.sqrt(N_FEATURES - 1) + 0.6 * x[:, -1]
    known = truth - 0.6 * x[:, -1]  # the last feature is nobody's
    labels = (rng.uniform(size=n_rows) < 1 / (1 + np.exp(-truth))).astype(np.float64)
    if kind == "noise":
        return labels, known + size * rng.normal(size=n_rows), known
    if kind == "segment":
        return labels, np.where(x[:, 0] > size, -known, known), known
    noise = size * rng.normal(size=(2, n_rows))
    return labels, known + noise[0], known + noise[1]


def several(rng: np.random.Generator, n_rows: int, kind: str, size: float) -> Made:
    """Return labels, by their places, and the logits of each class of champion and predecessor."""
    shape = (n_rows, len(CLASSES.classes))
    known = 1.6 * rng.normal(size=shape)
    truth = known + 0.6 * rng.normal(size=shape)
    labels = (truth + rng.gumbel(size=shape)).argmax(axis=1).astype(np.float64)
    if kind == "noise":
        return labels, known + size * rng.normal(size=shape), known
    if kind == "segment":
        here = rng.normal(size=(n_rows, 1)) > size
        return labels, np.where(here, -known, known), known
    noise = size * rng.normal(size=(2, *shape))
    return labels, known + noise[0], known + noise[1]


def numbers(rng: np.random.Generator, n_rows: int, kind: str, size: float) -> Made:
    """Return the labels and both predictions of a regression with heavy-tailed errors."""
    known = rng.normal(size=n_rows)
    labels = known + rng.standard_t(3, size=n_rows)
    if kind == "noise":
        return labels, known + size * rng.normal(size=n_rows), known
    noise = size * rng.normal(size=(2, n_rows))
    return labels, known + noise[0], known + noise[1]


@dataclass(frozen=True)
class Case:
    """One world with the metric by which it is watched."""

    kind: str
    metric: str
    schema: Schema
    make: Callable[[np.random.Generator, int, str, float], Made]
    size: float
    unit: float
    named_alone: bool = False

    def pairs(self, rng: np.random.Generator, n_rows: int) -> Pairs:
        """Make labelled rows."""
        labels, champion, predecessor = self.make(rng, n_rows, self.kind, self.size)
        if self.schema.task is Task.REGRESSION:
            return Pairs(labels, champion, predecessor)
        if self.schema.task is Task.MULTICLASS:
            names, said = np.array(self.schema.classes), (champion, predecessor)
            named = (names[one.argmax(axis=1)] for one in said)
            chances = None if self.named_alone else (_softmax(champion), _softmax(predecessor))
            return Pairs(names[labels.astype(int)], *named, chances)
        return Pairs(labels, _probability(champion), _probability(predecessor))


def _probability(score: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-score)))


def _softmax(logits: FloatArray) -> FloatArray:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def size_for(kind: str, make: Callable[..., Made], harm: Callable[[Made], float]) -> float:
    """Find the size at which a world does the harm, by bisection on rows of its own."""
    low, high = (0.0, 6.0) if kind != "segment" else (6.0, -1.0)
    for _ in range(40):
        middle = (low + high) / 2
        did = harm(make(np.random.default_rng(1), PROBE, kind, middle))
        low, high = (middle, high) if did < HARM else (low, middle)
    return (low + high) / 2


def more_wrong(made: Made) -> float:
    """Return the loss of accuracy."""
    labels, champion, predecessor = made
    return float(np.mean((champion > 0) != labels) - np.mean((predecessor > 0) != labels))


def more_misnamed(made: Made) -> float:
    """Return the loss of accuracy among several classes."""
    labels, champion, predecessor = made
    wrong = (np.mean(one.argmax(axis=1) != labels) for one in (champion, predecessor))
    return float(next(wrong) - next(wrong))


def greater_error(made: Made) -> float:
    """Return the rise of the mean absolute error, as a share of it."""
    labels, champion, predecessor = made
    before = np.mean(np.abs(labels - predecessor))
    return float(np.mean(np.abs(labels - champion)) / before - 1)


def cases() -> list[Case]:
    """Return the worlds that are tried."""
    found = []
    for kind in ("noise", "segment", "equal"):
        like = "noise" if kind == "equal" else kind
        size = size_for(like, rows, more_wrong)
        metrics = ("accuracy", "roc_auc")
        found += [Case(kind, metric, BINARY, rows, size, 1.0) for metric in metrics]
        size = size_for(like, several, more_misnamed)
        of_classes = Case(kind, "accuracy", CLASSES, several, size, 1.0)
        found += [of_classes, replace(of_classes, named_alone=True)]
    size = size_for("noise", numbers, greater_error)
    labels, _, predecessor = numbers(np.random.default_rng(2), PROBE, "noise", size)
    unit = float(np.mean(np.abs(labels - predecessor)))
    found += [Case(k, "mae", REGRESSION, numbers, size, unit) for k in ("noise", "equal")]
    return found


def rows_to_roll_back(case: Case, seed: int, n_rows: int) -> int | None:
    """Live through one probation; return the labelled rows after which it was ended, if it was."""
    rng = np.random.default_rng([seed, 7])
    trial = Trial(Probation(1, 2, 1, datetime(2026, 1, 1, tzinfo=UTC)))
    for number in range(n_rows // WINDOW):
        pairs = case.pairs(rng, WINDOW)
        found = weigh(pairs, case.schema, case.metric, unit=case.unit, margin=0.0)
        trial = trial.with_window(str(number), found)
        now = trial.probation.since
        if trial.status(DEFAULT, now=now, horizon=HORIZON) is TrialStatus.BREACHED:
            return trial.n_rows
    return None


def main(n_repetitions: int) -> None:
    """Print the table."""
    began = time.process_time()
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}; {n_repetitions} repetitions, windows of {WINDOW} "
        f"rows, margin 0\n\n"
        "| champion | task | metric | its gain | harm in the loss | they differ | rolled back "
        f"within {WITHIN} rows | median rows | within {DEFAULT.rows} |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for case in cases():
        probe = case.pairs(np.random.default_rng(3), 200_000)
        differences = loss_differences(probe, case.schema, unit=case.unit)
        ended = [rows_to_roll_back(case, seed, DEFAULT.rows) for seed in range(n_repetitions)]
        done = sorted(one for one in ended if one is not None)
        soon = sum(one <= WITHIN for one in done) / n_repetitions
        median = str(done[len(done) // 2]) if len(done) > n_repetitions / 2 else "-"
        print(
            f"| {case.kind} | {case.schema.task}{', classes alone' if case.named_alone else ''} | "
            f"{case.metric} | "
            f"{metric_gain(probe, case.schema, case.metric):+.4f} | {differences.mean():+.4f} | "
            f"{np.mean(differences != 0):.1%} | {soon:.1%} | {median} | "
            f"{len(done) / n_repetitions:.1%} |"
        )
    print(f"\n{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_REPETITIONS)
