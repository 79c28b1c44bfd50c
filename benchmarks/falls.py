"""Falls of performance: false alarms and power of Leeway's alert, its two parts, and other rules.

A model is right in 80 % of its predictions, plus or minus a wobble from week to week, and 1000
labels come each week. Some weeks are the reference; then comes a year. Prints a table in Markdown.
Leeway's rules are what its cycle runs: the scores of a week, judged.
"""

import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np

from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy, performance_scores, wobble_of
from monitor.checks.score import Check, Score, Status
from monitor.checks.slow_fall import METHOD, slow_fall_scores
from monitor.reference import Estimate, Reference
from monitor.schema import Schema, Task
from monitor.verdict import Basis, VerdictPolicy, judge
from monitor.window import LabelPolicy, WindowPolicy

N_LABELS, ACCURACY = 1000, 0.8
REFERENCE_WEEKS, FEW_WEEKS, YEAR_WEEKS, FOUND_WITHIN = 26, 8, 52, 12
WOBBLES, FALLS = (0.0, 0.01), (0.02, 0.03, 0.04)
N_TRIALS = 500
SCHEMA = Schema(Task.BINARY, features={}, target="y")
METRIC = PerformancePolicy("accuracy")
POLICY = VerdictPolicy(WindowPolicy(), LabelPolicy(), DriftPolicy(), METRIC)

Rule = Callable[[np.ndarray, np.ndarray], bool]
"""Takes the accuracies of the reference's weeks and of later ones; says whether any is alarmed."""


def two_points(reference: np.ndarray, later: np.ndarray) -> bool:
    """Breach two points below the reference."""
    return bool((later < reference.mean() - 0.02).any())


def three_sd(reference: np.ndarray, later: np.ndarray) -> bool:
    """Breach three standard deviations of the reference's weeks below their mean: NannyML's."""
    return bool((later < reference.mean() - 3 * reference.std()).any())


def by_threshold(reference: np.ndarray, later: np.ndarray) -> bool:
    """Breach as one week does in Leeway's verdict."""
    return any(one[0] for one in judged(reference, later))


def by_sum(reference: np.ndarray, later: np.ndarray) -> bool:
    """Breach as what weeks have added up to does in Leeway's verdict."""
    return any(one[1] for one in judged(reference, later))


def by_either(reference: np.ndarray, later: np.ndarray) -> bool:
    """Breach as Leeway's verdict does."""
    return any(any(one) for one in judged(reference, later))


def judged(reference: np.ndarray, later: np.ndarray) -> list[tuple[bool, bool]]:
    """Judge weeks one after the other; says of each whether its fall, and the sum, breaches."""
    known, found = _prepared(reference), []
    apart = wobble_of(known, METRIC.metric) or 0.0
    weeks = [_measured(accuracy, 1) for accuracy in later]
    for at, now in enumerate(weeks):
        scores = performance_scores({METRIC.metric: now}, known.performance, METRIC, apart)
        scores += slow_fall_scores(scores, weeks[:at], known, METRIC)
        basis = Basis(N_LABELS, enough_rows=0, provisional=False)
        breached = judge(scores, basis, POLICY, target="y").breached(Check.PERFORMANCE)
        found.append((_any(breached, METRIC.metric), _any(breached, METHOD)))
    return found


def _any(breached: list[Score], method: str) -> bool:
    return any(one.method == method and one.status is Status.BREACH for one in breached)


def _prepared(weeks: np.ndarray) -> Reference:
    reached = {METRIC.metric: _measured(float(weeks.mean()), weeks.size)}
    by_window = {METRIC.metric: tuple(_measured(float(one), 1) for one in weeks)}
    return Reference(SCHEMA, {}, reached, weeks.size * N_LABELS, by_window=by_window)


def _measured(accuracy: float, n_weeks: int) -> Estimate:
    n = n_weeks * N_LABELS
    return Estimate(accuracy, float(np.sqrt(accuracy * (1 - accuracy) / n)), n)


RULES: Mapping[str, tuple[Rule, int]] = {
    "two points": (two_points, REFERENCE_WEEKS),
    "mean - 3 sd": (three_sd, REFERENCE_WEEKS),
    "Leeway: one week": (by_threshold, REFERENCE_WEEKS),
    "Leeway: control chart": (by_sum, REFERENCE_WEEKS),
    "**Leeway: the alert**": (by_either, REFERENCE_WEEKS),
    "the same, 8 weeks of reference": (by_either, FEW_WEEKS),
}


def draw(n_weeks: int, wobble: float, fall: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the accuracies of some weeks."""
    truth = ACCURACY - fall + wobble * rng.normal(size=n_weeks)
    return rng.binomial(N_LABELS, np.clip(truth, 0, 1)) / N_LABELS


def alarmed(rule: Rule, n_reference: int, wobble: float, fall: float) -> float:
    """Return how many of the trials have an alarm: in a year without a fall, in weeks with one."""
    n_weeks = FOUND_WITHIN if fall else YEAR_WEEKS
    found = 0
    for trial in range(N_TRIALS):
        rng = np.random.default_rng([trial, round(1000 * wobble), round(1000 * fall)])
        reference = draw(n_reference, wobble, 0.0, rng)
        found += rule(reference, draw(n_weeks, wobble, fall, rng))
    return found / N_TRIALS


def main() -> None:
    """Print the table."""
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {N_TRIALS} years a cell\n")
    head = [f"fall of {100 * fall:.0f} points" for fall in FALLS]
    print(f"| rule | wobble | false, in a year | {' | '.join(head)} |")
    print(f"| --- | ---: | ---: | {' | '.join(['---:'] * len(head))} |")
    for name, (rule, n_reference) in RULES.items():
        for wobble in WOBBLES:
            shown = [f"{alarmed(rule, n_reference, wobble, fall):.2f}" for fall in (0.0, *FALLS)]
            print(f"| {name} | {100 * wobble:.0f} points | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
