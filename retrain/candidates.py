"""Candidates: the algorithms that may replace a champion, and recipes to fit them by.

Recipes are few and moderate on purpose: each fit costs its share of the search's budget, and the
more recipes compete on the same rows, the more of the best one's lead is luck.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from sklearn import ensemble, linear_model, neural_network, tree
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from monitor.errors import NotPossibleError
from monitor.schema import Schema, Task
from retrain.calibrated import Calibrated, Calibration
from retrain.dataset import Dataset, drawn, newest, take
from retrain.fading import drawn_by, recency
from retrain.own_estimator import is_own, own_estimator, own_usual
from retrain.preparation import Encoding, Missing, Outliers, Preprocessing, Scaling
from retrain.preprocess import pipeline as prepared
from retrain.recipe import ALGORITHMS, Params, Recipe
from retrain.side_by_side import one_thread, quiet, stopping_early
from retrain.training_rows import training_rows
from retrain.useless import useless, without

MIN_TRAINING_ROWS = 20
"""Fewer rows teach nothing that a fold could tell from luck."""

N_JOBS = 2
"""Trees of a forest grown at once; the checks and the API share the machine."""

_LINEAR = Preprocessing(Missing.MEDIAN, Outliers.CLIP, Scaling.STANDARD, Encoding.ONE_HOT)
_ORDINAL = Preprocessing(Missing.MEDIAN, Outliers.NONE, Scaling.NONE, Encoding.ORDINAL)
_NATIVE = Preprocessing(Missing.KEEP, Outliers.NONE, Scaling.NONE, Encoding.NATIVE)

_GRID: Mapping[str, tuple[Preprocessing, Mapping[str, Params]]] = {
    "logistic": (_LINEAR, {"": {"l2": 10.0}}),
    "tree": (_ORDINAL, {"": {"max_depth": 8, "min_samples_leaf": 40}}),
    "hist_gradient_boosting": (
        _NATIVE,
        {
            "slow": {
                "max_iter": 100,
                "learning_rate": 0.06,
                "max_leaf_nodes": 15,
                "min_samples_leaf": 40,
                "l2_regularization": 1.0,
            },
            "": {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 31},  # scikit-learn's own
        },
    ),
    "mlp": (_LINEAR, {"": {"hidden_units": 32, "alpha": 0.001}}),
    "random_forest": (_ORDINAL, {"": {"n_estimators": 40, "min_samples_leaf": 10}}),
}
_ABSOLUTE: Params = {"max_iter": 100, "max_leaf_nodes": 15, "loss": "absolute_error"}

MLP_ROW_PASSES = 250_000
MLP_EPOCHS = (2, 20)
"""Rows that an MLP is shown in all: what it learns goes by its steps, not by its epochs."""

_FEW_EPOCHS: Mapping[str, Any] = {
    "early_stopping": True,
    "n_iter_no_change": 3,
    "tol": 1e-3,
    "learning_rate_init": 0.003,
}
_ESTIMATORS: Mapping[str, tuple[Any, Any]] = {
    "logistic": (linear_model.LogisticRegression, linear_model.Ridge),
    "tree": (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor),
    "hist_gradient_boosting": (
        ensemble.HistGradientBoostingClassifier,
        ensemble.HistGradientBoostingRegressor,
    ),
    "mlp": (neural_network.MLPClassifier, neural_network.MLPRegressor),
    "random_forest": (ensemble.RandomForestClassifier, ensemble.RandomForestRegressor),
}


def recipes(algorithms: Sequence[str], task: Task) -> tuple[Recipe, ...]:
    """Return the recipes of some algorithms, the cheap ones first.

    Raises
    ------
    NotPossibleError
        If an algorithm is not known.

    Examples
    --------
    >>> [recipe.name for recipe in recipes(["mlp", "linear"], Task.REGRESSION)]
    ['linear', 'mlp']
    """
    wanted = {_canonical(algorithm) for algorithm in algorithms}
    return tuple(
        recipe for name in ALGORITHMS if name in wanted for recipe in _recipes_of(name, task)
    )


def estimator(recipe: Recipe, schema: Schema, *, n_rows: int, seed: int) -> Any:
    """Return the unfitted scikit-learn estimator of a recipe; every classifier has probabilities.

    Parameters
    ----------
    recipe : Recipe
        Its parameters are scikit-learn's, but for ``l2`` (the penalty: Ridge's ``alpha``,
        ``1 / C`` of the logistic regression) and ``hidden_units`` (of the only hidden layer).
    schema : Schema
        Task and classes.
    n_rows : int
        Rows it will be fitted on.
    seed : int
        Of all that is random.

    Raises
    ------
    NotPossibleError
        If the algorithm is not known.
    """
    if is_own(recipe.algorithm):
        return own_estimator(recipe.algorithm, recipe.params, schema.task, seed=seed)
    name = _canonical(recipe.algorithm)
    is_regression = schema.task is Task.REGRESSION
    classifier, regressor = _ESTIMATORS[name]
    kind = regressor if is_regression else classifier
    built = kind(**_arguments(name, recipe.params, schema, n_rows), random_state=seed)
    if name == "mlp" and is_regression:
        # A network learns slowly towards a target that is far from 0.
        return TransformedTargetRegressor(built, transformer=StandardScaler())
    return built


def usual(algorithm: str) -> Preprocessing:
    """Return how features are prepared for an algorithm, unless something else is tried."""
    return own_usual(algorithm) if is_own(algorithm) else _GRID[_canonical(algorithm)][0]


def takes(recipe: Recipe, preprocessing: Preprocessing, schema: Schema) -> bool:
    """Tell whether a recipe's estimator can learn from features that are prepared in a way."""
    built = estimator(recipe, schema, n_rows=1, seed=0)
    takes_levels = "categorical_features" in built.get_params()
    takes_missing = get_tags(built).input_tags.allow_nan
    return (takes_levels or preprocessing.encoding is not Encoding.NATIVE) and (
        takes_missing or preprocessing.missing is not Missing.KEEP
    )


