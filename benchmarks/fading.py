"""Fading: how training rows should weigh, on the demo's flights, fitted again in every second week.

Labels come a week late. Prints a Markdown table of mean ROC AUC over the weeks, with the standard
error of its difference from models of all rows alike, week against week.
"""

import platform
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from leeway.demo.flights import CATEGORICAL, NUMERIC, REFERENCE_END, TARGET, TIME, load_flights
from leeway.demo.run import WEEK, weeks
from monitor.checks.performance import performance
from monitor.schema import Kind, Schema, Task
from retrain.candidates import fit, recipes
from retrain.dataset import Dataset, from_table, take
from retrain.fading import HALF_WEIGHT_WINDOWS
from retrain.prediction import predict
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


def ways() -> Iterator[tuple[str, Recipe, timedelta]]:
    """Yield what is compared: its name, its recipe, and the window that ages are counted in."""
    yield "all rows alike", USUAL, WEEK
    yield "the newest 8 weeks", replace(USUAL, training_range=8), WEEK
    for half in (1, HALF_WEIGHT_WINDOWS):
        # A row counts half at the age of so many windows: of shorter ones it does so sooner.
        yield f"half at an age of {half}", FADING, WEEK * half / HALF_WEIGHT_WINDOWS


def reached(flights: Dataset, recipe: Recipe, window: timedelta) -> list[float]:
    """Return the ROC AUC in each week of a model that is fitted again."""
    found = []
    for number, start in enumerate(weeks()):
        begins = np.datetime64(start.replace(tzinfo=None), "us")
        week = np.timedelta64(WEEK)
        if number % FITTED_EVERY == 0:
            known = take(flights, flights.event_at < begins - week)
            model = fit(recipe, known, SCHEMA, window=window, seed=0, max_rows=MAX_ROWS)
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
    for name, recipe, window in ways():
        weekly = np.array(reached(flights, recipe, window))
        alike = weekly if alike is None else alike
        more = weekly - alike
        error = more.std(ddof=1) / np.sqrt(len(more))
        print(f"| {name} | {weekly.mean():.4f} | {more.mean():+.4f} ± {error:.4f} |", flush=True)


if __name__ == "__main__":
    main()
