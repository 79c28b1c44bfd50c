"""Estimates without labels: how far off they are, whether their bands hold, whether they abstain.

Folds of real tables: each is torn at random into rows for a model, a reference of 13 windows, and a
pool. 2000 current rows are drawn from the pool, tilted along a random direction of the features'
ranks: row i is drawn with a weight of exp(tilt·zᵢ), z standardised. The relation of inputs and
outcome stays. Without support: the reference has no row with z in the upper quarter, and the
current rows are all of its upper fifth.

A table whose outcome is a number is made binary: above its median or not; as it is, it says how
well MAE is estimated. Prints tables in Markdown. NannyML's CBPE runs in an environment of its own.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from peers.environment import PeerMissingError, python_of
from peers.process import run
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leeway.demo.flights import CATEGORICAL, NUMERIC, TARGET, load_flights
from monitor.back_test import BackTest
from monitor.checks.estimable import back_test
from monitor.checks.estimate import Abstention, Current, estimate, measured
from monitor.reference import Z95
from monitor.sample import Outcomes, Sample
from monitor.schema import Schema, Task

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
N_WINDOWS, N_CURRENT, MOST_ROWS = 13, 2000, 45_000
TILTS = {"none": 0.0, "mild": 0.75, "strong": 1.5}
GONE, THERE = 0.75, 0.8
"""Without support: quantiles of z up to which the reference has rows, and from which rows come."""
SCHEMAS = {
    Task.BINARY: Schema(Task.BINARY, {}, "y", classes=("0", "1")),
    Task.REGRESSION: Schema(Task.REGRESSION, {}, "y"),
}
METRICS = {Task.BINARY: ("accuracy", "roc_auc"), Task.REGRESSION: ("mae",)}
MODELS = {
    Task.BINARY: {
        "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
    },
    Task.REGRESSION: {
        "linear": lambda: make_pipeline(StandardScaler(), LinearRegression()),
        "boosting": lambda: HistGradientBoostingRegressor(random_state=0),
    },
}


@dataclass(frozen=True)
class Fold:
    """A model's reference, and the pool that current rows are drawn from."""

    name: str
    task: Task
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


