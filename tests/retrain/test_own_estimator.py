"""An estimator that the operator has named competes, is saved and serves; nothing else does."""

from dataclasses import replace

import pyarrow as pa
import pytest

from monitor.errors import BundleRefusedError, ConfigError, NotPossibleError
from monitor.schema import Task
from retrain.own_estimator import own_estimator, own_recipe, type_name
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
