"""Worlds of rows: features that move by themselves, and ways in which they drift."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from monitor.batch import EVENT_AT
from monitor.schema import Kind

N_ROWS = 400
N_WINDOWS = 24
BEGINS = 0.2
"""A step is taken in the first of the last two windows."""

START = np.datetime64("2026-01-05", "us")

FEATURES: Mapping[str, Kind] = {
    "temperature": Kind.NUMERIC,
    "pressure": Kind.NUMERIC,
    "amount": Kind.NUMERIC,
    "wait": Kind.NUMERIC,
    "age": Kind.NUMERIC,
    "score": Kind.NUMERIC,
    "hour": Kind.NUMERIC,
    "region": Kind.CATEGORICAL,
    "product": Kind.CATEGORICAL,
}

Columns = dict[str, np.ndarray]
Drift = Callable[[Columns, np.ndarray, np.random.Generator], None]
"""Changes columns in place, by how far each row has come: 0 before the last two windows, then up
to 1 at their end."""


def draw(seed: int, drift: str | None) -> pa.Table:
    """Draw the rows of a world, of which the last two windows may drift."""
    rng = np.random.default_rng([seed, *(drift or "").encode()])
    n = N_ROWS * N_WINDOWS
    minutes = 24 * np.arange(n)
    columns = _calm(minutes, rng)
    if drift is not None:
        behind = np.clip((np.arange(n) - (n - 2 * N_ROWS)) / (2 * N_ROWS), 0, 1)
        DRIFTS[drift](columns, behind, rng)
    at = START + minutes * np.timedelta64(60_000_000, "us")
    times = pa.array(at).cast(pa.timestamp("us", "UTC"))
    return pa.table({**{name: pa.array(columns[name]) for name in FEATURES}, EVENT_AT: times})


def _calm(minutes: np.ndarray, rng: np.random.Generator) -> Columns:
    n = minutes.size
    day = np.sin(2 * np.pi * minutes / 1440)
    weather = np.repeat(rng.normal(size=n // 40 + 1), 40)[:n]
    weather = np.convolve(weather, np.ones(80) / 80, "same") * 4
    return {
        "temperature": 14 + 5 * day + 3 * weather + rng.normal(0, 0.7, n),
        "pressure": 1013 + 6 * weather + rng.normal(0, 1.5, n),
        "amount": rng.lognormal(3.5, 0.6, n),
        "wait": rng.gamma(3.0, 4.0, n) * rng.binomial(1, 0.9, n),
        "age": np.round(rng.normal(42, 11, n)),
        "score": rng.beta(4, 3, n),
        "hour": (minutes // 60 % 24).astype(float),
        "region": rng.choice([*"abcdef"], n, p=[0.35, 0.25, 0.16, 0.12, 0.08, 0.04]),
        "product": rng.choice([*"klmn"], n, p=[0.5, 0.28, 0.15, 0.07]),
    }


def _gradual(columns: Columns, behind: np.ndarray, rng: np.random.Generator) -> None:
    for name in rng.choice(["temperature", "pressure", "amount", "age"], 2, replace=False):
        columns[name] = columns[name] + 2 * columns[name].std() * behind


def _step(columns: Columns, behind: np.ndarray, rng: np.random.Generator) -> None:
    name = rng.choice(["temperature", "amount", "wait", "age", "score"])
    by = rng.uniform(0.5, 2) * rng.choice([-1, 1]) * columns[name].std()
    columns[name] = columns[name] + by * (behind > BEGINS)


def _growth(columns: Columns, behind: np.ndarray, rng: np.random.Generator) -> None:
    name = rng.choice(["amount", "wait"])
    columns[name] = columns[name] * (1 + (np.exp(rng.uniform(0.1, 0.7)) - 1) * (behind > BEGINS))


def _all_step(columns: Columns, behind: np.ndarray, rng: np.random.Generator) -> None:
    for name in ("temperature", "pressure", "amount", "wait", "age", "score"):
        columns[name] = columns[name] * np.where(behind > BEGINS, np.exp(rng.normal(0, 0.6)), 1)


def _mix(columns: Columns, behind: np.ndarray, rng: np.random.Generator) -> None:
    for name in ("region", "product"):
        levels = np.unique(columns[name])
        other = rng.choice(levels, behind.size, p=rng.dirichlet(np.full(levels.size, 2.0)))
        columns[name] = np.where(behind > BEGINS, other, columns[name])


def _new_level(columns: Columns, behind: np.ndarray, rng: np.random.Generator) -> None:
    share = rng.uniform(0.1, 0.45)
    is_new = (behind > BEGINS) & (rng.uniform(size=behind.size) < share)
    columns["product"] = np.where(is_new, "new", columns["product"])


DRIFTS: Mapping[str, Drift] = {
    "gradual": _gradual,
    "a step of .5-2 sd": _step,
    "growth by 1.1-2": _growth,
    "a step of all columns": _all_step,
    "other shares of levels": _mix,
    "a new level": _new_level,
}
