"""What trials have shown: windows that add up, what was lost, and what a promotion costs."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitor.schema import Schema, Task
from retrain.comparison import Blocks
from retrain.evidence import (
    COST_SHARE,
    Window,
    best,
    document,
    group,
    lost,
    unskilled,
    usual_cost,
    verdict,
    windows_of,
)
from retrain.preparation import Preprocessing
from retrain.recipe import Recipe

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
N_BLOCKS = 10


def window(number, gain, champion=2.0):
    """Make a window in which fitting again lowers the MAE by `gain`."""
    pairs = np.array([[champion, champion - gain]] * N_BLOCKS)
    return Window(MONDAY + timedelta(weeks=number), Blocks("mae", pairs, "blocks", 100), 5.0)


def trial(one, recipes=()):
    return {"champion": 1, "details": {"window": document(one), "recipes": list(recipes)}}


def test_five_windows_at_most_are_looked_at_together_and_who_is_behind_begins_again():
    assert [len(group([window(n, 0.1) for n in range(k)])) for k in range(1, 8)] == [
        *range(1, 6),
        1,
        2,
    ]
    assert len(group([window(0, 0.1), window(1, -0.3), window(2, 0.1)])) == 1


def test_windows_are_read_back_as_they_were_and_those_that_trained_a_version_do_not_count():
    all_windows = [window(n, 0.1 * n) for n in range(3)]
    trials = [*map(trial, all_windows), {"champion": 1, "details": {}}]
    read = windows_of(trials, "mae", None)
    assert [one.until for one in read] == [one.until for one in all_windows]
    np.testing.assert_array_equal(read[2].blocks.pairs, all_windows[2].blocks.pairs)
    assert [one.until for one in windows_of(trials, "mae", MONDAY)] == [
        one.until for one in all_windows[1:]
    ]
    assert windows_of(trials, "rmse", None) == []


def test_what_is_lost_is_the_gain_times_rows_and_a_promotion_costs_a_share_of_no_skill():
    both = [window(0, 0.5), window(1, -0.1)]
    assert lost(both) == pytest.approx(0.5 * 100 - 0.1 * 100)
    assert usual_cost(both) == pytest.approx(COST_SHARE * 5.0 * 100)


def told(*windows: Window, cost=None):
    return verdict(windows, minimum_gain=0.0, cost=cost)


def test_a_sure_gain_pays_once_the_champion_has_lost_what_a_promotion_costs():
    rng = np.random.default_rng(0)

    def noisy(number, gain) -> Window:
        made = window(number, gain)
        made.blocks.pairs[:, 1] += rng.normal(scale=0.02, size=N_BLOCKS)
        return made

    weeks = [noisy(n, 0.2) for n in range(4)]
    assert [told(*weeks[: n + 1])[0] for n in range(4)] == [False, False, False, True]
    assert told(*weeks[:3])[1].endswith("not more than a promotion costs (62.5)")
    assert told(weeks[0], cost=0.0)[0]
    assert not told(*weeks, noisy(4, -0.1), cost=0.0)[0]
    assert "not in the newest window" in told(*weeks, noisy(4, -0.1))[1]


def test_a_gain_that_may_be_chance_is_sure_after_more_windows():
    rng = np.random.default_rng(1)
    weeks = [window(n, 0.2) for n in range(5)]
    for week in weeks:
        week.blocks.pairs[:, 1] += rng.normal(scale=0.4, size=N_BLOCKS)
    paid = [told(*weeks[: n + 1], cost=0.0)[0] for n in range(5)]
    assert (paid[0], paid[4]) == (False, True)


@pytest.mark.parametrize(
    ("task", "labels", "metric", "loss"),
    [
        (Task.REGRESSION, np.array([0.0, 1.0, 5.0]), "mae", 5 / 3),
        (Task.REGRESSION, np.array([0.0, 1.0, 5.0]), "r2", 1 + 3 / 14),
        (Task.BINARY, np.array(["1", "1", "1", "0"], dtype=object), "accuracy", 0.25),
        (Task.BINARY, np.array(["1", "1", "1", "0"], dtype=object), "roc_auc", 0.5),
        (Task.BINARY, np.array(["1", "0", "0", "0"], dtype=object), "precision", 1.0),
        (Task.MULTICLASS, np.array(["a", "b", "b", "c"], dtype=object), "accuracy", 0.5),
    ],
)
def test_without_skill_one_always_predicts_the_same(task, labels, metric, loss):
    classes = {Task.BINARY: ("0", "1"), Task.MULTICLASS: ("a", "b", "c")}.get(task, ())
    assert unskilled(labels, Schema(task, {}, "y", classes=classes), metric) == pytest.approx(loss)


def test_the_recipe_that_did_best_in_the_newest_trials_is_chosen():
    ranges = [Recipe("tree", "tree", {}, Preprocessing(), length) for length in (None, 8, 13)]

    def shown(*gains: float | None) -> list[dict[str, object]]:
        return [
            {"recipe": asdict(one), "gain": gain} for one, gain in zip(ranges, gains, strict=True)
        ]

    trials = [trial(window(0, 0.1), shown(9.0, 0.0, 0.0))]
    assert best(ranges, []) == 0
    assert best(ranges, trials) == 0
    trials += [trial(window(n, 0.1), shown(0.1, 0.2, None if n == 2 else 0.9)) for n in (1, 2, 3)]
    assert best(ranges, trials) == 1
