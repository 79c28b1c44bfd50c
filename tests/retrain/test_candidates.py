"""Every recipe learns, gives what its task asks for, and survives being saved."""

import json
from dataclasses import asdict, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
import skops.io

from monitor.checks.performance import default_metric, performance
from monitor.errors import NotPossibleError
from monitor.schema import Kind, Schema, Task
from retrain.candidates import ALGORITHMS, fit, recipes
from retrain.dataset import conform, from_table, take
from retrain.prediction import predict
from retrain.recipe import Recipe

FEATURES = {"x": Kind.NUMERIC, "z": Kind.NUMERIC, "shop": Kind.CATEGORICAL}
CLASSES = {
    Task.BINARY: ("no", "yes"),
    Task.MULTICLASS: ("high", "low", "middle"),
    Task.REGRESSION: (),
}
SCHEMAS = {task: Schema(task, FEATURES, "y", time="at", classes=CLASSES[task]) for task in Task}
WINDOW = timedelta(hours=100)
TRUSTED = [
    "functools.partial",  # of a function that must be trusted by itself
    "numpy.dtype",
    "retrain.preprocess.EmptyColumnFiller",
    "retrain.preprocess.QuantileClipper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
]
EVERY = [
    pytest.param(task, recipe, id=f"{task}-{recipe.name}")
    for task in Task
    for recipe in recipes(ALGORITHMS, task)
]


def rows(task, n_rows=1200, seed=0):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n_rows))
    shop = rng.choice(["north", "south", "west"], n_rows)
    score = 2 * x + 1.5 * (shop == "north") + rng.logistic(size=n_rows) / 2
    target = {
        Task.BINARY: np.where(score > 0.5, "yes", "no"),
        Task.MULTICLASS: np.select([score < -1, score > 2], ["low", "high"], "middle"),
        Task.REGRESSION: 1000 + 50 * score,
    }[task]
    x[rng.random(n_rows) < 0.05] = np.nan
    at = np.datetime64("2026-01-01", "us") + np.arange(n_rows) * np.timedelta64(1, "h")
    table = pa.table({"x": x, "z": z, "shop": shop, "y": target, "at": at})
    return from_table(table, SCHEMAS[task], "y")


def recipe_named(name, task=Task.BINARY):
    return next(recipe for recipe in recipes(ALGORITHMS, task) if recipe.name == name)


def fitted(recipe, dataset, task=Task.BINARY):
    return fit(recipe, dataset, SCHEMAS[task], window=WINDOW, seed=0)


@pytest.mark.parametrize(("task", "recipe"), EVERY)
def test_every_recipe_beats_guessing_on_later_rows(task, recipe):
    dataset, schema = rows(task), SCHEMAS[task]
    model = fitted(recipe, take(dataset, slice(0, 900)), task)
    later = take(dataset, slice(900, None))
    found = performance(later.target, predict(model, later.features, schema), schema)
    value = found[default_metric(task)].value
    if task is Task.REGRESSION:
        assert value < 0.7 * np.abs(later.target - np.median(dataset.target)).mean()
    else:
        assert value > {Task.BINARY: 0.85, Task.MULTICLASS: 0.65}[task]


@pytest.mark.parametrize(("task", "recipe"), EVERY)
def test_every_recipe_predicts_the_same_after_being_saved(task, recipe):
    dataset, schema = rows(task, 400), SCHEMAS[task]
    model = fitted(recipe, dataset, task)
    loaded = skops.io.loads(skops.io.dumps(model), trusted=TRUSTED)
    before, after = (predict(each, dataset.features, schema) for each in (model, loaded))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("task", "recipe"), EVERY)
def test_every_recipe_predicts_rows_of_which_nothing_is_known(task, recipe):
    model = fitted(recipe, rows(task, 400), task)
    nothing = conform(pa.table({"shop": ["new", None]}), SCHEMAS[task])
    assert len(predict(model, nothing, SCHEMAS[task])) == 2


@pytest.mark.parametrize("name", [recipe.name for recipe in recipes(ALGORITHMS, Task.BINARY)])
def test_binary_predictions_are_probabilities_of_the_positive_class(name):
    dataset = rows(Task.BINARY)
    found = predict(fitted(recipe_named(name), dataset), dataset.features, SCHEMAS[Task.BINARY])
    assert ((found >= 0) & (found <= 1)).all()
    assert found[dataset.target == "yes"].mean() > found[dataset.target == "no"].mean()


