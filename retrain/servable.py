"""Servable: whether a version answers fast enough, and is small enough, to take over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from monitor.schema import Schema
from retrain.prediction import predict

N_PREDICTIONS = 7


@dataclass(frozen=True)
class ServingPolicy:
    """What a version may cost that takes over; it must be beyond both limits to be refused.

    Parameters
    ----------
    seconds : float
        Time of a prediction of one row that is always put up with.
    slowdown : float
        Times the champion's.
    n_bytes : int
        Size of a model file that is always put up with.
    growth : float
        Times the champion's.
    skew : float
        Greatest difference between a logged prediction and the same row predicted again: absolute,
        relative beyond 1.
    """

    seconds: float = 0.05
    slowdown: float = 10.0
    n_bytes: int = 64 << 20
    growth: float = 10.0
    skew: float = 1e-6


ANY_SENSIBLE = ServingPolicy()


@dataclass(frozen=True)
class Cost:
    """What serving a version costs.

    Parameters
    ----------
    seconds : float
        Time of a prediction of one row, on this machine.
    n_bytes : int
        Size of its model file.
    """

    seconds: float
    n_bytes: int


def seconds_of(
    model: Any, features: pd.DataFrame, schema: Schema, monotonic: Callable[[], float]
) -> float:
    """Time predictions of single rows.

    Parameters
    ----------
    model : Pipeline
        Fitted.
    features : DataFrame, shape (n_rows, n_features)
        Rows to predict, 8 at most; the first warms up.
    schema : Schema
        The task and classes.
    monotonic : callable
        A stopwatch in seconds.

    Returns
    -------
    float
        The least: what else the machine does only adds to it.
    """
    taken = []
    for place in range(min(len(features), N_PREDICTIONS + 1)):
        begun = monotonic()
        predict(model, features.iloc[[place]], schema)
        taken.append(monotonic() - begun)
    return min(taken[1:] or taken)


def obstacle(*, champion: Cost, challenger: Cost, policy: ServingPolicy) -> str:
    """Say why a version is too dear to serve; empty when it is not.

    Examples
    --------
    >>> costs = {"champion": Cost(0.002, 10**6), "challenger": Cost(0.08, 10**6)}
    >>> obstacle(**costs, policy=ServingPolicy())
    'a prediction takes 80 ms and the champion 2 ms: beyond 50 ms and 10 times as much'
    """
    if challenger.seconds > max(policy.seconds, policy.slowdown * champion.seconds):
        return (
            f"a prediction takes {challenger.seconds * 1e3:.3g} ms and the champion "
            f"{champion.seconds * 1e3:.3g} ms: beyond {policy.seconds * 1e3:.3g} ms and "
            f"{policy.slowdown:g} times as much"
        )
    if challenger.n_bytes > max(policy.n_bytes, policy.growth * champion.n_bytes):
        return (
            f"its file has {challenger.n_bytes:,} bytes and the champion's {champion.n_bytes:,}: "
            f"beyond {policy.n_bytes:,} bytes and {policy.growth:g} times as much"
        )
    return ""
