"""Skew: whether what was served is what the champion's pipeline predicts of the logged features."""

from dataclasses import dataclass

import numpy as np

from monitor.batch import MODEL_VERSION
from monitor.schema import Schema, Task
from retrain.bundle import Bundle
from retrain.dataset import Dataset, take
from retrain.prediction import predict

MAX_ROWS = 2_000
"""Of the newest, for a look that costs little: what skews rows skews many."""


@dataclass(frozen=True)
class Skew:
    """Logged predictions held against the same rows predicted again.

    Parameters
    ----------
    n_rows : int
        Rows that the champion predicted, the newest.
    n_off : int
        Those whose predictions differ.
    largest : float
        The greatest difference; 1 between classes.
    """

    n_rows: int
    n_off: int
    largest: float

    @property
    def sentence(self) -> str:
        """The skew in words; empty when there is none."""
        if not self.n_off:
            return ""
        return (
            f"{self.n_off} of {self.n_rows} logged predictions of the champion are not what its "
            f"model predicts of the logged features (by up to {self.largest:.3g}): what "
            "is compared is not what is served"
        )


def skew_of(
    champion: Bundle, version: int, rows: Dataset, schema: Schema, *, tolerance: float
) -> Skew:
    """Replay logged rows through the champion's pipeline.

    Parameters
    ----------
    champion : Bundle
        The champion.
    version : int
        Its number; rows that another version predicted say nothing.
    rows : Dataset
        From `retrain.world.collect`, with logged predictions and who made them.
    schema : Schema
        The model's.
    tolerance : float
        Greatest difference that is none: absolute, relative beyond 1.
    """
    logged = rows.features[schema.prediction]
    is_its = (rows.features[MODEL_VERSION] == version) & logged.notna()
    places = np.flatnonzero(is_its)[-MAX_ROWS:]
    if champion.pipeline is None or not places.size:
        return Skew(0, 0, 0.0)
    before = logged.to_numpy()[places]
    again = predict(champion.pipeline, take(rows, places).features, schema)
    if schema.task is Task.MULTICLASS:
        off = (before != again).astype(np.float64)
    else:
        off = np.abs(before - again) / np.maximum(1.0, np.abs(before))
    return Skew(int(places.size), int((off > tolerance).sum()), float(off.max()))
