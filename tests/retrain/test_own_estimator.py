"""An estimator that the operator has named competes, is saved and serves; nothing else does."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitor.checks.performance import performance
from monitor.errors import BundleRefusedError, ConfigError, NotPossibleError
from monitor.schema import Kind, Schema, Task
from retrain.adapters.bundle_files import dump_model, load_model
from retrain.adapters.model_content import content_sha256
from retrain.bundle import TRUSTED_TYPES
from retrain.candidates import fit
from retrain.dataset import Dataset
from retrain.own_estimator import own_estimator, own_recipe, type_name
from retrain.prediction import predict
from retrain.preparation import Encoding, Missing
from retrain.recipe import Recipe

LDA = "sklearn.discriminant_analysis.LinearDiscriminantAnalysis"
TREES = "sklearn.ensemble.ExtraTreesClassifier"
NEIGHBOURS = "sklearn.neighbors.KNeighborsClassifier"


@pytest.fixture
def configured(new_home, learned, made_up, week_start):
    """Write a leeway.yaml in which a stump and the operator's estimators compete."""

    def configured(estimators) -> object:
        new_home.config.write_text(learned.config.read_text())
        new_home.configure(
            "candidates: [logistic]", f"candidates: [tree], estimators: {estimators}"
        )
        made_up(-4, 4).to_parquet(new_home.folder / "reference.parquet")
        new_home.clock.set(week_start(0))
        return new_home

    return configured


def test_what_the_operator_has_named_competes_is_saved_and_serves(configured, made_up):
    home = configured(f"{{{LDA}: {{shrinkage: 0.1, solver: lsqr}}}}")
    with home.opened() as app:
        made = app.deployment.registry.load("late", 1)
        assert made.recipe["algorithm"] == LDA
        assert made.recipe["params"] == {"shrinkage": 0.1, "solver": "lsqr"}
        assert type(made.pipeline["model"]).__name__ == "LinearDiscriminantAnalysis"
        rows = pa.table(made_up(0)[["x", "y", "g"]])
        served = app.serving.champion("late")
        assert (served.version, len(served.predict(rows))) == (1, 280)


def test_a_model_with_types_that_nobody_trusts_does_not_serve(configured):
    neighbours = f"{{{NEIGHBOURS}: {{n_neighbors: 30, algorithm: kd_tree}}}}"
    home = configured(neighbours)
    with pytest.raises(BundleRefusedError, match="KDTree"), home.opened():
        pass


OTHERS = {
    "lightgbm.LGBM{}": ({"verbose": -1}, {"lightgbm.basic.Booster", "collections.OrderedDict"}),
    "xgboost.XGB{}": ({}, {"xgboost.core.Booster"}),
}
"""What docs/configuration.md says that each needs."""


@pytest.fixture(params=OTHERS, ids=lambda name: name.partition(".")[0])
def another(request):
    """Name an estimator of another package, where that is installed."""
    pytest.importorskip(request.param.partition(".")[0])
    return request.param, *OTHERS[request.param]


@pytest.mark.parametrize("task", list(Task))
def test_estimators_of_others_fit_every_task_and_come_back_as_they_were(another, task, tmp_path):
    pattern, params, types = another
    name = pattern.format("Regressor" if task is Task.REGRESSION else "Classifier")
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    features = pd.DataFrame({"x": x, "g": rng.choice(["a", "b", None], 600)})
    features.loc[::9, "x"] = np.nan
    names = ("high", "low", "middle") if task is Task.MULTICLASS else ("high", "low")
    edges = [0.5, -0.5] if task is Task.MULTICLASS else [0]
    classes = np.array(names, dtype=object)[
        np.select([x > e for e in edges], range(len(edges)), len(edges))
    ]
    rows = Dataset(
        features,
        x if task is Task.REGRESSION else classes,
        np.datetime64("2026-01-01", "us") + np.arange(600),
    )
    kinds = {"x": Kind.NUMERIC, "g": Kind.CATEGORICAL}
    schema = Schema(task, kinds, "y", classes=() if task is Task.REGRESSION else names)
    recipe = replace(own_recipe(name, {**params, "n_estimators": 20}), fading=True)
    made, again = (fit(recipe, rows, schema, window=100, seed=0) for _ in range(2))
    file = tmp_path / "model.skops"
    file.write_bytes(dump_model(made))
    with pytest.raises(BundleRefusedError, match="Booster"):
        load_model(file)
    loaded = load_model(file, TRUSTED_TYPES | types | {type_name(name)})
    expected = predict(made, features, schema)
    assert predict(loaded, features, schema).tolist() == expected.tolist()
    assert content_sha256(dump_model(again)) == content_sha256(file.read_bytes())
    reached = performance(rows.target, expected, schema)
    assert reached["r2" if task is Task.REGRESSION else "accuracy"].value > 0.8


