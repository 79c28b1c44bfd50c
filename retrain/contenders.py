"""Contenders: the recipes that compete in a search, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from monitor.reference import Reference
from monitor.schema import Schema, Task
from retrain.candidates import recipes, takes_weights
from retrain.dataset import Dataset, newest
from retrain.recipe import Recipe

TRAINING_RANGES = (4, 8, 26)
"""Newest windows that compete with all rows: a month, two, and half a year of weeks."""

MIN_RANGE_ROWS = 200
"""A shorter training range is noise, whatever it scores."""


def first_round(algorithms: Sequence[str], task: Task, champion: Recipe | None) -> list[Recipe]:
    """Return the champion's recipe, if there is one, and then the others, the cheap ones first."""
    others = recipes(algorithms, task)
    return [champion, *(r for r in others if r != champion)] if champion else [*others]


def training_ranges(
    recipe: Recipe,
    known: Dataset,
    schema: Schema,
    *,
    window: timedelta | int,
    reference_windows: int,
) -> Iterator[Recipe]:
    """Yield a recipe with every training range but its own.

    The newest 4, 8 and 26 windows, as many as the reference has (whoever set the model up found
    these enough), all rows, and all rows with a weight that halves with each length of the
    reference. A range that leaves too few rows, or all of them, does not compete.

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
    """
    for training_range in sorted({*TRAINING_RANGES, reference_windows}):
        n_rows = len(newest(known, training_range, window))
        if MIN_RANGE_ROWS <= n_rows < len(known) and training_range != recipe.training_range:
            yield replace(recipe, training_range=training_range, half_life=None)
    everything = replace(recipe, training_range=None, half_life=None)
    if everything != recipe:
        yield everything
    weighted = replace(everything, half_life=reference_windows)
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
