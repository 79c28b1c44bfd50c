"""The run: one request from collection to promotion or refusal."""

from dataclasses import asdict, replace

from monitor.action import Trigger
from monitor.errors import NotPossibleError, SupersededError
from retrain.bundle import Bundle
from retrain.contenders import forgetting, reference_windows
from retrain.dataset import Dataset, newest
from retrain.gate import Look, Step
from retrain.holdout import after, split_off, windows_since
from retrain.lineage import aware
from retrain.noticed import noticed, warned
from retrain.recipe import Recipe
from retrain.record import BY_HAND, Ended, Entry, Outcome, Request, RequestKind
from retrain.running import CALM, Running, look_with, stand
from retrain.search import SearchResult, search
from retrain.search_policy import SearchPolicy
from retrain.servable import Cost, obstacle, seconds_of
from retrain.skew import skew_of
from retrain.version import Retrained, frozen, successor
from retrain.waiting import WAITS, Waiting
from retrain.world import World, collected

MAX_HOLDOUT_WINDOWS = 2
"""Newest windows kept from every choice, for the first look at the challenger: with two it is as
good as the second. Where an alarm or a trial has opened the run the newest alone is kept: what has
just changed the challenger shall learn as soon as it can.
"""


def run(request: Request, model: Retrained, world: World, *, gated: bool = True) -> Ended:
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
        ended = carry_out(Running(request, number, champion, model, world, request.trigger))
    except Exception as error:  # noqa: BLE001 - a run that breaks is a failed run, on record
        kind = "" if isinstance(error, NotPossibleError) else f"{type(error).__name__}: "
        ended = Ended(number, Outcome.FAILED, f"{kind}{error}", {})
    if ended.outcome is not Outcome.PROMOTED:  # a promotion has put it on record with itself
        world.runs.finish(ended, world.clock.now())
    return ended


def _challenge(run: Running) -> Ended:
    """Look at the challenger in the gate; without one find a challenger, and look at it."""
    entry = run.world.runs.inside(run.model.name)
    if entry is not None and entry.champion != run.champion:
        entry = None  # its evidence is against another champion
    if entry is None and run.request.kind is RequestKind.LOOK:
        return run.end(Outcome.CANCELLED, "nobody is in the gate any more")
    if entry is not None and run.request.kind is not RequestKind.LOOK:
        waits = f"version {entry.version} is in the gate; its next look comes with the next labels"
        return run.end(Outcome.HELD, waits, entry, challenger=entry.version)
    passed = run.world.runs.waiting(run.model.name)
    if passed is not None and run.request.trigger != BY_HAND:
        return _held_for(passed, run)
    if passed is not None:
        another = f"run {run.number} was asked for by hand: {run.request.why}"
        run.world.runs.decline(passed, another)
    bundle = run.world.registry.load(run.model.name, run.champion)
    rows, parts = collected(run.model, run.world)
    run = run.knowing(parts=[part.document() for part in parts])
    return _find(run, bundle, rows) if entry is None else _look_again(run, bundle, rows, entry)


def _held_for(passed: Waiting, run: Running) -> Ended:
    """Hold a run back while a version waits: a second one would only be in its way."""
    model = run.model.name
    reason = (
        f"version {passed.version} waits for a person since {passed.since:%d %b %Y %H:%M} UTC: "
        f"leeway promote {model} {passed.version}, or to decline it: leeway retrain {model}"
    )
    return run.end(Outcome.HELD, reason, challenger=passed.version)


