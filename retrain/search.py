"""Search: which recipe does best on rows that come after those it was fitted on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial

import numpy as np

from monitor.checks.performance import METRICS, performance
from monitor.columns import IntArray
from monitor.errors import NotPossibleError
from monitor.reference import Estimate
from monitor.schema import Schema, Task
from retrain.candidates import ALGORITHMS, MIN_TRAINING_ROWS, Recipe, fit, predict
from retrain.contenders import first_round, shorter_ranges
from retrain.dataset import Dataset, Fold, TargetArray, sample, split, take
from retrain.evaluation import Evaluation, evaluate
from retrain.side_by_side import stopping_early

Progress = Callable[[int, int, str], None]
"""Called with the fits done, the fits planned, and what is done next."""

N_FOLDS_AT_ONCE = 2


@dataclass(frozen=True)
class SearchPolicy:
    """How a search is run.

    Parameters
    ----------
    metric : str
        What is compared; a key of `monitor.checks.performance.METRICS`.
    window : timedelta or int
        Length of a window in time or in rows, the unit of training ranges.
    algorithms : sequence of str
        Which ones compete.
    budget : timedelta
        When it is spent no further recipe is begun, once one has finished.
    max_rows : int
        Larger datasets are sampled.
    n_folds : int
        Time-ordered splits, at least 1.
    first : Recipe or None
        The champion's recipe, tried before all others.
    """

    metric: str
    window: timedelta | int
    algorithms: Sequence[str] = ALGORITHMS
    budget: timedelta = timedelta(minutes=10)
    max_rows: int = 10_000
    n_folds: int = 2
    first: Recipe | None = None


class TrialStatus(StrEnum):
    """How a recipe's trial ended."""

    FINISHED = "finished"
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


