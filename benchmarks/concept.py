"""Covariate or concept drift: how often a verdict is wrong, and how often a fall is found.

Worlds of 8 features; a boosted model is fitted on 6,000 rows, its reference is 13 windows of 1,500
more. A window of 2,000 labelled rows is tilted along a random direction: rows are drawn with a
weight of exp(tilt * z), z standardised. *Concept*: the same rows, whose labels follow the features
otherwise, so that the metric is worse by 4 points (MAE: by a tenth) on the tilted rows. Of the two
kinds one flips labels (or adds noise) anywhere, the other turns the effect of one feature.

*Compared with the reference* calls a fall concept drift that is 2.33 sampling errors below what the
reference had, as one would without an estimate. Prints a table in Markdown.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from monitor.change import CONCEPT_Z, residual
from monitor.checks.estimable import back_test
from monitor.checks.estimate import Abstention, Current, estimate, measured
from monitor.checks.fall import PerformancePolicy, least_fall
from monitor.checks.performance import METRICS
from monitor.reference import Estimate
from monitor.sample import Outcomes, Sample
from monitor.schema import Schema, Task

N_FEATURES, N_TRAINING, N_WINDOWS, WINDOW_ROWS, N_LABELS = 8, 6000, 13, 1500, 2000
MOST_ROWS = 10_000
TILTS = {"none": 0.0, "mild": 0.5, "strong": 1.0}
WORSE = {"accuracy": 0.04, "roc_auc": 0.04, "mae": 0.1}
KINDS = ("anywhere", "of one feature")
N_POOL = 20_000
CLASSES = ("a", "b", "c")


@dataclass(frozen=True)
class World:
    """How outcomes follow features, and what is measured."""

    name: str
    schema: Schema
    metric: str


WORLDS = (
    World("binary, PAPE", Schema(Task.BINARY, {}, "y", classes=("0", "1")), "accuracy"),
    World("binary, PAPE", Schema(Task.BINARY, {}, "y", classes=("0", "1")), "roc_auc"),
    World("three classes, DR", Schema(Task.MULTICLASS, {}, "y", classes=CLASSES), "accuracy"),
    World("numbers, DR", Schema(Task.REGRESSION, {}, "y"), "mae"),
)


@dataclass(frozen=True)
class Truth:
    """Draws outcomes of rows; how far they are turned from what they were is 0 or more."""

    task: Task
    slopes: np.ndarray
    pairs: np.ndarray

    def draw(self, x: np.ndarray, kind: str, far: float, rng: np.random.Generator) -> np.ndarray:
        """Draw the outcome of each row."""
        slopes = self.slopes.copy()
        if kind == "of one feature":
            slopes[0] *= 1 - far
        mean = x @ slopes + self.pairs[0] * x[:, 1] * x[:, 2] + self.pairs[1] * np.abs(x[:, 3])
        anywhere = far if kind == "anywhere" else 0.0
        if self.task is Task.REGRESSION:
            return mean + rng.normal(size=len(x)) * np.exp(0.3 * x[:, 4]) * (1 + anywhere)
        if self.task is Task.BINARY:
            y = (rng.uniform(size=len(x)) < expit(1.5 * mean)).astype(float)
            return np.where(rng.uniform(size=len(x)) < anywhere, 1 - y, y)
        logits = 1.5 * np.column_stack([mean, x[:, 5] - mean, np.zeros(len(x))])
        y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1).astype(float)
        return np.where(rng.uniform(size=len(x)) < anywhere, (y + 1) % 3, y)


def truth(task: Task, rng: np.random.Generator) -> Truth:
    """Draw how outcomes follow features; the first feature matters."""
    slopes = rng.normal(0, 0.5, N_FEATURES)
    slopes[0] = 1.0
    return Truth(task, slopes, rng.normal(0, 0.6, 2))


def predicting(task: Task, x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the model that is watched."""
    if task is Task.REGRESSION:
        return HistGradientBoostingRegressor(random_state=0).fit(x, y).predict
    made = HistGradientBoostingClassifier(random_state=0, max_iter=40).fit(x, y)
    if task is Task.BINARY:
        return lambda rows: made.predict_proba(rows)[:, 1]
    return made.predict


def tilted(x: np.ndarray, tilt: float, rng: np.random.Generator) -> np.ndarray:
    """Return how often each row is drawn when rows are tilted along a random direction."""
    z = x @ rng.normal(size=x.shape[1])
    weights = np.exp(tilt * (z - z.mean()) / z.std())
    return weights / weights.sum()


@dataclass(frozen=True)
class Rows:
    """Features of rows, and what the model says of them."""

    x: np.ndarray
    said: np.ndarray


@dataclass(frozen=True)
class Watch:
    """A model with its reference."""

    world: World
    truth: Truth
    predict: Callable[[np.ndarray], np.ndarray]
    sample: Sample
    scale: float
    pool: np.ndarray

    def value(self, rows: Rows, kind: str, far: float, rng: np.random.Generator) -> Estimate:
        """Draw labels of rows, and measure."""
        outcomes = Outcomes(rows.said, self.truth.draw(rows.x, kind, far, rng))
        return measured(outcomes, self.world.schema, self.world.metric)

    def rows(self, places: np.ndarray) -> Rows:
        """Take rows of the pool."""
        x = self.pool[places]
        return Rows(x, np.asarray(self.predict(x), dtype=float))

    def distance(self, rows: Rows, kind: str) -> float:
        """Search how far the truth has to turn for the metric to be worse by what is asked.

        The rows are many, and their labels drawn with the same random numbers each time.
        """
        better = METRICS[self.world.metric].bigger_is_better
        before = self.value(rows, kind, 0.0, np.random.default_rng(0)).value
        step = WORSE[self.world.metric]
        goal = before - step if better else before * (1 + step)
        low, high = 0.0, 3.0 if kind == "of one feature" else 1.0
        for _ in range(10):
            far = (low + high) / 2
            now = self.value(rows, kind, far, np.random.default_rng(0)).value
            too_far = now < goal if better else now > goal
            low, high = (low, far) if too_far else (far, high)
        return (low + high) / 2