def tables(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the tables: name, features as numbers, outcome."""
    if folder.is_dir():
        for name, task in json.loads((folder / "tasks.json").read_text()).items():
            rows = pd.read_parquet(folder / f"{name}.parquet")
            if task["task"] != Task.MULTICLASS:
                yield name, _numbers(rows, task["features"]), rows[task["target"]].to_numpy()
    else:
        print(f"{folder} is not there: flights alone.\n")
    rows = load_flights().dropna(subset=[TARGET])  # some never arrived
    yield "flights", _numbers(rows, [*NUMERIC, *CATEGORICAL]), rows[TARGET].to_numpy()


def _numbers(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    columns = [
        rows[name] if pd.api.types.is_numeric_dtype(rows[name]) else pd.factorize(rows[name])[0]
        for name in names
    ]
    found = np.column_stack([np.asarray(column, dtype=float) for column in columns])
    return np.where(np.isnan(found), np.nanmedian(found, axis=0), found)


def folds(folder: Path, n_folds: int) -> Iterator[Fold]:
    """Yield every fold of every table, for every model."""
    for name, features, outcome in tables(folder):
        is_binary = len(np.unique(outcome)) == 2  # noqa: PLR2004 - that is what binary is
        for at in range(n_folds):
            rng = np.random.default_rng([at, *name.encode()])
            rows = rng.permutation(len(outcome))[:MOST_ROWS]
            ranks = np.apply_along_axis(rankdata, 0, features[rows])
            z = ranks @ rng.normal(size=features.shape[1])
            parts = np.array_split(np.arange(rows.size), 3)
            tasks = [Task.BINARY] if is_binary else [Task.BINARY, Task.REGRESSION]
            for task in tasks:
                y = outcome[rows].astype(float)
                y = (y > np.median(y)).astype(float) if task != Task.REGRESSION else y
                for model, made in MODELS[task].items():
                    fitted = made().fit(features[rows][parts[0]], y[parts[0]])
                    yield _fold(
                        f"{name}-{model}-{at}", task, fitted, features[rows], y, z, parts, rng
                    )


def _fold(name, task, fitted, features, y, z, parts, rng) -> Fold:  # noqa: ANN001, PLR0913, PLR0917
    said = fitted.predict_proba(features)[:, 1] if task is Task.BINARY else fitted.predict(features)
    encoded, places = np.column_stack([features, said]), rankdata(z) / len(z)
    _, reference, pool = parts
    windows = np.arange(reference.size) * N_WINDOWS // reference.size
    of_reference = Outcomes(said[reference], y[reference])
    sample = Sample({}, encoded[reference], of_reference, windows)
    held = Outcomes(said[pool], y[pool])
    return Fold(name, task, sample, encoded[pool], held, places[pool], places[reference], rng)


def compare(fold: Fold, folder: Path) -> list[dict[str, object]]:
    """Estimate the current rows of a fold at every tilt, and write them for the peer."""
    schema, found = SCHEMAS[fold.task], []
    tested = {m: back_test(fold.reference, schema, m) for m in METRICS[fold.task]}
    if fold.task is Task.BINARY:
        _write(folder / f"reference-{fold.name}.parquet", fold.reference.outcomes)
    for tilt, strength in TILTS.items():
        rows = fold.current(strength)
        current = Current(fold.features[rows], fold.outcomes.predictions[rows])
        if fold.task is Task.BINARY:
            _write(folder / f"current-{fold.name}-{tilt}.parquet", fold.outcomes.take(rows))
        for metric in METRICS[fold.task]:
            told = _told(fold.reference, current, schema, tested[metric])
            real = measured(fold.outcomes.take(rows), schema, metric)
            before = measured(fold.reference.outcomes, schema, metric)
            found.append(
                {
                    "case": f"current-{fold.name}-{tilt}", "tilt": tilt, "metric": metric,
                    "task": fold.task, "real": real.value, "noise": real.standard_error,
                    "kept": before.value, "told": told and told[0], "half": told and told[1],
                }
            )  # fmt: skip
    return found


def _told(
    sample: Sample, current: Current, schema: Schema, tested: BackTest
) -> tuple[float, float] | None:
    """Return an estimate and half of its band; None where Leeway abstains."""
    if tested.against(tested.metric):
        return None
    found = estimate(sample, current, schema, tested.metric)
    if isinstance(found, Abstention):
        return None
    return found.value, Z95 * tested.scale * found.standard_error


def _write(path: Path, outcomes: Outcomes) -> None:
    said = (outcomes.predictions >= 0.5).astype(int)  # noqa: PLR2004 - as Leeway does
    columns = {"score": outcomes.predictions, "said": said, "y": outcomes.labels.astype(int)}
    pd.DataFrame(columns).to_parquet(path)


def abstains(fold: Fold) -> bool:
    """Say whether there is no estimate for rows of a kind that the reference does not have."""
    kept = fold.reference.take(np.flatnonzero(fold.reference_places < GONE))
    rows = np.flatnonzero(fold.places > THERE)[:N_CURRENT]
    current = Current(fold.features[rows], fold.outcomes.predictions[rows])
    found = estimate(kept, current, SCHEMAS[fold.task], METRICS[fold.task][0])
    return isinstance(found, Abstention)


def cbpe(folder: Path, environments: Path) -> dict[str, dict[str, float]]:
    """Return the peer's estimates; none where it cannot be installed."""
    try:
        python = python_of("nannyml", environments)
    except PeerMissingError as error:
        print(f"Without NannyML: {error}\n")
        return {}
    script = HERE / "peers" / "cbpe_by_nannyml.py"
    ended = run([python, script, folder], folder=folder, limit_seconds=1800)
    if ended.failure:
        print(f"Without NannyML: {ended.failure}\n")
        return {}
    return json.loads(ended.output.splitlines()[-1])


def show(cases: pd.DataFrame) -> None:
    """Print the table of one task."""
    print(
        "| metric | tilt | cases | labels' own sampling error | reference kept | NannyML CBPE | "
        "Leeway | Leeway / CBPE | in the band | abstains |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for (metric, tilt), group in cases.groupby(["metric", "tilt"], sort=False):
        told = group[group["told"].notna()]
        off = (told["told"] - told["real"]).abs()
        mae = {one: (told[one] - told["real"]).abs().mean() for one in ("kept", "cbpe")}
        print(
            f"| {metric} | {tilt} | {len(group)} | {told['noise'].mean():.4g} | {mae['kept']:.4g} "
            f"| {mae['cbpe']:.4g} | {off.mean():.4g} | {off.mean() / mae['cbpe']:.2f} | "
            f"{(off <= told['half']).mean():.1%} | {1 - len(told) / len(group):.1%} |"
        )
    print()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--environments", type=Path, default=HERE.parent / ".bench")
    arguments = parser.parse_args()
    began, cases, silent = time.process_time(), [], []
    with tempfile.TemporaryDirectory() as name:
        for fold in folds(arguments.data, arguments.folds):
            print(fold.name, fold.task, file=sys.stderr, flush=True)
            cases += compare(fold, Path(name))
            silent.append(abstains(fold))
        used = time.process_time() - began
        theirs = cbpe(Path(name), arguments.environments)
    for case in cases:
        case["cbpe"] = theirs.get(case["case"], {}).get(case["metric"], np.nan)
    frame = pd.DataFrame(cases).astype({"told": float, "half": float})
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {used:.0f} CPU s without the peer\n")
    for task, group in frame.groupby("task", sort=False):
        print(f"### {str(task).title()}: mean absolute error\n")
        if task == Task.REGRESSION:  # tables in different units: in those of their own error
            group = group.assign(  # noqa: PLW2901
                **{c: group[c] / group["kept"] for c in ("real", "told", "half", "noise", "kept")}
            )
        show(group)
    print(f"Without support: {np.mean(silent):.1%} of {len(silent)} cases abstain.")


if __name__ == "__main__":
    main()
