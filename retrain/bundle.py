"""Bundle: a model with the reference, schema and record it is promoted and rolled back with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.reference import Estimate, Reference

TRUSTED_TYPES: frozenset[str] = frozenset(
    {
        "functools.partial",  # skops holds what it wraps against this list as well
        "numpy.dtype",
        "retrain.calibrated.Calibrated",
        "retrain.coded.Coded",
        "retrain.dates.DateParts",
        "retrain.preprocess.EmptyColumnFiller",
        "retrain.preprocess.QuantileClipper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils.validation.check_array",
    }
)
"""Types a model file may hold beyond scikit-learn's own estimators, as skops names them. Held
here and nowhere else: a file is never asked which types it would like to be trusted."""


@dataclass(frozen=True)
class Notes:
    """What a person should know of a version and the rows that it learned from.

    Parameters
    ----------
    left_out : mapping of str to str
        Features that teach nothing, with the reason.
    leakage : tuple of str
        A sentence for each feature that may know the label.
    rows_left_out : int
        Rows of its training range that its preparation has left out of the fit.
    calibration : str
        Whether its probabilities are calibrated, and why; empty for regression.
    odd_windows : mapping of str to sequence of str
        Windows of its reference that stand out, by when they start, with the columns whose drift
        is judged without them.
    """

    left_out: Mapping[str, str] = field(default_factory=dict)
    leakage: tuple[str, ...] = ()
    rows_left_out: int = 0
    calibration: str = ""
    odd_windows: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lineage:
    """Where a version comes from.

    Parameters
    ----------
    reason : str
        Why it was made.
    parent : int or None
        The version it replaced.
    run : int or None
        The retrain run that made it.
    n_rows : int
        Rows it was fitted on.
    trained_from, trained_until : datetime or None
        Event time of the first and the last of them; None without a clock.
    data_sha256 : str
        Digest of these rows.
    seed : int
        Seed of every random choice.
    versions : mapping of str to str
        Versions of Leeway, Python and the libraries that made it.
    notes : Notes
        What was noticed about these rows.
    """

    reason: str
    parent: int | None
    run: int | None
    n_rows: int
    trained_from: datetime | None
    trained_until: datetime | None
    data_sha256: str
    seed: int
    versions: Mapping[str, str]
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True)
class Bundle:
    """Everything that is promoted, and rolled back, as one.

    Parameters
    ----------
    model : str
        The model's name.
    reference : Reference
        What its windows are compared with, schema and performance included.
    pipeline : object or None
        The fitted scikit-learn Pipeline; None for a model that is only watched.
    recipe : mapping of str to object
        How it was made, as JSON values; empty when only watched.
    gate : mapping of str to Estimate
        Its metrics on the rows that decided its promotion.
    lineage : Lineage
        Where it comes from.
    """

    model: str
    reference: Reference
    pipeline: Any
    recipe: Mapping[str, object]
    gate: Mapping[str, Estimate]
    lineage: Lineage
