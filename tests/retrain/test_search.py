"""Recipes compete on rows that come later, within a budget."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import numpy as np
import pyarrow as pa
import pytest

from monitor.checks.performance import performance
from monitor.errors import NotPossibleError
from monitor.schema import Kind, Schema, Task
from retrain.candidates import ALGORITHMS, recipes, takes_weights
from retrain.dataset import Dataset, from_table, take
from retrain.preparation import Allowed, Encoding, Missing, Outliers, Scaling
from retrain.race import TrialStatus
from retrain.recipe import Recipe
from retrain.search import search
from retrain.search_policy import SearchPolicy

SCHEMA = Schema(
    Task.BINARY,
    {"x": Kind.NUMERIC, "z": Kind.NUMERIC, "shop": Kind.CATEGORICAL},
    "y",
    time="at",
    classes=("no", "yes"),
)
CHEAP = SearchPolicy("roc_auc", window=timedelta(hours=50), algorithms=("logistic", "tree"))


def rows(n_rows=1600, *, turned_at=None):
    """Make hourly rows; from row `turned_at` on, x means the opposite."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, n_rows))
    sign = np.where(np.arange(n_rows) < (turned_at or 0), -1, 1)
    score = 2 * sign * x + rng.logistic(size=n_rows)
    at = np.datetime64("2026-01-01", "us") + np.arange(n_rows) * np.timedelta64(1, "h")
    shop = rng.choice(["north", "south"], n_rows)
    target = np.where(score > 0, "yes", "no")
    return from_table(pa.table({"x": x, "z": z, "shop": shop, "y": target, "at": at}), SCHEMA, "y")


def run(dataset, policy=CHEAP, *, schema=SCHEMA, monotonic=lambda: 0.0, progress=lambda *_: None):
    return search(dataset, schema, policy, seed=0, monotonic=monotonic, progress=progress)


def clock(step):
    ticks = count()
    return lambda: step * next(ticks)


@pytest.fixture(scope="module")
def found():
    return run(rows())


def test_every_algorithm_competes_and_two_recipes_go_on_from_the_first_heat():
    result = run(rows(800), replace(CHEAP, algorithms=ALGORITHMS))
    assert {trial.recipe.algorithm for trial in result.trials} == set(ALGORITHMS)
    states = [trial.status for trial in result.trials]
    assert sorted(states) == [TrialStatus.DROPPED] * 4 + [TrialStatus.FINISHED] * 2
    dropped = next(trial for trial in result.trials if trial.status is TrialStatus.DROPPED)
    assert dropped.reason.startswith("behind in the first heat")


def test_the_champions_recipe_is_never_dropped_in_the_first_heat():
    champion = replace(recipes(["tree"], Task.BINARY)[0], params={"max_depth": 1})
    result = run(rows(800), replace(CHEAP, algorithms=ALGORITHMS, first=champion))
    states = [trial.status for trial in result.trials if trial.recipe == champion]
    assert states == [TrialStatus.FINISHED]


@pytest.mark.parametrize(
    ("task", "metric", "classes"),
    [
        (Task.MULTICLASS, "accuracy", ("high", "low", "middle")),
        (Task.MULTICLASS, "f1", ("high", "low", "middle")),
        (Task.REGRESSION, "mae", ()),
        (Task.REGRESSION, "r2", ()),
    ],
)
def test_every_task_is_searched_by_its_own_metric(task, metric, classes):
    dataset = rows()
    x = np.nan_to_num(dataset.features["x"].to_numpy())
    names = np.select([x < -1, x > 1], ["low", "high"], "middle").astype(object)
    told = replace(dataset, target=x if task is Task.REGRESSION else names)
    schema = replace(SCHEMA, task=task, classes=classes)
    result = run(told, replace(CHEAP, metric=metric), schema=schema)
    best = min if metric == "mae" else max
    assert result.winner.score == best(trial.score for trial in result.trials)


def test_the_winner_has_the_best_mean_score(found):
    assert found.winner.score == max(trial.score for trial in found.trials)
    assert found.winner.score == pytest.approx(np.mean(found.winner.fold_scores))


