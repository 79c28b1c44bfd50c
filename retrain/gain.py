"""Gain: whether a run would pay, measured by a cheap trial before one is opened.

The champion's recipe is fitted again on the rows before a window that neither has seen, with its
own training range, the newest 8 windows and as many as the reference has; all predict that window.
A run pays when the lower bound of the best gain is above nothing, and the gain until the next
decision is worth more than a run costs. The window before the newest is used: the newest is the
gate's, which must not have been chosen on.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from monitor.checks.performance import METRICS, AnyArray
from monitor.errors import NotPossibleError
from retrain.bundle import Bundle
from retrain.candidates import fit, predict
from retrain.comparison import Comparison, ComparisonPolicy, compare
from retrain.contenders import reference_windows, training_ranges
from retrain.dataset import Dataset, newest, take
from retrain.gate import guesses
from retrain.ports import Shown
from retrain.recipe import Recipe
from retrain.side_by_side import stopping_early
from retrain.version import Retrained

LEVEL = 0.10
"""Of the one-sided bound of the best training range; opening a run in vain is no great harm."""

N_FITS_AT_ONCE = 2


@dataclass(frozen=True)
class _Tried:
    """What a trial rests on.

    Parameters
    ----------
    rows : Dataset
        All labelled rows.
    recipe : Recipe
        The champion's.
    reference_windows : int
        Windows that the reference spans.
    """

    rows: Dataset
    recipe: Recipe
    reference_windows: int


def promised(bundle: Bundle, rows: Dataset, model: Retrained, used_until: datetime | None) -> Shown:
    """Return what a trial with a champion's recipe shows.

    Parameters
    ----------
    bundle : Bundle
        The champion.
    rows : Dataset
        All labelled rows.
    model : Retrained
        The model.
    used_until : datetime or None
        Rows up to here have trained the champion, or a version that was rolled back.

    Raises
    ------
    NotPossibleError
        If the champion has no recipe.
    """
    if not bundle.recipe:
        raise NotPossibleError("the champion has no recipe that could be fitted again")
    where = _trial_rows(rows, model, used_until)
    tried = _Tried(
        rows,
        Recipe.from_document(bundle.recipe),
        reference_windows(bundle.reference, model.search.window),
    )
    return _shown(tried, where, guesses(bundle, take(rows, where), model.schema), model)


def _trial_rows(rows: Dataset, model: Retrained, used_until: datetime | None) -> slice:
    """Return the rows to try on: the window before the newest, as far as the champion is older."""
    window = model.search.window
    until = len(rows) - len(newest(rows, 1, window))
    start = until - len(newest(take(rows, slice(0, until)), 1, window))
    if used_until is not None:
        edge = np.datetime64(used_until.astimezone(UTC).replace(tzinfo=None), "us")
        start = max(start, int(np.searchsorted(rows.event_at, edge, side="right")))
    return slice(start, max(start, until))


def _shown(tried: _Tried, where: slice, champion: AnyArray, model: Retrained) -> Shown:
    """Tell whether a run would pay.

    Parameters
    ----------
    tried : Tried
        Rows and recipe.
    where : slice
        The rows to try on, from `_trial_rows`.
    champion : ndarray
        The champion's predictions of the rows `where`.
    model : Retrained
        The model.

    Notes
    -----
    Of R training ranges one looks best by chance, so each bound has confidence 1 - .1/R
    (Bonferroni).
    """
    known, fresh = take(tried.rows, slice(0, where.start)), take(tried.rows, where)
    if not len(fresh):
        reason = "no window but the newest is newer than what the champion was trained on"
        return Shown(pays=False, n_fits=0, reason=reason, details={})
    window = model.search.window
    ranges = training_ranges(
        tried.recipe, known, model.schema, window=window, reference_windows=tried.reference_windows
    )
    newer = {8, tried.reference_windows}  # few: each costs a fit, and all but one some certainty
    contenders = [tried.recipe, *(one for one in ranges if one.training_range in newer)]
    policy = ComparisonPolicy(model.search.metric, 0.0, 1 - LEVEL / len(contenders))

    def compared(recipe: Recipe) -> Comparison:
        made = fit(
            recipe,
            known,
            model.schema,
            window=window,
            seed=model.seed,
            max_rows=model.search.max_rows,
        )
        guesses = predict(made, fresh.features, model.schema)
        return compare(fresh.target, champion, guesses, fresh.event_at, model.schema, policy)

    with stopping_early(), ThreadPoolExecutor(N_FITS_AT_ONCE) as pool:
        comparisons = list(pool.map(compared, contenders))
    return _verdict(contenders, comparisons, len(fresh), model)


def _verdict(
    contenders: Sequence[Recipe], comparisons: Sequence[Comparison], n_rows: int, model: Retrained
) -> Shown:
    details = {
        "ranges": [
            {
                "training_range": recipe.training_range,
                "half_life": recipe.half_life,
                "gain": one.gain,
                "standard_error": one.standard_error,
                "lower_bound": one.lower_bound,
            }
            for recipe, one in zip(contenders, comparisons, strict=True)
        ]
    }
    best = max(comparisons, key=lambda one: -np.inf if one.lower_bound is None else one.lower_bound)
    worth = (best.gain or 0.0) * n_rows
    title = METRICS[model.search.metric].title
    pays, reason = best.passed, f"a trial on one window: {best.reason}"
    if pays and worth <= model.cost:
        pays = False
        reason += (
            f"; until the next decision it is worth {worth:.3g} of {title} times rows, and a run "
            f"costs {model.cost:g}"
        )
    return Shown(pays=pays, n_fits=len(contenders), reason=reason, details=details)
