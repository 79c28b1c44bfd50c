"""Gain: whether a run would pay, measured by a cheap trial on each window before one is opened.

The champion's recipe is fitted again on the rows before the newest window: on all of them, older
ones counting for less, on the newest 8 windows, on as many as the reference has, and as it was. So
is gradient boosting where the champion is something else. All predict that window, and what did
best in the trials before is what counts. Tested is so fitting again, each time on rows that nothing
was learned from or chosen on: windows add up like looks at a challenger in the gate. A run pays
when the gain is sure, and the champion has lost more since it was trained than a promotion costs.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime

from monitor.checks.performance import AnyArray
from monitor.errors import NotPossibleError
from retrain.bundle import Bundle
from retrain.candidates import fit
from retrain.comparison import Blocks, ComparisonPolicy, blocks, judged
from retrain.contenders import forgetting, reference_windows, training_ranges, usual_recipe
from retrain.dataset import Dataset, newest, take
from retrain.evidence import (
    Document,
    Window,
    best,
    document,
    unskilled,
    verdict,
    windows_of,
)
from retrain.gate import guesses
from retrain.holdout import after, newer
from retrain.lineage import aware
from retrain.prediction import predict
from retrain.recipe import Recipe
from retrain.record import Shown
from retrain.side_by_side import at_once, stopping_early
from retrain.version import Retrained


@dataclass(frozen=True)
class Champion:
    """The champion that a trial is held against.

    Parameters
    ----------
    bundle : Bundle
        The version.
    used_until : datetime or None
        Rows up to here have trained it, or a version that was rolled back.
    trials : sequence of mapping
        What its trials have shown, oldest first, as `retrain.ports.Runs.trials` returns them.
    """

    bundle: Bundle
    used_until: datetime | None
    trials: Sequence[Document]


@dataclass(frozen=True)
class _Trial:
    """The rows of a trial, the champion's guesses of the fresh ones, and the model."""

    known: Dataset
    fresh: Dataset
    guesses: AnyArray
    model: Retrained

    def tried(self, recipe: Recipe) -> Blocks:
        """Fit a recipe on the known rows, and hold it against the champion on the fresh ones."""
        search, schema = self.model.search, self.model.schema
        made = fit(
            recipe,
            self.known,
            schema,
            window=search.window,
            seed=self.model.seed,
            max_rows=search.max_rows,
        )
        fresh = self.fresh
        predicted = predict(made, fresh.features, schema)
        return blocks(fresh.target, self.guesses, predicted, fresh.event_at, schema, search.metric)


def promised(champion: Champion, rows: Dataset, model: Retrained) -> Shown:
    """Return what a trial with a champion's recipe shows, together with those before.

    Parameters
    ----------
    champion : Champion
        The champion.
    rows : Dataset
        All labelled rows.
    model : Retrained
        The model.

    Raises
    ------
    NotPossibleError
        If no labelled window is newer than the last trial's, or none before it newer than what the
        champion has learned.
    """
    bundle, metric = champion.bundle, model.search.metric
    earlier = windows_of(champion.trials, metric, champion.used_until)
    fresh = newest(_untried(rows, earlier, champion.used_until), 1, model.search.window)
    known = take(rows, rows.event_at < fresh.event_at[0])
    _check_teaches(known, fresh, champion.used_until)
    trial = _Trial(known, fresh, guesses(bundle, fresh, model.schema), model)
    contenders = _contenders(trial, bundle)
    with stopping_early(), ThreadPoolExecutor(at_once(one.algorithm for one in contenders)) as pool:
        shown = list(pool.map(trial.tried, contenders))
    chosen = best(contenders, champion.trials)
    window = Window(
        until=aware(fresh.event_at[-1]),
        blocks=shown[chosen],
        unskilled=unskilled(fresh.target, model.schema, metric),
    )
    tried = [*earlier, window]
    pays, reason = verdict(tried, minimum_gain=model.minimum_gain, cost=model.cost)
    details = {
        "window": document(window),
        "chosen": chosen,
        "recipes": [_shown(*one) for one in zip(contenders, shown, strict=True)],
    }
    return Shown(pays=pays, n_fits=len(contenders), reason=reason, details=details)


def _untried(rows: Dataset, earlier: Sequence[Window], used_until: datetime | None) -> Dataset:
    """Return the rows that neither the champion nor a trial has seen: none counts twice."""
    if not earlier:
        return after(rows, used_until)
    if aware(rows.event_at[-1]) <= earlier[-1].until:
        raise NotPossibleError("no labelled row is newer than those of the last trial")
    return after(rows, earlier[-1].until)


def _check_teaches(known: Dataset, fresh: Dataset, used_until: datetime | None) -> None:
    """Raise NotPossibleError where a fit would have next to no row that the champion has not."""
    if used_until is None:
        return
    newest_known = take(known, slice(max(0, len(known) - len(fresh)), None))
    if 2 * len(newer(newest_known, used_until)) < len(fresh):
        raise NotPossibleError("the champion knows nearly every row before the newest window")


def _contenders(trial: _Trial, bundle: Bundle) -> list[Recipe]:
    """Return the champion's recipe and the usual one, each forgetting old rows in a few ways.

    The gradual way comes first: it is tried before anything is known. Few, as each costs a fit. A
    champion whose algorithm suited a calm time shall not be held against itself alone when that is
    over. For one from elsewhere, which has no recipe, the usual one stands in.
    """
    model = trial.model
    usual = usual_recipe(model.search, model.schema)
    first = Recipe.from_document(bundle.recipe) if bundle.recipe else usual
    starts = [first] if first.algorithm == usual.algorithm else [first, usual]
    window = model.search.window
    n_windows = reference_windows(bundle.reference, window)
    found: list[Recipe] = []
    for start in starts:
        gradual = forgetting(start, model.schema)
        ranges = training_ranges(
            gradual, trial.known, model.schema, window=window, reference_windows=n_windows
        )
        few = [one for one in ranges if one.training_range in {8, n_windows}]
        found += [gradual, *few]
    return found if first in found else [*found, first]


def _shown(recipe: Recipe, seen: Blocks) -> dict[str, object]:
    found = judged(seen, ComparisonPolicy(seen.metric))
    return {
        "recipe": asdict(recipe),
        "gain": found.gain,
        "standard_error": found.standard_error,
    }
