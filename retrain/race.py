"""Race: recipes tried on time-ordered folds, the hopeless ones on few rows only.

The first heat is a round of successive halving (Jamieson and Talwalkar, *Non-stochastic best arm
identification and hyperparameter optimization*, AISTATS 2016): each recipe learns from a quarter
of the rows, on the newer folds, and two go on. Training ranges see the newest fold first, and who
is behind the leader there goes no further.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

import numpy as np

from monitor.checks.performance import METRICS, performance
from monitor.columns import FloatArray
from monitor.errors import NotPossibleError
from monitor.reference import Estimate
from monitor.schema import Schema, Task
from retrain.calibrated import binary_chances, class_chances
from retrain.candidates import fit
from retrain.comparison import ComparisonPolicy, compare
from retrain.dataset import Dataset, Fold, TargetArray, take
from retrain.prediction import predict
from retrain.recipe import Recipe
from retrain.search_policy import SearchPolicy
from retrain.side_by_side import at_once

Progress = Callable[[int, int, str], None]
"""Called with the fits done, the fits planned, and what is done next."""

N_FINALISTS = 2
"""Recipes that are compared on all folds, the champion's among them."""


class TrialStatus(StrEnum):
    """How a recipe's trial ended."""

    FINISHED = "finished"
    DROPPED = "dropped"
    CUT_OFF = "cut_off"
    FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """What became of one recipe.

    Parameters
    ----------
    recipe : Recipe
        What was tried.
    status : TrialStatus
        How it ended.
    reason : str
        Why it did not finish; empty if it did.
    score : float or None
        Mean of the metric over the folds; None unless finished.
    standard_error : float or None
        Sampling error of `score`.
    fold_scores : tuple of float
        The metric on each fold that was reached, oldest first.
    seconds : float
        Time it took.
    n_fits : int
        Fits begun.
    """

    recipe: Recipe
    status: TrialStatus
    reason: str
    score: float | None
    standard_error: float | None
    fold_scores: tuple[float, ...]
    seconds: float
    n_fits: int