def test_validation_rows_are_the_newest_share_in_the_order_of_time(found):
    assert len(found.validation) == 480
    assert found.validation.event_at[0] == rows().event_at[1120]
    assert found.folds.tolist() == sorted(found.folds.tolist())


def test_the_winners_predictions_score_as_recorded(found):
    for fold, score in enumerate(found.winner.fold_scores):
        inside = found.folds == fold
        values = performance(found.validation.target[inside], found.predictions[inside], SCHEMA)
        assert values["roc_auc"].value == pytest.approx(score)


def test_the_record_has_accuracy_precision_recall_and_f1_over_folds(found):
    assert {"accuracy", "precision", "recall", "f1"} <= set(found.evaluation)
    assert found.evaluation["roc_auc"].folds == found.winner.fold_scores


def test_predictions_never_know_their_own_fold():
    dataset = rows()
    noise = np.random.default_rng(1).choice(["no", "yes"], len(dataset)).astype(object)
    result = run(replace(dataset, target=noise), replace(CHEAP, algorithms=("tree",)))
    assert abs(result.evaluation["roc_auc"].overall.value - 0.5) < 0.05


def test_a_short_training_range_wins_where_the_world_has_turned():
    policy = replace(
        CHEAP, algorithms=("logistic",), window=timedelta(hours=60), reference_windows=10
    )
    assert run(rows(turned_at=900), policy).winner.recipe.training_range in {4, 8}


def test_training_ranges_compete_for_the_leading_recipe_only():
    found = run(rows(), replace(CHEAP, reference_windows=13))
    compared = [(t.recipe.training_range, t.recipe.fading) for t in found.trials[2:]]
    expected = [(4, False), (8, False), (13, False), (26, False), (None, True)]
    assert sorted(map(str, compared)) == sorted(map(str, expected))
    assert len({trial.recipe.name for trial in found.trials[2:]}) == 1


def test_the_champions_rows_and_all_newer_ones_compete():
    policy = replace(CHEAP, reference_windows=13, champion_windows=17)
    ranges = {one.recipe.training_range for one in run(rows(), policy).trials}
    assert ranges == {None, 4, 8, 13, 17, 26}


@pytest.mark.parametrize("turned_at", [None, 1200])
def test_at_most_two_ranges_that_lead_on_the_newest_fold_see_the_other_folds(turned_at):
    found = run(rows(turned_at=turned_at), replace(CHEAP, reference_windows=13))
    led = max(found.trials[:2], key=lambda one: one.score)
    went_on = [one for one in found.trials[2:] if one.status is TrialStatus.FINISHED]
    assert len(went_on) <= 2
    assert all(one.fold_scores[-1] > led.fold_scores[-1] for one in went_on)
    assert {one.n_fits for one in went_on} <= {2}  # the newest fold is not fitted again
    stayed = [one for one in found.trials[2:] if one.status is TrialStatus.DROPPED]
    assert len(stayed) == 5 - len(went_on)
    assert bool(went_on) or turned_at is None


def test_of_a_reference_a_first_version_learns_all_rows(found):
    assert {trial.recipe.training_range for trial in found.trials} == {None}


def test_a_long_training_range_is_sampled_and_keeps_its_span_of_time():
    policy = replace(CHEAP, algorithms=("tree",), window=400, max_rows=300, reference_windows=6)
    result = run(rows(6400, turned_at=5200), policy)
    ranges = {trial.recipe.training_range for trial in result.trials}
    assert ranges == {None, 4, 6, 8}


def test_only_estimators_that_take_weights_compete_with_weighted_rows():
    policy = replace(CHEAP, algorithms=("mlp",), reference_windows=13)
    found = run(rows(800), policy)
    weighted = [trial for trial in found.trials if trial.recipe.fading]
    takes = takes_weights(found.winner.recipe, SCHEMA)
    assert len(weighted) == int(takes)
    assert {one.status for one in weighted} <= {TrialStatus.FINISHED, TrialStatus.DROPPED}


