"""Recipe: all it takes to fit a candidate again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from retrain.calibrated import Calibration
from retrain.preparation import Preprocessing

ALGORITHMS = ("logistic", "tree", "hist_gradient_boosting", "mlp", "random_forest")
"""Cheap ones first, so that a small budget still compares something. For regression the first is
called ``linear``; either name is understood."""

Params = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Recipe:
    """All it takes to fit a candidate again.

    Parameters
    ----------
    name : str
        What a person calls it.
    algorithm : str
        One of `ALGORITHMS`, or ``linear``.
    params : mapping of str to number or str
        Hyperparameters, see `retrain.candidates.estimator`.
    preprocessing : Preprocessing
        How its features are prepared.
    training_range : int or None
        Fit on this many newest windows; None means on all rows.
    fading : bool
        A row counts for less the older it is, see `retrain.fading.recency`; else all count alike.
    calibration : Calibration or None
        How the fitted model's probabilities are mapped; None leaves them as they are.
    """

    name: str
    algorithm: str
    params: Params
    preprocessing: Preprocessing
    training_range: int | None = None
    fading: bool = False
    calibration: Calibration | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` gave, also after a trip through JSON."""
        preprocessing = Preprocessing.from_document(document["preprocessing"])
        found = document.get("calibration")
        calibration = Calibration(**found) if found else None
        made = {**document, "preprocessing": preprocessing, "calibration": calibration}
        # Before decision 0029 weights halved with so many windows of age.
        half_life = made.pop("half_life", None)
        return cls(**{"fading": half_life is not None, **made})

    def differs_in_rows_only(self, other: "Recipe") -> bool:
        """Tell whether another recipe is the same but for the rows that it learns from."""
        mine = replace(self, training_range=None, fading=False)
        return mine == replace(other, training_range=None, fading=False)