def _find(run: Running, bundle: Bundle, rows: Dataset) -> Ended:
    """Search on all rows but the newest window, and take the first look there."""
    model = run.model
    evidence = run.gathered()
    until = run.world.registry.used_until(model.name)
    most = MAX_HOLDOUT_WINDOWS if run.opened_by in CALM else 1
    if run.request.trigger == Trigger.GAIN:
        until = evidence.newest_since or until
    training, holdout, number = split_off(rows, until, model.search.window, most=most)
    run = run.knowing(
        rows={"training": len(training), "holdout": len(holdout)},
        training=_stretch(training),
        holdout=_stretch(holdout),
    )
    found = _search(training, _policy(bundle, rows, model), run)
    run = run.knowing(
        trials=[{**asdict(one), "won": one is found.winner} for one in found.trials],
        winner=found.winner.recipe.name,
        evaluation={name: asdict(one) for name, one in found.evaluation.items()},
        calibration=asdict(found.calibration),
    )
    recipe, challenger, look = stand(run, bundle, found.recipe, training, holdout, number)
    if look.step is not Step.PASS and run.request.trigger == Trigger.GAIN and evidence.recipe:
        # What the trials have shown holds whatever else the search has found.
        other = stand(run, bundle, evidence.recipe, training, holdout, number)
        if other[2].step is Step.PASS:
            recipe, challenger, look = other
    learned = newest(training, recipe.training_range, model.search.window)
    notes = noticed(challenger, learned, recipe, model.schema, seed=model.seed)
    calibrated = found.calibration.reason if recipe == found.recipe else _as_tried(recipe)
    run = replace(run, notes=replace(notes, calibration=calibrated))
    look = replace(look, reason=warned(look.reason, run.notes))
    run = _with_look(run, look).knowing(challenger_recipe=recipe.name, recipe=asdict(recipe))
    if look.step is Step.WAIT:
        made = frozen(training, recipe, challenger, model, before=bundle, origin=run.origin)
        run.tell(0.9, "into the gate")
        version = run.world.registry.register(made, run.world.clock.now())
        entry = Entry(version, run.champion, run.number, look.number)
        return run.end(Outcome.HELD, look.reason, entry, challenger=version)
    return _end(run, bundle, rows, recipe, look)


def _as_tried(recipe: Recipe) -> str:
    """Say how a recipe that trials have shown is calibrated: they take the champion's, or none."""
    has = "the champion's calibration" if recipe.calibration else "none"
    return f"the recipe that the trials have shown has {has}"


def _look_again(run: Running, bundle: Bundle, rows: Dataset, entry: Entry) -> Ended:
    """Look at the challenger in the gate, at all rows that are newer than its own."""
    model = run.model
    live = run.world.live(model.name, entry.version, entry.champion)
    run = run.knowing(challenger=entry.version, live=asdict(live) if live else None)
    if live is not None and live.failure:  # who serves must answer whatever the champion does
        return run.end(Outcome.REFUSED, live.failure)
    made = run.world.registry.load(model.name, entry.version)
    fresh = after(rows, made.lineage.trained_until)
    opened_by = run.world.runs.run(model.name, entry.run)["trigger"]
    run = replace(run, notes=made.lineage.notes, opened_by=opened_by)
    run = run.knowing(holdout=_stretch(fresh))
    run.tell(0.5, f"comparing version {entry.version} with the champion")
    n_windows = entry.looks + 1 - len(run.gathered().together(fresh))
    look = look_with(run, bundle, made.pipeline, fresh, n_windows)
    look = replace(look, reason=warned(look.reason, run.notes))
    run = _with_look(run, look)
    if look.step is Step.WAIT:
        return run.end(Outcome.HELD, look.reason, replace(entry, looks=look.number))
    return _end(run, bundle, rows, Recipe.from_document(made.recipe), look)


def _end(run: Running, bundle: Bundle, rows: Dataset, recipe: Recipe, look: Look) -> Ended:
    """Refuse, or fit the recipe on all rows, the hold-out included, and promote it."""
    if look.step is Step.REFUSE:
        return run.end(Outcome.REFUSED, look.reason)
    model, world = run.model, run.world
    skew = skew_of(bundle, run.champion, rows, model.schema, tolerance=model.serving.skew)
    run = run.knowing(skew=asdict(skew))
    if skew.sentence:
        return run.end(Outcome.REFUSED, f"{look.reason}; but {skew.sentence}")
    run.tell(0.9, "fitting on all rows")
    made = successor(
        rows, recipe, model, before=bundle.reference, gate=look.reached, origin=run.origin
    )
    run.tell(0.95, "promoting")  # raises for a run that was ended meanwhile: it promotes nothing
    now = world.clock.now()
    version = world.registry.register(made, now)
    made = world.registry.load(model.name, version)  # nothing serves that cannot be read back
    costs = _costs(run, bundle, made, version, rows)
    too_dear = obstacle(**costs, policy=model.serving) if costs else ""
    run = run.knowing(serving={who: asdict(cost) for who, cost in costs.items()})
    by_hand = f"leeway promote {model.name} {version}"
    if too_dear:
        reason = f"{look.reason}; but {too_dear}; to serve it all the same: {by_hand}"
        return run.end(Outcome.REFUSED, reason, challenger=version)
    if model.approval:
        return _hold(run, look, by_hand, version)
    why = f"{run.request.why}; {look.reason}"
    promoted = run.end(Outcome.PROMOTED, look.reason, version=version)
    try:
        world.registry.promote(model.name, version, now, why, promoted, over=run.champion)
    except SupersededError as error:
        return run.end(Outcome.CANCELLED, f"{look.reason}; but {error}", version=version)
    return promoted


