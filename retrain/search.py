"""Search: which recipe does best on rows that come after those it was fitted on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from monitor.checks.performance import METRICS, performance
from monitor.columns import IntArray
from monitor.errors import NotPossibleError
from monitor.schema import Schema, Task
from retrain.calibration import CalibrationTrial, calibrated_predictions, calibration_trial
from retrain.candidates import MIN_TRAINING_ROWS
from retrain.contenders import first_round, preparations, prepared, training_ranges
from retrain.dataset import Dataset, Fold, TargetArray, split, take
from retrain.evaluation import Evaluation, evaluate
from retrain.race import Progress, Race, Trial
from retrain.recipe import Recipe
from retrain.search_policy import SearchPolicy
from retrain.side_by_side import stopping_early


@dataclass(frozen=True)
class SearchResult:
    """The best recipe, and all that was tried.

    Parameters
    ----------
    trials : tuple of Trial
        In the order they ended.
    winner : Trial
        The finished trial that leads in the end.
    validation : Dataset
        The rows of all folds, oldest first.
    predictions : ndarray, shape (n_validation_rows,)
        The winner's predictions of them, each made by a pipeline fitted on earlier rows only.
    folds : ndarray of int, shape (n_validation_rows,)
        The fold of each row, from 0.
    evaluation : mapping of str to Evaluation
        The winner's metrics over the folds. It was chosen on these rows, so they flatter it:
        whether it is promoted is decided on fresh ones.
    calibration : CalibrationTrial
        Whether the winner's probabilities are calibrated; its predictions here are.
    """

    trials: tuple[Trial, ...]
    winner: Trial
    validation: Dataset
    predictions: TargetArray
    folds: IntArray
    evaluation: Mapping[str, Evaluation]
    calibration: CalibrationTrial

    @property
    def recipe(self) -> Recipe:
        """The winner's recipe, calibrated where that helps."""
        return replace(self.winner.recipe, calibration=self.calibration.chosen)


def search(
    dataset: Dataset,
    schema: Schema,
    policy: SearchPolicy,
    *,
    seed: int,
    monotonic: Callable[[], float],
    progress: Progress,
) -> SearchResult:
    """Compare recipes on time-ordered folds within a budget of time.

    The champion's recipe comes first, then the cheap ones; of more than two the others see a
    first heat only. Allowed ways of preparing features compete for the recipe that leads then, and
    training ranges for the one that leads in the end.

    Parameters
    ----------
    dataset : Dataset
        Rows to learn from; none of those that will decide the promotion.
    schema : Schema
        The features, task and classes.
    policy : SearchPolicy
        How to search.
    seed : int
        Of the sample and of every fit.
    monotonic : callable
        Returns seconds, like `time.monotonic`.
    progress : callable
        Told of each recipe before its fits, and of the end; raising there ends the search.

    Raises
    ------
    NotPossibleError
        If no fold can be learned from and scored, or no recipe finishes.
    """
    if policy.first is not None:
        # Recipes compete uncalibrated; the winner's own predictions tell how to calibrate it.
        first = replace(policy.first, calibration=None)
        policy = replace(policy, first=prepared(first, policy.allowed, schema))
    folds = split(dataset, policy.n_folds, policy.window)
    folds = [fold for fold in folds if _is_usable(fold, dataset, schema, policy.metric)]
    if not folds:
        raise NotPossibleError(
            f"{len(dataset)} labelled rows are too few, or too much alike, to compare recipes by "
            f"{METRICS[policy.metric].title}"
        )
    race = Race(dataset, schema, policy, folds, seed, monotonic, progress)
    with stopping_early():
        entrants = first_round(policy, schema)
        race.run(race.heat(entrants, divisor=4, n_folds=2))
        ways = preparations(race.leader().recipe, policy.allowed, schema)
        race.run(race.heat(ways, divisor=1, n_folds=1))
        if policy.reference_windows is not None:
            known = take(dataset, slice(0, folds[-1].start))
            ranges = training_ranges(
                race.leader().recipe,
                known,
                schema,
                window=policy.window,
                reference_windows=policy.reference_windows,
                champion_windows=policy.champion_windows,
            )
            race.run(race.heat([*ranges], divisor=1, n_folds=1))
    progress(race.n_done, race.n_done, f"{race.leader().recipe.name} is best")
    return _result(race)


def _result(race: Race) -> SearchResult:
    """Return what a race has shown."""
    winner = race.leader()
    validation = take(race.rows, np.concatenate([np.r_[f.start : f.end] for f in race.folds]))
    sizes = [fold.end - fold.start for fold in race.folds]
    folds = np.repeat(np.arange(len(sizes)), sizes)
    predictions = np.concatenate(race.predictions)
    tried = CalibrationTrial()
    if race.schema.task is not Task.REGRESSION:
        tried = calibration_trial(
            validation, race.chances(), folds, race.schema, race.policy.metric
        )
        predictions = calibrated_predictions(predictions, tried.chosen, race.schema)
    evaluation = evaluate(validation.target, predictions, folds, race.schema)
    return SearchResult(
        tuple(race.trials), winner, validation, predictions, folds, evaluation, tried
    )


def _is_usable(fold: Fold, dataset: Dataset, schema: Schema, metric: str) -> bool:
    """Tell whether there is something to learn before the fold, and something to score in it."""
    known, labels = dataset.target[: fold.start], dataset.target[fold.start : fold.end]
    if fold.start < MIN_TRAINING_ROWS:
        return False
    if schema.task is not Task.REGRESSION and (known == known[0]).all():
        return False
    # What even perfect predictions do not have, these rows do not define.
    perfect = (labels == schema.positive) * 1.0 if schema.task is Task.BINARY else labels
    return metric in performance(labels, perfect, schema)
