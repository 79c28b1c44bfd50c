"""Search policy: how recipes are compared, and which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from retrain.preparation import USUAL, Allowed
from retrain.recipe import ALGORITHMS, Params, Recipe


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
    estimators : mapping of str to Params
        Dotted names of scikit-learn-compatible classes that compete as well, with parameters.
    budget : timedelta
        When it is spent no further recipe is begun, once one has finished.
    max_fits : int or None
        No recipe is begun that would need more in all, once one has finished; None: as many as
        there is time for. A fit on each fold counts.
    max_rows : int
        Larger training ranges are sampled.
    n_folds : int
        Time-ordered splits, at least 1.
    first : Recipe or None
        The champion's recipe, tried before all others.
    allowed : Allowed
        Which ways of preparing features are tried beside the usual ones.
    reference_windows : int or None
        Windows that the reference spans; None compares no training ranges: of a reference, which
        its owner has chosen, a first version learns all rows.
    champion_windows : int or None
        Windows since the first row that the champion has learned.
    """

    metric: str
    window: timedelta | int
    algorithms: Sequence[str] = ALGORITHMS
    estimators: Mapping[str, Params] = field(default_factory=dict)
    budget: timedelta = timedelta(minutes=10)
    max_fits: int | None = None
    max_rows: int = 10_000
    n_folds: int = 3
    first: Recipe | None = None
    allowed: Allowed = USUAL
    reference_windows: int | None = None
    champion_windows: int | None = None
