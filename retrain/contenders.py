"""Contenders: the recipes that compete in a search, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from monitor.schema import Task
from retrain.candidates import Recipe, recipes
from retrain.dataset import Dataset, newest

TRAINING_RANGES = (4, 8, 26)
"""Newest windows that compete with all rows: a month, two, and half a year of weeks."""

MIN_RANGE_ROWS = 200
"""A shorter training range is noise, whatever it scores."""


def first_round(algorithms: Sequence[str], task: Task, champion: Recipe | None) -> list[Recipe]:
    """Return the champion's recipe, if there is one, and then the others, the cheap ones first."""
    others = recipes(algorithms, task)
    return [champion, *(r for r in others if r != champion)] if champion else [*others]


def shorter_ranges(leader: Recipe, known: Dataset, window: timedelta | int) -> Iterator[Recipe]:
    """Yield the leader with every training range that leaves it neither too few rows nor all.

    Parameters
    ----------
    leader : Recipe
        The recipe that leads.
    known : Dataset
        The rows that the newest fold may be learned from.
    window : timedelta or int
        Length of a window, in time or in rows.
    """
    for training_range in (*TRAINING_RANGES, None):
        n_rows = len(newest(known, training_range, window))
        is_short = training_range is not None and MIN_RANGE_ROWS <= n_rows < len(known)
        if training_range != leader.training_range and (is_short or training_range is None):
            yield replace(leader, training_range=training_range)
