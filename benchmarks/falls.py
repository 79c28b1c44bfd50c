"""Falls of performance: false alarms and power of rules that look at one window, and of the sum.

A model is right in 80 % of its predictions, plus or minus a wobble from week to week, and 1000
labels come each week. 26 weeks of reference, then a year. Prints a table in Markdown.
"""

import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np

from monitor.checks.fall import SAMPLING_ERRORS, PerformancePolicy
from monitor.control_chart import LIMIT, control_chart, cumulated, deviations

N_LABELS, ACCURACY = 1000, 0.8
REFERENCE_WEEKS, YEAR_WEEKS, FOUND_WITHIN = 26, 52, 12
WOBBLES, FALLS = (0.0, 0.01), (0.02, 0.03, 0.04)
N_TRIALS = 2000

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes the accuracies of the reference's weeks and of later ones; says which of these breach."""


def two_points(reference: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Breach two points below the reference."""
    return later < reference.mean() - 0.02


def by_threshold(reference: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Breach as Leeway's verdict does: beyond the allowed drop and three sampling errors."""
    both = np.hypot(_error(later, 1), _error(reference.mean(), reference.size))
    drop = np.maximum(PerformancePolicy("accuracy").max_drop, SAMPLING_ERRORS * both)
    return later < reference.mean() - drop


def three_sd(reference: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Breach three standard deviations of the reference's weeks below their mean: NannyML's."""
    return later < reference.mean() - 3 * reference.std()


def by_sum(reference: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Breach when what the weeks are worse has added up."""
    chart = control_chart(reference, _error(reference, 1), bigger_is_better=True)
    return cumulated(deviations(chart, later, _error(later, 1))) > LIMIT


RULES: Mapping[str, Rule] = {
    "two points": two_points,
    "three points and three sampling errors": by_threshold,
    "mean - 3 sd": three_sd,
    "control chart": by_sum,
}


def _error(accuracy: np.ndarray, n_weeks: int) -> np.ndarray:
    return np.sqrt(accuracy * (1 - accuracy) / (n_weeks * N_LABELS))


def draw(n_weeks: int, wobble: float, fall: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the accuracies of some weeks."""
    truth = ACCURACY - fall + wobble * rng.normal(size=n_weeks)
    return rng.binomial(N_LABELS, np.clip(truth, 0, 1)) / N_LABELS


def alarmed(rule: Rule, wobble: float, fall: float) -> float:
    """Return how many of the trials have an alarm: in a year without a fall, in weeks with one."""
    n_weeks = FOUND_WITHIN if fall else YEAR_WEEKS
    found = 0
    for trial in range(N_TRIALS):
        rng = np.random.default_rng([trial, round(1000 * wobble), round(1000 * fall)])
        reference = draw(REFERENCE_WEEKS, wobble, 0.0, rng)
        found += rule(reference, draw(n_weeks, wobble, fall, rng)).any()
    return found / N_TRIALS


def main() -> None:
    """Print the table."""
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}\n")
    head = [f"fall of {100 * fall:.0f} points" for fall in FALLS]
    print(f"| rule | wobble | false, in a year | {' | '.join(head)} |")
    print(f"| --- | ---: | ---: | {' | '.join(['---:'] * len(head))} |")
    for name, rule in RULES.items():
        for wobble in WOBBLES:
            shown = [f"{alarmed(rule, wobble, fall):.2f}" for fall in (0.0, *FALLS)]
            print(f"| {name} | {100 * wobble:.0f} points | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
