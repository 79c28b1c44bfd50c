"""Fading: how training rows should weigh, on the demo's flights, fitted again in every second week.

Labels come a week late. Prints a Markdown table of mean ROC AUC over the weeks, with the standard
error of its difference from models of all rows alike, week against week.
"""

import platform
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from leeway.demo.flights import CATEGORICAL, NUMERIC, REFERENCE_END, TARGET, TIME, load_flights
from leeway.demo.run import WEEK, weeks
from monitor.checks.performance import performance
from monitor.schema import Kind, Schema, Task
from retrain import fading
from retrain.candidates import fit, predict, recipes
from retrain.dataset import Dataset, from_table, take
from retrain.recipe import Recipe

SCHEMA = Schema(
    Task.BINARY,
    {**dict.fromkeys(NUMERIC, Kind.NUMERIC), **dict.fromkeys(CATEGORICAL, Kind.CATEGORICAL)},
    TARGET,
    time=TIME,
    classes=("0", "1"),
)
FITTED_EVERY, MAX_ROWS = 2, 100_000
USUAL = next(one for one in recipes(["hist_gradient_boosting"], Task.BINARY) if "slow" in one.name)
FADING = replace(USUAL, fading=True)


def ways() -> Iterator[tuple[str, Recipe, float]]:
    """Yield what is compared: its name, its recipe, and the age in weeks at which a row is half."""
    yield "all rows alike", USUAL, fading.HALF_WEIGHT_WINDOWS
    yield "the newest 8 weeks", replace(USUAL, training_range=8), fading.HALF_WEIGHT_WINDOWS
    for half in (1, fading.HALF_WEIGHT_WINDOWS):
        yield f"half at an age of {half}", FADING, half


def reached(flights: Dataset, recipe: Recipe) -> list[float]:
    """Return the ROC AUC in each week of a model that is fitted again."""
    found = []
    for number, start in enumerate(weeks()):
        begins = np.datetime64(start.replace(tzinfo=None), "us")
        week = np.timedelta64(WEEK)
        if number % FITTED_EVERY == 0:
            known = take(flights, flights.event_at < begins - week)
            model = fit(recipe, known, SCHEMA, window=WEEK, seed=0, max_rows=MAX_ROWS)
        rows = take(flights, (flights.event_at >= begins) & (flights.event_at < begins + week))
        predicted = predict(model, rows.features, SCHEMA)
        found.append(performance(rows.target, predicted, SCHEMA)["roc_auc"].value)
    return found


def main() -> None:
    """Print the table."""
    flights = from_table(pa.Table.from_pandas(load_flights()), SCHEMA, TARGET)
    python = platform.python_version()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {python}\n")
    print(f"| rows | mean ROC AUC from {REFERENCE_END:%d %b %Y} | more than of all rows |")
    print("|---|---|---|")
    alike: np.ndarray | None = None
    for name, recipe, half in ways():
        with patch.object(fading, "HALF_WEIGHT_WINDOWS", half):
            weekly = np.array(reached(flights, recipe))
        alike = weekly if alike is None else alike
        more = weekly - alike
        error = more.std(ddof=1) / np.sqrt(len(more))
        print(f"| {name} | {weekly.mean():.4f} | {more.mean():+.4f} ± {error:.4f} |", flush=True)


if __name__ == "__main__":
    main()
