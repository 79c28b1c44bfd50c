"""Trials: whether a run would pay, told by a few small fits and recorded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from leeway.policies import retrained
from retrain.record import Ended, Outcome, RequestKind, Shown
from retrain.run import run
from retrain.trial import trial
from tests.lived import model_of

Document = Mapping[str, Any]

MOVED = {"by_x": 1.0, "by_y": 4.0}


@pytest.fixture
def tried(app):
    """Live through weeks of one concept, and try whether a run would pay."""

    def carry_out(n_weeks, cost=0.0, concept=None, first=0) -> tuple[Document, list[Document]]:
        app.deployment.store.pause("late", paused=True)
        watcher, world = app.deployment.watcher(), app.deployment.retrain_world()
        for number in range(first, first + n_weeks):
            app.live(number, **(concept or {}))
            watcher.check("late")
        now = app.clock.now()
        world.runs.ask("late", RequestKind.TRIAL, "gain", "would a run pay?", now)
        request = world.runs.claim(RequestKind.TRIAL, "test", now)
        config = app.deployment.config.models["late"]
        config = config.model_copy(
            update={"retrain": config.retrain.model_copy(update={"cost": cost})}
        )
        trial(request, retrained("late", config, app.deployment.schema("late")), world)
        return world.runs.trials("late")[-1], [*world.runs.open_requests("late")]

    return carry_out


def test_where_the_world_has_changed_a_run_pays_and_is_asked_for_with_the_numbers(tried):
    shown, waiting = tried(4, concept=MOVED)
    assert (shown["pays"], shown["champion"]) == (True, 1), shown["reason"]
    assert shown["n_fits"] == len(shown["details"]["recipes"]) > 0
    assert [(one["kind"], one["trigger"]) for one in waiting] == [("retrain", "gain")]
    assert waiting[0]["why"] == shown["reason"]


def test_where_nothing_has_changed_no_run_is_asked_for(tried):
    shown, waiting = tried(4)
    assert (shown["pays"], waiting) == (False, [])
    assert shown["reason"].startswith("a trial on one window")


def test_a_gain_that_is_worth_less_than_a_promotion_costs_opens_no_run(tried):
    shown, waiting = tried(4, cost=1e6, concept=MOVED)
    assert (shown["pays"], waiting) == (False, [])
    assert shown["reason"].endswith("not more than a promotion costs (1e+06)")


def test_a_window_counts_once(tried):
    first, _ = tried(4, cost=1e6, concept=MOVED)
    again, _ = tried(0)
    assert (again["pays"], again["n_fits"]) == (False, 0)
    assert again["reason"] == "no labelled row is newer than those of the last trial"
    later, waiting = tried(1, first=4, concept=MOVED)
    assert later["reason"].startswith("a trial on 2 windows together")
    assert later["details"]["window"]["until"] > first["details"]["window"]["until"]
    assert later["pays"] == bool(waiting) is True


def test_what_trials_have_shown_counts_at_the_gate(tried, app):
    tried(4, cost=1e6, concept=MOVED)
    shown, _ = tried(1, first=4, concept=MOVED)
    world = app.deployment.retrain_world()
    request = world.runs.claim(RequestKind.RETRAIN, "test", app.clock.now())
    model = retrained("late", app.deployment.config.models["late"], app.deployment.schema("late"))
    result = run(request, model, world)
    assert result.outcome is Outcome.PROMOTED, result.reason
    assert result.details["look"] == 2
    assert result.details["comparison"]["n_blocks"] > len(shown["details"]["window"]["pairs"])


def test_the_window_of_the_newest_trial_decides_a_run_that_trials_have_opened(tried, app):
    first, _ = tried(4, cost=1e6, concept=MOVED)
    newest, _ = tried(1, first=4, concept=MOVED)
    world = app.deployment.retrain_world()
    request = world.runs.claim(RequestKind.RETRAIN, "test", app.clock.now())
    details = run(request, model_of(app), world).details
    before, window = (one["details"]["window"] for one in (first, newest))
    known, held = (
        {end: datetime.fromisoformat(at) for end, at in details[part].items()}
        for part in ("training", "holdout")
    )
    assert held["until"] == datetime.fromisoformat(window["until"])
    assert known["until"] == datetime.fromisoformat(before["until"]) < held["from"]
    assert details["rows"]["holdout"] == window["n_rows"]


@pytest.fixture
def turned(home, made_up, week_start):
    """Live through weeks in which x works both ways, which no line tells, and then the other way.

    A tree learns it, and is wrong in the last week; a line is right about y in each.
    """
    home.configure("candidates: [logistic]", "candidates: [logistic, tree]")
    with home.opened() as app:
        app.deployment.store.pause("late", paused=True)
        for number in range(6):
            frame = made_up(number)
            by_size = 8.0 if number < 5 else -8.0
            score = 4.0 * frame["y"] + by_size * (frame["x"].abs() - 0.8)
            drawn = np.random.default_rng(number).uniform(size=len(frame))
            frame["late"] = (drawn < 1 / (1 + np.exp(-score))).astype(int)
            app.clock.set(week_start(number + 1))
            app.predict(frame.drop(columns="late"), f"week {number}")
            app.label(frame, f"labels {number}")
            app.deployment.watcher().check("late")
        yield app


def test_where_what_the_search_has_found_does_not_pass_the_recipe_of_the_trials_does(turned):
    world, now = turned.deployment.retrain_world(), turned.clock.now()
    world.runs.ask("late", RequestKind.TRIAL, "gain", "would a run pay?", now)
    trial(world.runs.claim(RequestKind.TRIAL, "test", now), model_of(turned), world)
    (shown,) = world.runs.trials("late")
    counted = shown["details"]["recipes"][shown["details"]["chosen"]]["recipe"]
    request = world.runs.claim(RequestKind.RETRAIN, "test", now)
    result = run(request, model_of(turned), world)
    assert result.outcome is Outcome.PROMOTED, result.reason
    assert (result.details["winner"], counted["name"]) == ("tree", "logistic")
    assert (result.details["challenger_recipe"], result.details["look"]) == ("logistic", 1)
    made = world.registry.load("late", result.details["version"])
    assert made.recipe == counted
    assert counted["calibration"] is None
    assert made.lineage.notes.calibration == "the recipe that the trials have shown has none"


def test_what_the_search_has_found_counts_alone_where_no_trial_has_opened_the_run(turned):
    world, now = turned.deployment.retrain_world(), turned.clock.now()
    world.runs.ask("late", RequestKind.RETRAIN, "performance", "it has fallen", now)
    request = world.runs.claim(RequestKind.RETRAIN, "test", now)
    result = run(request, model_of(turned), world)
    assert result.outcome is not Outcome.PROMOTED
    assert result.details["challenger_recipe"] == result.details["winner"] == "tree"


def test_a_run_that_was_asked_for_meanwhile_takes_the_place_of_the_one_that_pays(app):
    runs, now = app.deployment.retrain_world().runs, app.clock.now()
    pays = Shown(pays=True, n_fits=1, reason="it pays", details={})
    runs.ask("late", RequestKind.TRIAL, "gain", "would a run pay?", now)
    request = runs.claim(RequestKind.TRIAL, "test", now)
    runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", now)
    run = runs.start(runs.claim(RequestKind.RETRAIN, "test", now), 1, now)
    runs.finish(Ended(run, Outcome.REFUSED, "no gain", {}), now)
    runs.tried(request, 1, pays, now)
    assert runs.trials("late")[-1]["reason"] == "it pays"
    assert [*runs.open_requests("late")] == []