@dataclass(frozen=True)
class SearchResult:
    """The best recipe, and all that was tried.

    Parameters
    ----------
    trials : tuple of Trial
        In the order they were tried.
    winner : Trial
        The finished trial with the best mean score, the earlier one of equals.
    validation : Dataset
        The rows of all folds, oldest first.
    predictions : ndarray, shape (n_validation_rows,)
        The winner's predictions of them, each made by a pipeline fitted on earlier rows only.
    folds : ndarray of int, shape (n_validation_rows,)
        The fold of each row, from 0.
    evaluation : mapping of str to Evaluation
        The winner's metrics over the folds. It was chosen on these rows, so they flatter it:
        whether it is promoted is decided on fresh ones.
    """

    trials: tuple[Trial, ...]
    winner: Trial
    validation: Dataset
    predictions: TargetArray
    folds: IntArray
    evaluation: Mapping[str, Evaluation]


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

    The champion's recipe comes first, then the cheap ones. Training ranges compete only for the
    recipe that leads then.

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
    rows = sample(dataset, policy.max_rows, seed)
    if isinstance(policy.window, int) and len(rows):
        # A window of 500 rows is 50 rows of a sample of one in ten.
        policy = replace(policy, window=max(1, policy.window * len(rows) // len(dataset)))
    folds = [f for f in split(rows, policy.n_folds) if _is_usable(f, rows, schema, policy.metric)]
    if not folds:
        raise NotPossibleError(
            f"{len(dataset)} labelled rows are too few, or too much alike, to compare recipes by "
            f"{METRICS[policy.metric].title}"
        )
    race = _Race(rows, schema, policy, folds, seed, monotonic, progress)
    known = take(rows, slice(0, folds[-1].start))
    with stopping_early():
        race.run(first_round(policy.algorithms, schema.task, policy.first))
        race.run(shorter_ranges(race.leader().recipe, known, policy.window))
    progress(race.n_done, race.n_done, f"{race.leader().recipe.name} is best")
    return race.result()


@dataclass
class _Race:
    """The trials so far, and the time they took."""

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
    _best: Trial | None = None
    _predictions: list[TargetArray] = field(default_factory=list)
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.monotonic()

    def run(self, contenders: Iterable[Recipe]) -> None:
        """Try recipes one after the other, each only once."""
        tried = [trial.recipe for trial in self.trials]
        fresh = [recipe for recipe in contenders if recipe not in tried]
        self.n_planned += len(fresh) * len(self.folds)
        for recipe in fresh:
            self._try(recipe)

    def leader(self) -> Trial:
        """Return the best finished trial."""
        if self._best is None:
            reasons = "; ".join(f"{trial.recipe.name}: {trial.reason}" for trial in self.trials)
            raise NotPossibleError(f"no recipe could be fitted. {reasons}")
        return self._best

    def result(self) -> SearchResult:
        """Return what the race has shown."""
        validation = take(self.rows, np.concatenate([np.r_[f.start : f.end] for f in self.folds]))
        sizes = [fold.end - fold.start for fold in self.folds]
        folds = np.repeat(np.arange(len(sizes)), sizes)
        predictions = np.concatenate(self._predictions)
        evaluation = evaluate(validation.target, predictions, folds, self.schema)
        winner = self.leader()
        return SearchResult(tuple(self.trials), winner, validation, predictions, folds, evaluation)

    def _try(self, recipe: Recipe) -> None:
        begun, n_before = self.monotonic(), self.n_done
        # Outside of the try: whoever is told of the progress may end the search by raising.
        self.progress(self.n_done, self.n_planned, recipe.name)
        if self._is_spent():
            reason = "the budget was spent before its turn"
            self.trials.append(Trial(recipe, TrialStatus.CUT_OFF, reason, None, None, (), 0.0, 0))
            return
        self.n_done += len(self.folds)
        predictions: list[TargetArray] = []
        scores: list[Estimate] = []
        status, reason = TrialStatus.FINISHED, ""
        try:
            # One fit keeps one core busy, and the folds do not wait for each other.
            with ThreadPoolExecutor(N_FOLDS_AT_ONCE) as pool:
                predictions += pool.map(partial(self._predict, recipe), self.folds)
            scores += map(self._score, predictions, self.folds)
        except Exception as error:  # noqa: BLE001 - it may fail in any way; the others go on
            status, reason = TrialStatus.FAILED, f"{type(error).__name__}: {error}"
        score, spread = _mean(scores) if status is TrialStatus.FINISHED else (None, None)
        seconds, n_fits = self.monotonic() - begun, self.n_done - n_before
        values = tuple(one.value for one in scores)
        trial = Trial(recipe, status, reason, score, spread, values, seconds, n_fits)
        self.trials.append(trial)
        if self._is_better(trial):
            self._best, self._predictions = trial, predictions

    def _predict(self, recipe: Recipe, fold: Fold) -> TargetArray:
        known = take(self.rows, slice(0, fold.start))
        model = fit(recipe, known, self.schema, window=self.policy.window, seed=self.seed)
        return predict(model, self.rows.features.iloc[fold.start : fold.end], self.schema)

    def _score(self, predictions: TargetArray, fold: Fold) -> Estimate:
        labels = self.rows.target[fold.start : fold.end]
        found = performance(labels, predictions, self.schema).get(self.policy.metric)
        if found is None:  # the fold defines it, so it is the predictions: none is positive
            title = METRICS[self.policy.metric].title
            raise NotPossibleError(f"its predictions do not define the {title}")
        return found

    def _is_spent(self) -> bool:
        elapsed = self.monotonic() - self._started
        return self._best is not None and elapsed >= self.policy.budget.total_seconds()

    def _is_better(self, trial: Trial) -> bool:
        best = self._best
        if trial.score is None or best is None or best.score is None:
            return trial.score is not None
        gain = METRICS[self.policy.metric].gain(champion=best.score, challenger=trial.score)
        # Of many recipes one looks best by chance: to leave the champion's, or to forget rows, must
        # pay by a standard error (the one-standard-error rule, Breiman et al. 1984, section 3.4.3).
        forgets = trial.recipe.training_range is not None and best.recipe.training_range is None
        is_firm = forgets or best.recipe == self.policy.first
        return gain > (best.standard_error or 0.0 if is_firm else 0.0)


def _mean(scores: Sequence[Estimate]) -> tuple[float, float]:
    """Return the mean of the folds' scores, and its standard error."""
    errors = [score.standard_error for score in scores]
    return float(np.mean([s.value for s in scores])), float(np.linalg.norm(errors) / len(errors))


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
