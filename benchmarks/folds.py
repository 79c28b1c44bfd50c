"""Folds: real tables, each torn at random into rows for a model, a reference and a pool."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from leeway.demo.flights import CATEGORICAL, NUMERIC, TARGET, load_flights
from monitor.sample import Outcomes, Sample
from monitor.schema import Schema, Task

N_WINDOWS, N_CURRENT, MOST_ROWS = 13, 2000, 45_000
CARRIER = "carrier"
CLASSIFIERS = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}
REGRESSORS = {
    "linear": lambda: make_pipeline(StandardScaler(), LinearRegression()),
    "boosting": lambda: HistGradientBoostingRegressor(random_state=0),
}


@dataclass(frozen=True)
class Table:
    """Rows as numbers, and what is to be predicted of them."""

    name: str
    task: Task
    features: np.ndarray
    outcome: np.ndarray
    """Values, or places of classes."""

    @property
    def schema(self) -> Schema:
        """The task and its classes."""
        n_classes = 0 if self.task is Task.REGRESSION else int(self.outcome.max()) + 1
        return Schema(self.task, {}, "y", classes=tuple(map(str, range(n_classes))))


@dataclass(frozen=True)
class Fold:
    """A model's reference, and the pool that current rows are drawn from."""

    name: str
    schema: Schema
    reference: Sample
    features: np.ndarray
    outcomes: Outcomes
    places: np.ndarray
    reference_places: np.ndarray
    """z of the pool's and of the reference's rows, as quantiles."""
    rng: np.random.Generator

    def current(self, tilt: float) -> np.ndarray:
        """Draw current rows from the pool."""
        z = (self.places - 0.5) * np.sqrt(12)
        weights = np.exp(tilt * z)
        n_rows = min(N_CURRENT, len(z) // 3)
        return self.rng.choice(len(z), n_rows, replace=False, p=weights / weights.sum())


def folds(folder: Path, n_folds: int, tasks: Sequence[Task]) -> Iterator[Fold]:
    """Yield every fold of every table of some tasks, for every model."""
    for name, tables in _tables(folder):
        for at in range(n_folds):
            rng = np.random.default_rng([at, *name.encode()])
            rows = rng.permutation(len(tables[0].outcome))[:MOST_ROWS]
            tilted = rng.normal(size=max(one.features.shape[1] for one in tables))
            for table in tables:
                if table.task not in tasks:
                    continue
                # One that was made of another: the same rows come, whatever other tasks are asked.
                by = np.random.default_rng([at, *table.name.encode()])
                by = rng if table.name == name else by
                features, y = table.features[rows], table.outcome[rows]
                z = np.apply_along_axis(rankdata, 0, features) @ tilted[: features.shape[1]]
                models = REGRESSORS if table.task is Task.REGRESSION else CLASSIFIERS
                for model, made in models.items():
                    parts = np.array_split(np.arange(rows.size), 3)
                    with threadpool_limits(1):  # fits are small: threads would wait for each other
                        fitted = made().fit(*_learned(table, features, y, parts[0]))
                    label = f"{table.name}-{model}-{at}"
                    yield _fold(label, table.schema, (features, y, z), fitted, by)


def _tables(folder: Path) -> Iterator[tuple[str, list[Table]]]:
    """Yield the tables: each as it is, and as other tasks that can be made of it."""
    if folder.is_dir():
        for name, task in json.loads((folder / "tasks.json").read_text()).items():
            rows = pd.read_parquet(folder / f"{name}.parquet")
            features = _numbers(rows, task["features"])
            yield name, list(_tasks(name, features, rows[task["target"]], Task(task["task"])))
    else:
        print(f"{folder} is not there: flights alone.\n")
    rows = load_flights().dropna(subset=[TARGET])  # some never arrived
    names = [*NUMERIC, *CATEGORICAL]
    told = [name for name in names if name != CARRIER]
    carriers = pd.factorize(rows[CARRIER], sort=True)[0].astype(float)
    yield (
        "flights",
        [
            Table("flights", Task.BINARY, _numbers(rows, names), rows[TARGET].to_numpy(float)),
            Table("carriers", Task.MULTICLASS, _numbers(rows, told), carriers),
        ],
    )


def _tasks(name: str, features: np.ndarray, target: pd.Series, task: Task) -> Iterator[Table]:
    if task is not Task.REGRESSION:
        yield Table(name, task, features, pd.factorize(target, sort=True)[0].astype(float))
        return
    values = target.to_numpy(float)
    thirds = np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values).astype(float)
    yield Table(name, Task.BINARY, features, (values > np.median(values)).astype(float))
    yield Table(name, Task.REGRESSION, features, values)
    yield Table(f"{name}-thirds", Task.MULTICLASS, features, thirds)


def _numbers(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    columns = [
        rows[name] if pd.api.types.is_numeric_dtype(rows[name]) else pd.factorize(rows[name])[0]
        for name in names
    ]
    found = np.column_stack([np.asarray(column, dtype=float) for column in columns])
    return np.where(np.isnan(found), np.nanmedian(found, axis=0), found)


def _fold(name, schema, rows, fitted, rng) -> Fold:  # noqa: ANN001
    features, y, z = rows
    said, chances = _said(fitted, features, schema)
    encoded, places = np.column_stack([features, said]), rankdata(z) / len(z)
    _, reference, pool = np.array_split(np.arange(len(y)), 3)
    windows = np.arange(reference.size) * N_WINDOWS // reference.size
    outcomes = Outcomes(said, y, chances)
    sample = Sample({}, encoded[reference], outcomes.take(reference), windows)
    held = outcomes.take(pool)
    return Fold(name, schema, sample, encoded[pool], held, places[pool], places[reference], rng)


def _learned(table, features, y, part) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN001
    """Return what a model learns from; nobody learns a class of one row."""
    if table.task is Task.MULTICLASS:
        part = part[np.bincount(y[part].astype(int))[y[part].astype(int)] > 1]
    return features[part], y[part]


def _said(fitted, features, schema) -> tuple[np.ndarray, np.ndarray | None]:  # noqa: ANN001
    if schema.task is Task.REGRESSION:
        return fitted.predict(features), None
    made = fitted.predict_proba(features)
    if schema.task is Task.BINARY:
        return made[:, 1], None
    chances = np.zeros((len(features), len(schema.classes)))
    chances[:, fitted.classes_.astype(int)] = made  # a rare class may have no row to learn from
    return chances.argmax(axis=1).astype(float), chances