def takes_weights(recipe: Recipe, schema: Schema) -> bool:
    """Tell whether a recipe's estimator can count rows for more or for less."""
    return bool(has_fit_parameter(estimator(recipe, schema, n_rows=1, seed=0), "sample_weight"))


def fit(
    recipe: Recipe,
    dataset: Dataset,
    schema: Schema,
    *,
    window: timedelta | int,
    seed: int,
    max_rows: int | None = None,
) -> Pipeline:
    """Fit a recipe on the rows of its training range.

    Parameters
    ----------
    recipe : Recipe
        What to fit.
    dataset : Dataset
        All rows that may be learned from.
    schema : Schema
        The features, task and classes.
    window : timedelta or int
        Length of a window, the unit of the training range, in time or in rows.
    seed : int
        Of all that is random.
    max_rows : int or None
        Of a larger training range only a sample is fitted on, of the same span of time.

    Raises
    ------
    NotPossibleError
        If too few rows are left, or they are all of one class.
    """
    rows = newest(dataset, recipe.training_range, window)
    weights = recency(rows, window) if recipe.fading else np.ones(len(rows))
    if max_rows is not None and len(rows) > max_rows:
        if recipe.fading:
            places, weights = drawn_by(weights, max_rows, seed)
        else:
            places, weights = drawn(len(rows), max_rows, seed), np.ones(max_rows)
        rows = take(rows, places)
    kept = np.flatnonzero(training_rows(rows.features, recipe.preprocessing, schema, seed=seed))
    if kept.size < len(rows):
        rows = take(rows, kept)
    _check_teaches(recipe, rows, schema)
    built = estimator(recipe, schema, n_rows=len(rows), seed=seed)
    used = without(schema, useless(rows.features, schema))
    model = prepared(used, recipe.preprocessing, built)
    one_thread()
    quiet()
    with stopping_early():
        # On average 1: neither a penalty nor the size of a forest's samples is to change with them.
        given = weights[kept] / weights[kept].mean()
        weighted = {"model__sample_weight": given} if recipe.fading else {}
        model.fit(rows.features, rows.target, **weighted)
    if recipe.algorithm == "random_forest":
        built.set_params(n_jobs=1)  # starting threads takes longer than most predictions
    if recipe.calibration is not None:
        model.steps[-1] = ("model", _calibrated(built, recipe.calibration, schema))
    return model


def _calibrated(fitted: Any, calibration: Calibration, schema: Schema) -> Calibrated:
    is_last = schema.task is not Task.BINARY or fitted.classes_[-1] == schema.positive
    intercept = calibration.intercept if is_last else -calibration.intercept
    return Calibrated(fitted, calibration.slope, intercept)


def _check_teaches(recipe: Recipe, rows: Dataset, schema: Schema) -> None:
    if len(rows) < MIN_TRAINING_ROWS:
        raise NotPossibleError(
            f"{recipe.name} has {len(rows)} rows to learn from and needs {MIN_TRAINING_ROWS}"
        )
    if schema.task is not Task.REGRESSION and (rows.target == rows.target[0]).all():
        raise NotPossibleError(f"all {len(rows)} rows to learn from are {rows.target[0]!r}")


def _canonical(algorithm: str) -> str:
    name = "logistic" if algorithm == "linear" else algorithm
    if name not in ALGORITHMS:
        raise NotPossibleError(
            f"there is no algorithm {algorithm!r}; there are {', '.join(ALGORITHMS)} and linear"
        )
    return name


def _recipes_of(name: str, task: Task) -> Iterator[Recipe]:
    preprocessing, variants = _GRID[name]
    if task is Task.REGRESSION:
        if name == "hist_gradient_boosting":
            # The median is what the default metric, MAE, asks for.
            variants = {**variants, "absolute": _ABSOLUTE}
        name = "linear" if name == "logistic" else name
    for variant, params in variants.items():
        yield Recipe(f"{name} {variant}".strip(), name, params, preprocessing)


def _arguments(name: str, params: Params, schema: Schema, n_rows: int) -> dict[str, Any]:
    """Return scikit-learn's arguments: the recipe's, and those that no recipe varies."""
    given: dict[str, Any] = dict(params)
    is_regression = schema.task is Task.REGRESSION
    if name == "logistic":
        strength = given.pop("l2")
        given |= {"alpha": strength} if is_regression else {"C": 1 / strength, "max_iter": 200}
    elif name == "random_forest":
        # Small samples make trees differ more, and cost less.
        n_tried = 1 / 3 if is_regression else "sqrt"
        given = {"max_samples": 0.3, "max_features": n_tried, "n_jobs": N_JOBS, **given}
    elif name == "hist_gradient_boosting":
        # Its early stopping draws a stratified sample, which a class of one row breaks.
        given["early_stopping"] = False
        # Every iteration grows a tree per class.
        given["max_iter"] = min(given["max_iter"], max(20, 200 // (len(schema.classes) or 1)))
    elif name == "mlp":
        epochs = int(np.clip(MLP_ROW_PASSES // n_rows, *MLP_EPOCHS))
        hidden = {"hidden_layer_sizes": (given.pop("hidden_units"),), "max_iter": epochs}
        given = {**_FEW_EPOCHS, **hidden, **given}
    return given