@pytest.mark.parametrize("name", [recipe.name for recipe in recipes(ALGORITHMS, Task.BINARY)])
def test_the_same_seed_gives_the_same_predictions(name):
    dataset = rows(Task.BINARY, 400)
    models = [fitted(recipe_named(name), dataset) for _ in range(2)]
    once, again = (predict(m, dataset.features, SCHEMAS[Task.BINARY]) for m in models)
    np.testing.assert_array_equal(once, again)


def test_multiclass_predictions_are_class_names():
    dataset = rows(Task.MULTICLASS, 400)
    model = fitted(recipe_named("tree", Task.MULTICLASS), dataset, Task.MULTICLASS)
    found = predict(model, dataset.features, SCHEMAS[Task.MULTICLASS])
    assert set(found) <= set(CLASSES[Task.MULTICLASS])


@pytest.mark.parametrize("task", Task)
def test_no_rows_have_no_predictions(task):
    model = fitted(recipe_named("tree", task), rows(task, 400), task)
    assert predict(model, rows(task, 400).features.iloc[:0], SCHEMAS[task]).shape == (0,)


def test_a_training_range_leaves_older_rows_unseen():
    dataset = rows(Task.BINARY)
    old = np.arange(len(dataset)) < 800
    flipped = np.where(old, np.where(dataset.target == "yes", "no", "yes"), dataset.target)
    changed = replace(dataset, target=flipped)
    newest_only = replace(recipe_named("tree"), training_range=4)
    schema = SCHEMAS[Task.BINARY]
    later = rows(Task.BINARY, seed=1)
    found = predict(fitted(newest_only, changed), later.features, schema)
    assert performance(later.target, found, schema)["roc_auc"].value > 0.85


@pytest.mark.parametrize("name", ["logistic", "tree", "hist_gradient_boosting", "random_forest"])
def test_weights_by_age_follow_the_newest_rows(name):
    dataset, schema = rows(Task.BINARY), SCHEMAS[Task.BINARY]
    old = np.arange(len(dataset)) < 650
    flipped = np.where(old, np.where(dataset.target == "yes", "no", "yes"), dataset.target)
    changed, later = replace(dataset, target=flipped), rows(Task.BINARY, seed=1)

    plain, weighted = (
        predict(fitted(replace(recipe_named(name), fading=one), changed), later.features, schema)
        for one in (False, True)
    )
    before = performance(later.target, plain, schema)["roc_auc"].value
    assert before < 0.5
    assert performance(later.target, weighted, schema)["roc_auc"].value > 0.55


def test_linear_and_logistic_are_two_names_of_one_algorithm():
    assert recipes(["linear"], Task.BINARY) == recipes(["logistic"], Task.BINARY)
    assert recipes(["linear"], Task.REGRESSION) == recipes(["logistic"], Task.REGRESSION)


def test_recipes_come_cheap_ones_first_whatever_order_is_asked_for():
    names = [recipe.algorithm for recipe in recipes(ALGORITHMS[::-1], Task.BINARY)]
    assert names == sorted(names, key=ALGORITHMS.index)


def test_an_unknown_algorithm_is_refused_with_those_there_are():
    with pytest.raises(NotPossibleError, match="no algorithm 'svm'; there are logistic, tree"):
        recipes(["svm"], Task.BINARY)


@pytest.mark.parametrize("task", Task)
def test_a_recipe_survives_json(task):
    for recipe in recipes(ALGORITHMS, task):
        assert Recipe.from_document(json.loads(json.dumps(asdict(recipe)))) == recipe


def test_rows_of_one_class_teach_nothing_and_are_refused():
    dataset = rows(Task.BINARY, 200)
    same = replace(dataset, target=np.array(["no"] * 200, dtype=object))
    with pytest.raises(NotPossibleError, match="all 200 rows to learn from are 'no'"):
        fitted(recipe_named("tree"), same)


def test_too_few_rows_are_refused():
    with pytest.raises(NotPossibleError, match="10 rows to learn from"):
        fitted(recipe_named("tree"), rows(Task.BINARY, 10))


@pytest.mark.parametrize("name", [recipe.name for recipe in recipes(ALGORITHMS, Task.MULTICLASS)])
def test_a_class_of_a_single_row_breaks_no_recipe(name):
    dataset = rows(Task.MULTICLASS, 300)
    target = np.where(dataset.target == "high", "low", dataset.target).astype(object)
    target[7] = "high"
    lonely = replace(dataset, target=target)
    model = fitted(recipe_named(name, Task.MULTICLASS), lonely, Task.MULTICLASS)
    assert len(predict(model, dataset.features, SCHEMAS[Task.MULTICLASS])) == 300