def _hold(run: Running, look: Look, by_hand: str, version: int) -> Ended:
    """Let a version wait for a person, unless its evidence is against another champion by now."""
    champion = run.world.registry.champion(run.model.name)
    if champion != run.champion:
        other = f"version {champion} has become the champion meanwhile"
        return run.end(Outcome.CANCELLED, f"{look.reason}; but {other}", version=version)
    reason = f"{look.reason}{WAITS}: {by_hand}"
    return run.end(Outcome.HELD, reason, version=version, needs_approval=True)


def _costs(
    run: Running, champion: Bundle, challenger: Bundle, version: int, rows: Dataset
) -> dict[str, Cost]:
    """Measure what both cost to serve; nothing where the champion is served elsewhere."""
    if champion.pipeline is None:
        return {}
    registry, schema, features = run.world.registry, run.model.schema, rows.features.iloc[-8:]
    sides = {"champion": (champion, run.champion), "challenger": (challenger, version)}
    return {
        who: Cost(
            seconds_of(bundle.pipeline, features, schema, run.world.monotonic),
            registry.model_file(run.model.name, number).n_bytes,
        )
        for who, (bundle, number) in sides.items()
    }


def _replace(run: Running) -> Ended:
    """Promote the best recipe, fitted on all rows, whether or not it beats the champion."""
    model, world, now = run.model, run.world, run.world.clock.now()
    bundle = world.registry.load(model.name, run.champion)
    rows, parts = collected(model, world)
    run = run.knowing(parts=[part.document() for part in parts])
    found = _search(rows, _policy(bundle, rows, model), run)
    made = successor(
        rows,
        found.recipe,
        model,
        before=bundle.reference,
        gate={name: one.overall for name, one in found.evaluation.items()},
        origin=run.origin,
    )
    version = world.registry.register(made, now)
    promoted = run.end(Outcome.PROMOTED, "promoted without a gate", version=version)
    world.registry.promote(model.name, version, now, run.request.why, promoted)
    return promoted


def _policy(champion: Bundle, rows: Dataset, model: Retrained) -> SearchPolicy:
    """Return how a successor is searched for, of whom `rows` are all that could be learned."""
    window, since = model.search.window, champion.lineage.trained_from
    recipe = Recipe.from_document(champion.recipe) if champion.recipe else None
    return replace(
        model.search,
        # The world has changed, or it would not be asked: all rows alike must surely be better.
        first=forgetting(recipe, model.schema) if recipe else None,
        reference_windows=reference_windows(champion.reference, window),
        champion_windows=windows_since(since, rows, window) if since else None,
    )


def _search(training: Dataset, policy: SearchPolicy, run: Running) -> SearchResult:
    furthest = 0.1

    def tell(done: int, total: int, text: str) -> None:
        nonlocal furthest  # who leads brings more fits: the share done of those planned falls
        furthest = max(furthest, 0.1 + 0.6 * done / max(total, 1))
        run.tell(furthest, text)

    return search(
        training,
        run.model.schema,
        policy,
        seed=run.model.seed,
        monotonic=run.world.monotonic,
        progress=tell,
    )


def _with_look(run: Running, look: Look) -> Running:
    """Return the run with what a person may ask about a look."""
    return run.knowing(
        look=look.number,
        comparison=asdict(look.comparison),
        segments=[asdict(segment) for segment in look.segments],
        notes=asdict(run.notes),
    )


def _stretch(rows: Dataset) -> dict[str, str] | None:
    if not len(rows):
        return None
    return {"from": str(aware(rows.event_at[0])), "until": str(aware(rows.event_at[-1]))}
