"""The run: one request from collection to promotion or refusal."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from monitor.batch import LABEL
from monitor.checks.performance import performance
from monitor.errors import NotPossibleError
from monitor.ports import Clock
from retrain.bundle import Bundle
from retrain.candidates import Recipe, fit, predict
from retrain.comparison import Comparison, ComparisonPolicy, compare
from retrain.dataset import Dataset, from_table, newest, take
from retrain.ports import Outcome, Registry, Request, Rows, Runs
from retrain.search import SearchResult, search
from retrain.version import Origin, Retrained, aware, successor, with_logged

HOLDOUT_WINDOWS = 2
"""Newest windows kept from every choice, to decide the promotion."""


@dataclass(frozen=True)
class World:
    """Everything outside that a run touches.

    Parameters
    ----------
    rows, registry, runs, clock
        The ports of `retrain.ports` and `monitor.ports`.
    monotonic : callable
        A stopwatch in seconds.
    """

    rows: Rows
    registry: Registry
    runs: Runs
    clock: Clock
    monotonic: Callable[[], float]


@dataclass(frozen=True)
class Result:
    """How a run ended, and why."""

    outcome: Outcome
    reason: str
    details: Mapping[str, Any]


def run(request: Request, model: Retrained, world: World, *, gated: bool = True) -> Result:
    """Carry out a request; whatever happens, the run ends with an outcome and its reason.

    Parameters
    ----------
    request : Request
        What is asked for.
    model : Retrained
        The model.
    world : World
        Everything outside.
    gated : bool
        Without the gate whatever the search finds is promoted: what a backtest compares with.
    """
    champion = world.registry.champion(model.name)
    number = world.runs.start(request, champion, world.clock.now())
    carry_out = _challenge if gated else _replace
    try:
        result = carry_out(request, number, champion, model, world)
    except Exception as error:  # noqa: BLE001 - a run that breaks is a failed run, on record
        kind = "" if isinstance(error, NotPossibleError) else f"{type(error).__name__}: "
        result = Result(Outcome.FAILED, f"{kind}{error}", {})
    world.runs.finish(number, result.outcome, result.reason, result.details, world.clock.now())
    return result


def _challenge(
    request: Request, number: int, champion: int, model: Retrained, world: World
) -> Result:
    """Find a challenger, hold it against the champion on fresh rows, promote it or refuse it."""
    now, tell = world.clock.now(), _progress(world.runs, number)
    bundle = world.registry.load(model.name, champion)

    table = world.rows.labelled(model.name, now)
    rows = from_table(table, with_logged(model.schema), LABEL)
    used_until = world.registry.used_until(model.name)
    training, holdout = split_off(rows, used_until, model.search.window)

    found = _search(training, bundle.recipe, model, world, tell)
    tell(0.7, f"fitting {found.winner.recipe.name}")
    recipe = found.winner.recipe
    challenger = fit(recipe, training, model.schema, window=model.search.window, seed=model.seed)

    tell(0.8, "comparing with the champion")
    comparison = _compare(bundle, challenger, holdout, model)
    details = _details(found, comparison, training, holdout)
    if not comparison.passed:
        return Result(Outcome.REFUSED, comparison.reason, details)

    tell(0.9, "fitting on all rows")
    made = successor(
        rows,
        recipe,
        model,
        before=bundle.reference,
        gate=performance(
            holdout.target, predict(challenger, holdout.features, model.schema), model.schema
        ),
        origin=Origin(request.why, champion, number),
    )
    tell(0.95, "promoting")  # raises for a run that was ended meanwhile: it promotes nothing
    version = world.registry.register(made, now)
    why = f"{request.why}; {comparison.reason}"
    world.registry.promote(model.name, version, now, why, run=number)
    return Result(Outcome.PROMOTED, comparison.reason, {**details, "version": version})


def _replace(
    request: Request, number: int, champion: int, model: Retrained, world: World
) -> Result:
    """Promote the best recipe, fitted on all rows, whether or not it beats the champion."""
    now, tell = world.clock.now(), _progress(world.runs, number)
    bundle = world.registry.load(model.name, champion)
    rows = from_table(world.rows.labelled(model.name, now), with_logged(model.schema), LABEL)
    found = _search(rows, bundle.recipe, model, world, tell)
    made = successor(
        rows,
        found.winner.recipe,
        model,
        before=bundle.reference,
        gate={name: one.overall for name, one in found.evaluation.items()},
        origin=Origin(request.why, champion, number),
    )
    version = world.registry.register(made, now)
    world.registry.promote(model.name, version, now, request.why, run=number)
    return Result(Outcome.PROMOTED, "promoted without a gate", {"version": version})


def split_off(
    rows: Dataset, used_until: datetime | None, window: timedelta | int
) -> tuple[Dataset, Dataset]:
    """Split labelled rows into those to learn from and those that decide.

    Parameters
    ----------
    rows : Dataset
        All labelled rows.
    used_until : datetime or None
        The champion, or a version that was rolled back, was fitted on rows up to here: none of
        them may decide.
    window : timedelta or int
        Length of a window.

    Raises
    ------
    NotPossibleError
        If no row is newer than the champion's.
    """
    fresh = newest(rows, HOLDOUT_WINDOWS, window)
    if used_until is not None:
        edge = np.datetime64(used_until.astimezone(UTC).replace(tzinfo=None), "us")
        fresh = take(fresh, fresh.event_at > edge)
    if not len(fresh):
        raise NotPossibleError("no labelled row is newer than what the champion was trained on")
    return take(rows, rows.event_at < fresh.event_at[0]), fresh


def _progress(runs: Runs, number: int) -> Callable[[float, str], None]:
    return lambda share, text: runs.progress(number, share, text)


def _search(
    training: Dataset,
    champion: Mapping[str, Any],
    model: Retrained,
    world: World,
    tell: Callable[[float, str], None],
) -> SearchResult:
    first = Recipe.from_document(champion) if champion else None
    return search(
        training,
        model.schema,
        replace(model.search, first=first),
        seed=model.seed,
        monotonic=world.monotonic,
        progress=lambda done, total, text: tell(0.1 + 0.6 * done / max(total, 1), text),
    )


def _compare(
    bundle: Bundle, challenger: Pipeline, holdout: Dataset, model: Retrained
) -> Comparison:
    """Hold the challenger against the champion on the hold-out.

    A champion whose model is elsewhere is taken at its logged predictions.
    """
    schema = model.schema
    if bundle.pipeline is None:
        champion = holdout.features[schema.prediction].to_numpy()
    else:
        champion = predict(bundle.pipeline, holdout.features, schema)
    return compare(
        holdout.target,
        champion,
        predict(challenger, holdout.features, schema),
        holdout.event_at,
        schema,
        ComparisonPolicy(model.search.metric, model.minimum_gain),
    )


def _details(
    found: SearchResult, comparison: Comparison, training: Dataset, holdout: Dataset
) -> dict[str, Any]:
    """Return what a person may ask about a run, as JSON values."""
    return {
        "rows": {"training": len(training), "holdout": len(holdout)},
        "holdout": {
            "from": str(aware(holdout.event_at[0])),
            "until": str(aware(holdout.event_at[-1])),
        },
        "trials": [asdict(trial) for trial in found.trials],
        "winner": found.winner.recipe.name,
        "evaluation": {name: asdict(one) for name, one in found.evaluation.items()},
        "comparison": asdict(comparison),
    }