def test_estimators_of_others_compete_are_promoted_and_rolled_back(configured, made_up, another):
    pattern, params, types = another
    name, given = (
        pattern.format("Classifier"),
        json.dumps({**params, "n_estimators": 30, "max_depth": 3}),
    )
    home = configured(f"{{{name}: {given}}}, trusted_types: {json.dumps(sorted(types))}")
    with home.opened() as app:
        registry, now = app.deployment.registry, app.clock.now()
        first = registry.load("late", 1)
        assert first.recipe["algorithm"] == name
        registry.register(first, now)
        registry.promote("late", 2, now, "to see")
        rows = pa.table(made_up(0)[["x", "y", "g"]])
        made = app.serving.champion("late").predict(rows).to_pylist()
        registry.roll_back("late", now, "to see")
        served = app.serving.champion("late")
        assert (served.version, served.predict(rows).to_pylist()) == (1, made)


@pytest.mark.parametrize(
    ("estimators", "why"),
    [
        ("{sklearn.ensemble.NoSuchTrees: {}}", "cannot be imported"),
        ("{no_such_package.Model: {}}", "No module named 'no_such_package'"),
        ("{os.system: {}}", "is no scikit-learn estimator"),
        ("{sklearn.ensemble.ExtraTreesRegressor: {}}", "is no classifier; the task is binary"),
        ("{sklearn.svm.LinearSVC: {}}", "gives no probabilities"),
        (f"{{{TREES}: {{trees: 3}}}}", "unexpected keyword argument 'trees'"),
    ],
)
def test_what_cannot_compete_is_refused_with_the_key(configured, estimators, why):
    with pytest.raises(ConfigError, match=why) as error, configured(estimators).opened():
        pass
    assert error.value.path == "models.late.retrain.estimators"


def test_features_are_prepared_by_what_an_estimator_takes():
    takes_missing = own_recipe(TREES, {}).preprocessing
    assert (takes_missing.missing, takes_missing.encoding) == (Missing.KEEP, Encoding.ORDINAL)
    takes_numbers = own_recipe(LDA, {}).preprocessing
    assert (takes_numbers.missing, takes_numbers.encoding) == (Missing.MEDIAN, Encoding.ONE_HOT)


def test_an_estimator_gets_the_seed_and_one_core_unless_it_is_told_otherwise():
    built = own_estimator(TREES, {"n_jobs": 2}, Task.BINARY, seed=7)
    assert (built.random_state, built.n_jobs) == (7, 2)
    assert own_estimator(TREES, {}, Task.MULTICLASS, seed=7).n_jobs == 1
    with pytest.raises(NotPossibleError, match="no regressor"):
        own_estimator(TREES, {}, Task.REGRESSION, seed=7)


def test_a_type_is_named_by_the_module_that_defines_it():
    assert type_name(TREES) == "sklearn.ensemble._forest.ExtraTreesClassifier"


def test_a_recipe_of_ones_own_is_remembered_as_any_other():
    recipe = own_recipe(TREES, {"n_estimators": 5})
    document = {**vars(recipe), "preprocessing": vars(recipe.preprocessing)}
    assert Recipe.from_document(document) == recipe
    assert replace(recipe, training_range=4).differs_in_rows_only(recipe)