def test_the_champions_recipe_comes_first_and_only_once():
    champion = recipes(["tree"], Task.BINARY)[0]
    result = run(rows(800), replace(CHEAP, first=champion))
    names = [trial.recipe for trial in result.trials]
    assert names[0] == champion
    assert names.count(champion) == 1


def test_the_champions_training_range_competes_with_all_rows():
    champion = replace(recipes(["tree"], Task.BINARY)[0], training_range=8)
    policy = replace(CHEAP, algorithms=("tree",), first=champion, reference_windows=13)
    result = run(rows(), policy)
    ranges = [trial.recipe.training_range for trial in result.trials]
    weighted = [trial.recipe.fading for trial in result.trials].count(True)
    assert (ranges[0], ranges.count(None) - weighted, ranges.count(8)) == (8, 1, 1)


def test_a_spent_budget_still_lets_one_recipe_finish():
    result = run(rows(800), replace(CHEAP, budget=timedelta(0)))
    assert [trial.status for trial in result.trials[:1]] == [TrialStatus.FINISHED]
    assert {trial.status for trial in result.trials[1:]} == {TrialStatus.CUT_OFF}
    assert result.trials[1].reason == "the budget was spent before its turn"
    assert result.winner is result.trials[0]


def test_the_budget_ends_the_search_between_two_recipes():
    # A trial looks at the clock when it begins and when it ends, and the budget before it.
    policy = replace(CHEAP, budget=timedelta(seconds=6), reference_windows=13)
    result = run(rows(800), policy, monotonic=clock(1))
    states = [trial.status for trial in result.trials]
    assert states[:2] == [TrialStatus.FINISHED] * 2
    assert len(states) > 2
    assert set(states[2:]) == {TrialStatus.CUT_OFF}
    assert {trial.n_fits for trial in result.trials[2:]} == {0}


def test_a_recipe_that_crashes_is_recorded_and_the_others_go_on():
    broken = replace(recipes(["tree"], Task.BINARY)[0], name="broken", params={"max_depth": -3})
    result = run(rows(800), replace(CHEAP, first=broken, budget=timedelta(0)))
    (tried,) = (one for one in result.trials if one.recipe == broken)
    assert tried.status is TrialStatus.FAILED
    assert "max_depth" in tried.reason
    assert result.winner.recipe.name == "logistic"


def test_a_recipe_of_an_algorithm_that_is_gone_is_recorded_as_failed():
    gone = Recipe("svm", "svm", {}, recipes(["tree"], Task.BINARY)[0].preprocessing)
    result = run(rows(800), replace(CHEAP, first=gone))
    (tried,) = (one for one in result.trials if one.recipe == gone)
    assert "no algorithm 'svm'" in tried.reason


def test_predictions_that_do_not_define_the_metric_fail_their_recipe():
    dataset = rows(800)
    rare = np.where(np.arange(800) % 80 == 0, "yes", "no").astype(object)
    with pytest.raises(NotPossibleError, match="do not define the precision"):
        run(replace(dataset, target=rare), replace(CHEAP, metric="precision"))


def test_rows_of_one_class_cannot_be_searched():
    dataset = rows(800)
    with pytest.raises(NotPossibleError, match="800 labelled rows are too few, or too much alike"):
        run(replace(dataset, target=np.array(["no"] * 800, dtype=object)))


@pytest.mark.parametrize("n_rows", [0, 1, 15])
def test_too_few_rows_cannot_be_searched(n_rows):
    with pytest.raises(NotPossibleError, match=f"{n_rows} labelled rows are too few"):
        run(take(rows(100), slice(0, n_rows)))


def test_folds_without_both_classes_are_left_out():
    dataset = rows(800)
    target = dataset.target.copy()
    target[:660] = "no"
    result = run(Dataset(dataset.features, target, dataset.event_at))
    assert len(result.winner.fold_scores) == 1
    assert len(result.validation) == 80


def test_progress_counts_fits_recipe_by_recipe_and_ends_complete():
    told = []
    result = run(rows(800), progress=lambda *step: told.append(step))
    n_fits = sum(trial.n_fits for trial in result.trials)
    assert [done for done, _, _ in told] == list(range(0, n_fits + 1, 3))
    assert told[-1][0] == told[-1][1]


