"""Lived: weeks that a deployment lives through, and the runs that it is asked for."""

from dataclasses import replace
from functools import partial

from leeway.policies import retrained
from retrain.record import Outcome, RequestKind
from retrain.run import run

MOVED = {"by_x": 1.0, "by_y": 4.0}
"""What labels follow in a changed world."""


def asked(app, kind=RequestKind.RETRAIN, trigger="by hand", *, gated=True, **world: object):
    """Ask for a run, carry it out, and return its result with its record."""
    world = replace(app.deployment.retrain_world(), **world)
    now = app.clock.now()
    world.runs.ask("late", kind, trigger, "it is time", now)
    request = world.runs.claim(kind, "test", now)
    result = run(request, model_of(app), world, gated=gated)
    return result, world.runs.runs("late")[-1]


def model_of(app):
    """Return the model as retraining needs it."""
    config = app.deployment.config.models["late"]
    return retrained("late", config, app.deployment.schema("late"))


def settled(app, living=None, **worlds: object):
    """Live in a changed world until the gate has decided; return the result and its record."""
    living = living or partial(live, concept=MOVED)
    living(app, 5)
    result, record = asked(app, **worlds)
    for number in range(5, 9):
        if result.outcome is not Outcome.HELD:
            break
        living(app, 1, first=number)
        result, record = asked(app, RequestKind.LOOK, **worlds)
    return result, record


def passed(app):
    """Live in a changed world until a challenger has passed the gate; return the run's record."""
    live(app, 5, MOVED)
    record = asked(app)[1]
    for number in range(5, 9):
        if "version" in record["details"]:
            break
        live(app, 1, MOVED, first=number)
        record = asked(app, RequestKind.LOOK)[1]
    return record


def live(app, n_weeks, concept=None, first=0):
    """Live through labelled weeks, each judged; runs are asked for by the tests alone."""
    app.deployment.store.pause("late", paused=True)
    watcher = app.deployment.watcher()
    for number in range(first, first + n_weeks):
        app.live(number, **(concept or {}))
        watcher.check("late")


def run_while_another_is_promoted(app):
    """Carry out a run during which a person promotes a version that it does not know."""
    live(app, 5, MOVED)
    world = app.deployment.retrain_world()
    registry = world.registry
    world.runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", app.clock.now())
    request = world.runs.claim(RequestKind.RETRAIN, "test", app.clock.now())

    def a_person_promotes_another() -> float:
        # Called by the stopwatch of the search, that is in the middle of the run.
        if registry.champion("late") == 1:
            other = registry.register(registry.load("late", 1), app.clock.now())
            registry.promote("late", other, app.clock.now(), "a person said so")
        return 0.0

    return run(request, model_of(app), replace(world, monotonic=a_person_promotes_another))
