"""Own estimator: any scikit-learn-compatible class that the operator has named."""

from importlib import import_module
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import get_tags

from monitor.errors import NotPossibleError
from monitor.schema import Task
from retrain.coded import Coded
from retrain.preparation import Encoding, Missing, Outliers, Preprocessing, Scaling
from retrain.recipe import Params, Recipe

TAKES_NUMBERED_CLASSES = ("xgboost.",)
"""Packages whose classifiers refuse the names of classes."""

_TAKES_MISSING = Preprocessing(Missing.KEEP, Outliers.NONE, Scaling.NONE, Encoding.ORDINAL)
_TAKES_NUMBERS = Preprocessing(Missing.MEDIAN, Outliers.CLIP, Scaling.STANDARD, Encoding.ONE_HOT)


def is_own(algorithm: str) -> bool:
    """Tell a dotted name from the name of a built-in algorithm."""
    return "." in algorithm


def own_class(name: str) -> type[Any]:
    """Import an estimator's class.

    Raises
    ------
    NotPossibleError
        If it cannot be imported, or is no scikit-learn estimator.

    Examples
    --------
    >>> own_class("sklearn.ensemble.ExtraTreesClassifier").__name__
    'ExtraTreesClassifier'
    """
    module, _, last = name.rpartition(".")
    try:
        found = getattr(import_module(module), last)
    except (ImportError, AttributeError) as error:
        raise NotPossibleError(f"{name} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise NotPossibleError(f"{name} is no scikit-learn estimator")
    return found


def type_name(name: str) -> str:
    """Return a class's name in the module that defines it, as a model file gives it."""
    found = own_class(name)
    return f"{found.__module__}.{found.__qualname__}"


def own_estimator(name: str, params: Params, task: Task, *, seed: int) -> Any:
    """Return an unfitted estimator.

    Parameters
    ----------
    name : str
        Dotted name of its class.
    params : mapping of str to number or str
        Its parameters.
    task : Task
        What it shall predict.
    seed : int
        For those that take a ``random_state``.

    Raises
    ------
    NotPossibleError
        If it has no such parameter, or is not for this task.
    """
    kind = own_class(name)
    try:
        built = kind(**params)
    except TypeError as error:
        raise NotPossibleError(f"{name}: {error}") from error
    fits = is_regressor(built) if task is Task.REGRESSION else is_classifier(built)
    if not fits:
        wanted = "regressor" if task is Task.REGRESSION else "classifier"
        raise NotPossibleError(f"{name} is no {wanted}; the task is {task}")
    if task is not Task.REGRESSION and not hasattr(built, "predict_proba"):
        raise NotPossibleError(f"{name} gives no probabilities (predict_proba)")
    # One core: the checks and the API share the machine.
    fixed = {"random_state": seed, "n_jobs": 1}
    known = built.get_params()
    built.set_params(**{k: v for k, v in fixed.items() if k in known and k not in params})
    takes_names = task is Task.REGRESSION or not kind.__module__.startswith(TAKES_NUMBERED_CLASSES)
    return built if takes_names else Coded(built)


def own_usual(name: str) -> Preprocessing:
    """Return how features are prepared for a class: as they are where it takes missing values."""
    takes_missing = get_tags(own_class(name)()).input_tags.allow_nan
    return _TAKES_MISSING if takes_missing else _TAKES_NUMBERS


def own_recipe(name: str, params: Params) -> Recipe:
    """Return the recipe of an operator's estimator."""
    return Recipe(name.rpartition(".")[2], name, params, own_usual(name))