def test_whoever_is_told_of_the_progress_may_end_the_search():
    def cancel(_done: int, _total: int, _text: str) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run(rows(800), progress=cancel)


def test_the_same_seed_gives_the_same_result():
    policy = replace(CHEAP, max_rows=600)
    once, again = (run(rows(), policy) for _ in range(2))
    assert once.trials == again.trials
    np.testing.assert_array_equal(once.predictions, again.predictions)


def test_allowed_preparations_are_tried_for_the_leading_recipe_only():
    allowed = Allowed(missing=(Missing.MEDIAN, Missing.INDICATOR), scaling=(Scaling.ROBUST,))
    result = run(rows(), replace(CHEAP, allowed=allowed))
    names = [trial.recipe.name for trial in result.trials]
    assert sorted(names) == [
        "logistic, missing indicator, scaling robust",
        "logistic, scaling robust",
        "tree, scaling robust",
    ]
    usual = run(rows())
    n_fits = sum(trial.n_fits for trial in result.trials)
    assert n_fits <= sum(trial.n_fits for trial in usual.trials) + 1 * CHEAP.n_folds


def test_a_preparation_that_pays_wins():
    dataset = rows()
    gone = np.random.default_rng(1).random(len(dataset)) < 0.3
    x = dataset.features["x"].mask(gone)
    target = np.where(gone, "yes", dataset.target)  # missing says more than any number
    told = replace(dataset, features=dataset.features.assign(x=x), target=target.astype(object))
    policy = replace(CHEAP, algorithms=("logistic",))
    allowed = Allowed(missing=(Missing.MEDIAN, Missing.INDICATOR))
    found = run(told, replace(policy, allowed=allowed))
    assert found.winner.recipe.preprocessing.missing is Missing.INDICATOR
    assert found.winner.score > run(told, policy).winner.score + 0.05


def test_a_preparation_that_the_leader_cannot_take_is_not_tried():
    allowed = Allowed(
        missing=(Missing.MEDIAN, Missing.KEEP), encoding=(Encoding.ONE_HOT, Encoding.NATIVE)
    )
    result = run(rows(800), replace(CHEAP, algorithms=("logistic",), allowed=allowed))
    assert [trial.recipe.name for trial in result.trials] == ["logistic"]


def test_what_stands_in_for_a_usual_preparation_can_be_taken():
    allowed = Allowed(missing=(Missing.KEEP, Missing.MEAN))
    policy = replace(CHEAP, algorithms=("hist_gradient_boosting", "logistic"), allowed=allowed)
    names = {trial.recipe.name for trial in run(rows(800), policy).trials}
    assert {"hist_gradient_boosting", "logistic, missing mean"} <= names


def test_what_is_not_allowed_any_more_the_champion_is_not_fitted_with_again():
    champion = recipes(["logistic"], Task.BINARY)[0]
    policy = replace(CHEAP, first=champion, allowed=Allowed(outliers=(Outliers.NONE,)))
    trials = run(rows(800), policy).trials
    assert trials[0].recipe.name == "logistic, outliers none"
    assert all(t.recipe.preprocessing.outliers is Outliers.NONE for t in trials)


@pytest.mark.parametrize("most", [8, 14, 40])
def test_a_budget_of_fits_is_kept_and_cuts_off_the_same_recipes_everywhere(most):
    policy = replace(CHEAP, algorithms=ALGORITHMS[:4], reference_windows=4, max_fits=most)
    result = run(rows(), policy)
    assert sum(trial.n_fits for trial in result.trials) <= most
    cut = [t.recipe.name for t in result.trials if t.status is TrialStatus.CUT_OFF]
    assert bool(cut) is (most < 40)
    assert result.winner.status is TrialStatus.FINISHED


def test_a_budget_of_a_single_fit_still_lets_one_recipe_finish():
    result = run(rows(800), replace(CHEAP, max_fits=1))
    states = [trial.status for trial in result.trials]
    assert states == [TrialStatus.FINISHED, TrialStatus.CUT_OFF]