def watch(world: World, seed: int) -> Watch | None:
    """Make a model and its reference; none where its back-test forbids estimates."""
    rng, task = np.random.default_rng([seed, *world.name.encode()]), world.schema.task
    follows = truth(task, rng)
    x = rng.normal(size=(N_TRAINING + N_WINDOWS * WINDOW_ROWS, N_FEATURES))
    y = follows.draw(x, "anywhere", 0.0, rng)
    predict = predicting(task, x[:N_TRAINING], y[:N_TRAINING])
    kept = np.sort(rng.choice(np.arange(N_TRAINING, len(x)), MOST_ROWS, replace=False))
    said = np.asarray(predict(x[kept]), dtype=float)
    sample = Sample(
        {}, np.column_stack([x[kept], said]), Outcomes(said, y[kept]),
        (kept - N_TRAINING) // WINDOW_ROWS,
    )  # fmt: skip
    tested = back_test(sample, world.schema, world.metric)
    if tested.against(world.metric):
        return None
    pool = rng.normal(size=(N_POOL, N_FEATURES))
    return Watch(world, follows, predict, sample, tested.scale, pool)


@dataclass(frozen=True)
class Case:
    """One window: standard errors, and by how much it is worse than what explains it."""

    tilt: str
    kind: str
    z: float
    worse: float
    least: float
    plain: float

    @property
    def is_concept(self) -> bool:
        """What `monitor.change.Change` would say."""
        return self.z > CONCEPT_Z and self.worse >= self.least


def cases(one: Watch, tilt: str, seed: int, n_windows: int) -> Iterator[Case | None]:
    """Yield the cases of a model at a tilt; None for each that is not estimated."""
    schema, metric = one.world.schema, one.world.metric
    rng = np.random.default_rng([seed, *tilt.encode()])
    chances = tilted(one.pool, TILTS[tilt], rng)
    many = one.rows(rng.choice(N_POOL, N_POOL, p=chances))
    distances = {"": 0.0} | {kind: one.distance(many, kind) for kind in KINDS}
    for _ in range(n_windows):
        rows = one.rows(rng.choice(N_POOL, N_LABELS, replace=False, p=chances))
        current = Current(np.column_stack([rows.x, rows.said]), rows.said)
        told = estimate(one.sample, current, schema, metric)
        for kind, far in distances.items():
            if isinstance(told, Abstention):
                yield None
            else:
                yield _case(one, tilt, kind, told, one.value(rows, kind, far, rng))


def _case(one: Watch, tilt: str, kind: str, told: Estimate, real: Estimate) -> Case:
    better = METRICS[one.world.metric].bigger_is_better
    own = measured(one.sample.outcomes, one.world.schema, one.world.metric)
    banded = Estimate(told.value, told.standard_error * one.scale, told.n)
    plain = Estimate(own.value, np.hypot(own.standard_error, real.standard_error), real.n)
    return Case(
        tilt,
        kind,
        residual(banded, real, bigger_is_better=better),
        told.value - real.value if better else real.value - told.value,
        least_fall(PerformancePolicy(one.world.metric), own),
        residual(plain, real, bigger_is_better=better),
    )


def share(found: list[bool]) -> str:
    """Write a share."""
    return f"{np.mean(found):.1%}" if found else "-"


def row(world: World, tilt: str, found: list[Case | None]) -> str:
    """Write one line of the table."""
    told = [case for case in found if case is not None]
    by_kind = {kind: [case for case in told if case.kind == kind] for kind in ("", *KINDS)}
    cells = [
        world.name, world.metric, tilt, str(len(by_kind[""])),
        share([case.plain > CONCEPT_Z for case in by_kind[""]]),
        share([case.is_concept for case in by_kind[""]]),
        *(share([case.is_concept for case in by_kind[kind]]) for kind in KINDS),
        share([case is None for case in found]),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=20, help="models of each world")
    parser.add_argument("--windows", type=int, default=10, help="windows of a model and tilt")
    arguments = parser.parse_args()
    began, lines, total = time.process_time(), [], []
    for world in WORLDS:
        of_tilt: dict[str, list[Case | None]] = {tilt: [] for tilt in TILTS}
        for seed in range(arguments.models):
            print(world.name, world.metric, seed, file=sys.stderr, flush=True)
            made = watch(world, seed)
            if made is None:
                continue
            for tilt, found in of_tilt.items():
                found.extend(cases(made, tilt, seed, arguments.windows))
        lines += [row(world, tilt, found) for tilt, found in of_tilt.items()]
        total += [case for found in of_tilt.values() for case in found if case is not None]
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {time.process_time() - began:.0f} CPU s\n")
    print(
        "| world | metric | tilt | windows | false, compared with the reference | false | "
        "found: anywhere | found: of one feature | not estimated |\n"
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    print("\n".join(lines))
    false = share([case.is_concept for case in total if not case.kind])
    power = share([case.is_concept for case in total if case.kind])
    print(f"\nIn all {false} false and {power} found.")


if __name__ == "__main__":
    main()