@dataclass
class Race:
    """The trials so far, and the time they took.

    Parameters
    ----------
    rows : Dataset
        Rows to learn from.
    schema : Schema
        The features, task and classes.
    policy : SearchPolicy
        How to search.
    folds : sequence of Fold
        On which recipes are compared, oldest first.
    seed : int
        Of samples and fits.
    monotonic : callable
        Returns seconds, like `time.monotonic`.
    progress : callable
        Told of each recipe before its fits.
    """

    rows: Dataset
    schema: Schema
    policy: SearchPolicy
    folds: Sequence[Fold]
    seed: int
    monotonic: Callable[[], float]
    progress: Progress
    trials: list[Trial] = field(default_factory=list)
    n_done: int = 0
    n_planned: int = 0
    predictions: list[TargetArray] = field(default_factory=list)
    _n_fits: int = 0
    _best: Trial | None = None
    _known: dict[str, TargetArray] = field(default_factory=dict)
    _chances: dict[str, FloatArray] = field(default_factory=dict)
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.monotonic()

    def heat(self, contenders: Sequence[Recipe], *, divisor: int, n_folds: int) -> list[Recipe]:
        """Return the recipes that are worth all folds, in their order; the others are dropped.

        Parameters
        ----------
        contenders : sequence of Recipe
            At most two go on: the champion's untried, and none that is behind who leads already.
        divisor : int
            They learn from this part of the rows that later count.
        n_folds : int
            They are compared on so many of the newest folds.
        """
        contenders = self._new(contenders)
        if len(contenders) <= N_FINALISTS and self._best is None:
            return contenders
        others = [recipe for recipe in contenders if recipe != self.policy.first]
        folds = self.folds[-n_folds:]
        self.n_planned += len(others) * len(folds)
        tried: list[Trial] = []
        n_rows = self.policy.max_rows // divisor
        for recipe in others:
            has_one = any(trial.score is not None for trial in tried)
            is_spent = has_one and self._is_spent(len(folds))
            tried.append(_cut_off(recipe) if is_spent else self._try(recipe, folds, n_rows)[0])
        worth = METRICS[self.policy.metric].gain
        finished = [trial for trial in tried if trial.score is not None]
        finished.sort(key=lambda one: -worth(champion=0.0, challenger=one.score or 0.0))
        best = finished[: N_FINALISTS - len(contenders) + len(others)]
        kept = [one.recipe for one in best if self._is_ahead(one)]
        self.trials += [_dropped(trial) for trial in tried if trial.recipe not in kept]
        return [recipe for recipe in contenders if recipe in kept or recipe not in others]

    def _is_ahead(self, trial: Trial) -> bool:
        """Tell whether a trial is ahead of the leader, if there is one, on its own newest folds."""
        if self._best is None or trial.score is None:
            return True
        led = float(np.mean(self._best.fold_scores[-len(trial.fold_scores) :]))
        return METRICS[self.policy.metric].gain(champion=led, challenger=trial.score) > 0

    def run(self, contenders: Iterable[Recipe]) -> None:
        """Try recipes on all folds one after the other, each only once."""
        fresh = self._new(contenders)
        self.n_planned += len(fresh) * len(self.folds)
        for recipe in fresh:
            if self._best is not None and self._is_spent(len(self.folds)):
                self.trials.append(_cut_off(recipe))
                continue
            trial, predictions = self._try(recipe, self.folds, self.policy.max_rows)
            self.trials.append(trial)
            if self._is_better(trial, predictions):
                self._best, self.predictions = trial, predictions

    def _new(self, contenders: Iterable[Recipe]) -> list[Recipe]:
        known = [trial.recipe for trial in self.trials]
        return [recipe for recipe in contenders if recipe not in known]

    def leader(self) -> Trial:
        """Return the best finished trial."""
        if self._best is None:
            reasons = "; ".join(f"{trial.recipe.name}: {trial.reason}" for trial in self.trials)
            raise NotPossibleError(f"no recipe could be fitted. {reasons}")
        return self._best

    def chances(self) -> FloatArray:
        """Return how likely the leader found each class in the rows of all folds.

        Of a binary model the positive class comes last; else they are the schema's.
        """
        if self.schema.task is Task.BINARY:
            return binary_chances(np.concatenate(self.predictions))
        recipe, max_rows = self.leader().recipe, self.policy.max_rows
        return np.concatenate([self._chances[_key(recipe, max_rows, fold)] for fold in self.folds])

    def _try(
        self, recipe: Recipe, folds: Sequence[Fold], max_rows: int
    ) -> tuple[Trial, list[TargetArray]]:
        begun = self.monotonic()
        # Outside of the try: whoever is told of the progress may end the search by raising.
        self.progress(self.n_done, self.n_planned, recipe.name)
        self.n_done += len(folds)
        n_fits = sum(_key(recipe, max_rows, fold) not in self._known for fold in folds)
        self._n_fits += n_fits
        predictions: list[TargetArray] = []
        scores: list[Estimate] = []
        status, reason = TrialStatus.FINISHED, ""
        try:
            # The folds do not wait for each other.
            with ThreadPoolExecutor(at_once([recipe.algorithm])) as pool:
                predictions += pool.map(partial(self._predict, recipe, max_rows), folds)
            scores += map(self._score, predictions, folds)
        except Exception as error:  # noqa: BLE001 - it may fail in any way; the others go on
            status, reason = TrialStatus.FAILED, f"{type(error).__name__}: {error}"
        score, spread = _mean(scores) if status is TrialStatus.FINISHED else (None, None)
        values = tuple(one.value for one in scores)
        seconds = self.monotonic() - begun
        return Trial(recipe, status, reason, score, spread, values, seconds, n_fits), predictions

    def _predict(self, recipe: Recipe, max_rows: int, fold: Fold) -> TargetArray:
        # What a heat has fitted on as many rows is not fitted again.
        key = _key(recipe, max_rows, fold)
        if key not in self._known:
            self._known[key] = self._fitted(recipe, max_rows, fold)
        return self._known[key]

    def _fitted(self, recipe: Recipe, max_rows: int, fold: Fold) -> TargetArray:
        known = take(self.rows, slice(0, fold.start))
        window = self.policy.window
        model = fit(recipe, known, self.schema, window=window, seed=self.seed, max_rows=max_rows)
        features = self.rows.features.iloc[fold.start : fold.end]
        if self.schema.task is Task.MULTICLASS:
            key = _key(recipe, max_rows, fold)
            self._chances[key] = class_chances(model, features, self.schema.classes)
        return predict(model, features, self.schema)

    def _score(self, predictions: TargetArray, fold: Fold) -> Estimate:
        labels = self.rows.target[fold.start : fold.end]
        found = performance(labels, predictions, self.schema).get(self.policy.metric)
        if found is None:  # the fold defines it, so it is the predictions: none is positive
            title = METRICS[self.policy.metric].title
            raise NotPossibleError(f"its predictions do not define the {title}")
        return found

    def _is_spent(self, n_more: int) -> bool:
        """Tell whether there is no time for more fits, or these would be too many."""
        most = self.policy.max_fits
        if most is not None and self._n_fits + n_more > most:
            return True
        return self.monotonic() - self._started >= self.policy.budget.total_seconds()

    def _is_better(self, trial: Trial, predictions: list[TargetArray]) -> bool:
        best = self._best
        if trial.score is None or best is None or best.score is None:
            return trial.score is not None
        gain = METRICS[self.policy.metric].gain(champion=best.score, challenger=trial.score)
        is_firm = best.recipe == self.policy.first or trial.recipe.differs_in_rows_only(best.recipe)
        # Of many one looks best by chance: to leave the champion's algorithm, or any training
        # range, must surely pay. What differs less from the champion the gate can tell sooner.
        return gain > 0 and (not is_firm or self._leads(predictions))

    def _leads(self, predictions: list[TargetArray]) -> bool:
        rows = np.concatenate([np.r_[fold.start : fold.end] for fold in self.folds])
        return compare(
            self.rows.target[rows],
            np.concatenate(self.predictions),
            np.concatenate(predictions),
            self.rows.event_at[rows],
            self.schema,
            ComparisonPolicy(self.policy.metric),
        ).passed


def _key(recipe: Recipe, max_rows: int, fold: Fold) -> str:
    return f"{recipe} {max_rows} {fold}"


def _cut_off(recipe: Recipe) -> Trial:
    reason = "the budget was spent before its turn"
    return Trial(recipe, TrialStatus.CUT_OFF, reason, None, None, (), 0.0, 0)


def _dropped(trial: Trial) -> Trial:
    if trial.status is not TrialStatus.FINISHED:
        return trial
    reason = f"behind in the first heat, {trial.score:.4g}"
    return replace(trial, status=TrialStatus.DROPPED, reason=reason, score=None)


def _mean(scores: Sequence[Estimate]) -> tuple[float, float]:
    """Return the mean of the folds' scores, and its standard error."""
    errors = [score.standard_error for score in scores]
    return float(np.mean([s.value for s in scores])), float(np.linalg.norm(errors) / len(errors))
