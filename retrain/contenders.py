"""Contenders: the recipes that compete in a search, and in which order."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from monitor.reference import Reference
from monitor.schema import Schema
from retrain.candidates import recipes, takes, takes_weights, usual
from retrain.dataset import Dataset, newest
from retrain.fading import HALF_WEIGHT_WINDOWS
from retrain.own_estimator import own_recipe
from retrain.preparation import Allowed, Preprocessing
from retrain.recipe import Recipe
from retrain.search_policy import SearchPolicy

TRAINING_RANGES = (HALF_WEIGHT_WINDOWS, 8, 26)
"""Newest windows that compete with all rows: a month, two, and half a year of weeks."""

_USUAL = "hist_gradient_boosting"

MIN_RANGE_ROWS = 200
"""A shorter training range is noise, whatever it scores."""


def first_round(policy: SearchPolicy, schema: Schema) -> list[Recipe]:
    """Return the champion's recipe, if there is one, and then the others, the cheap ones first.

    All prepare their features as usual, or as is allowed.
    """
    own = (own_recipe(name, params) for name, params in policy.estimators.items())
    usually = [*recipes(policy.algorithms, schema.task), *own]
    others = [prepared(recipe, policy.allowed, schema) for recipe in usually]
    champion = policy.first
    return [champion, *(r for r in others if r != champion)] if champion else others


def usual_recipe(policy: SearchPolicy, schema: Schema) -> Recipe:
    """Return the recipe that one would try first, of those allowed: gradient boosting.

    Of tables it is hard to beat (Grinsztajn, Oyallon and Varoquaux, *Why do tree-based models still
    outperform deep learning on typical tabular data?*, NeurIPS 2022).
    """
    name = _USUAL if _USUAL in policy.algorithms else policy.algorithms[0]
    variants = {one.name: one for one in recipes([name], schema.task)}
    plain = variants.get(name, next(iter(variants.values())))
    made = variants.get(f"{name} absolute", plain) if policy.metric == "mae" else plain
    return prepared(made, policy.allowed, schema)


def prepared(recipe: Recipe, allowed: Allowed, schema: Schema) -> Recipe:
    """Return a recipe with what its preparation may not do replaced."""
    way = allowed.nearest(recipe.preprocessing, lambda way: takes(recipe, way, schema))
    return _with(recipe, way)


def preparations(recipe: Recipe, allowed: Allowed, schema: Schema) -> list[Recipe]:
    """Return a recipe with each other way of preparing features, one part of it changed."""
    ways = [way for way in allowed.variants(recipe.preprocessing) if takes(recipe, way, schema)]
    return [_with(recipe, way) for way in ways]


def _with(recipe: Recipe, preprocessing: Preprocessing) -> Recipe:
    if preprocessing == recipe.preprocessing:
        return recipe
    name = f"{recipe.name.split(', ')[0]}, {preprocessing.differences(usual(recipe.algorithm))}"
    return replace(recipe, name=name.removesuffix(", "), preprocessing=preprocessing)


def forgetting(recipe: Recipe, schema: Schema) -> Recipe:
    """Return a recipe with all rows, older ones counting for less, where its estimator can."""
    if not takes_weights(recipe, schema):
        return recipe
    return replace(recipe, training_range=None, fading=True)


def training_ranges(
    recipe: Recipe,
    known: Dataset,
    schema: Schema,
    *,
    window: timedelta | int,
    reference_windows: int,
    champion_windows: int | None = None,
) -> Iterator[Recipe]:
    """Yield a recipe with every training range but its own.

    The newest 4, 8 and 26 windows, as many as the reference has (whoever set the model up found
    these enough), those that the champion has learned with all newer ones, all rows, and all rows
    with a weight that fades with age. A range that leaves too few rows, or all of them, does not
    compete.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    known : Dataset
        The rows that the newest fold may be learned from.
    schema : Schema
        The features, task and classes.
    window : timedelta or int
        Length of a window, in time or in rows.
    reference_windows : int
        Length of the reference.
    champion_windows : int or None
        Windows since the first row that the champion has learned.
    """
    lengths = {*TRAINING_RANGES, reference_windows, champion_windows or reference_windows}
    for training_range in sorted(lengths):
        n_rows = len(newest(known, training_range, window))
        if MIN_RANGE_ROWS <= n_rows < len(known) and training_range != recipe.training_range:
            yield replace(recipe, training_range=training_range, fading=False)
    everything = replace(recipe, training_range=None, fading=False)
    if everything != recipe:
        yield everything
    weighted = replace(everything, fading=True)
    spans_more = len(newest(known, reference_windows, window)) < len(known)
    if weighted != recipe and spans_more and takes_weights(recipe, schema):
        yield weighted


def reference_windows(before: Reference, window: timedelta | int) -> int:
    """Return how many windows a reference spans, at least 1."""
    if isinstance(window, int):
        return max(1, before.n_rows // window)
    assert before.start is not None
    assert before.end is not None
    return max(1, round((before.end - before.start) / window))
