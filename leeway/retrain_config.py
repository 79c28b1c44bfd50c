"""Retrain config: what leeway.yaml may say of retraining."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from leeway.config_values import Duration, Stretch, Strict
from monitor.action import Trigger
from monitor.probation import MAX_MARGIN
from retrain.preparation import Encoding, Missing, Outliers, Scaling

Algorithm = Literal["hist_gradient_boosting", "random_forest", "logistic", "linear", "tree", "mlp"]

ALGORITHMS: tuple[Algorithm, ...] = (
    "hist_gradient_boosting", "random_forest", "logistic", "tree", "mlp"
)  # fmt: skip


class ProbationConfig(Strict):
    """How a promoted version is watched beside its predecessor."""

    rows: int = Field(default=5_000, ge=0)
    """Labelled rows after which it has passed; 0: no probation."""
    windows: int = Field(default=8, ge=1)
    """Labelled windows after which it has passed."""
    margin: float = Field(default=0.0, ge=0, le=MAX_MARGIN)
    """Harm that is put up with, in the unit of the loss."""


class PreprocessConfig(Strict):
    """Ways of preparing features that may be tried; of an empty list only the usual one."""

    missing: tuple[Missing, ...] = ()
    """What stands for a missing number."""
    outliers: tuple[Outliers, ...] = ()
    """What becomes of numbers that lie far out."""
    scaling: tuple[Scaling, ...] = ()
    """How numbers are scaled."""
    encoding: tuple[Encoding, ...] = ()
    """How categories become numbers."""


class ServingConfig(Strict):
    """What a version may cost that takes over; see `retrain.servable.ServingPolicy`."""

    latency: Stretch = timedelta(milliseconds=50)
    """Time of a prediction of one row that is always put up with ..."""
    slowdown: float = Field(default=10.0, ge=1)
    """... and so many times the champion's."""
    bytes: int = Field(default=64 << 20, gt=0)
    """Size of a model file that is always put up with ..."""
    growth: float = Field(default=10.0, ge=1)
    """... and so many times the champion's."""
    skew: float = Field(default=1e-6, ge=0)
    """Greatest difference between a logged prediction and the same row predicted again."""


class RetrainConfig(Strict):
    """When and how a new version is made."""

    when: tuple[Trigger, ...] = tuple(Trigger)
    """What opens a run; empty: only a person does."""
    every: Stretch = timedelta(days=28)
    """Longest time between runs, where `when` has schedule."""
    new_rows: int | None = Field(default=None, ge=1)
    """So many labelled rows since the last run open one, where `when` has new_rows."""
    cooldown: Duration = timedelta(days=7)
    """Shortest time between runs."""
    min_labels: int | None = Field(default=None, ge=1)
    """New labelled rows a run needs; by default two labelled windows."""
    budget: Stretch = timedelta(minutes=10)
    """Time for comparing candidates."""
    max_fits: int | None = Field(default=None, ge=1)
    """Fits for comparing candidates; by default as many as there is time for."""
    candidates: tuple[Algorithm, ...] = Field(default=ALGORITHMS, min_length=1)
    """Algorithms that compete."""
    estimators: dict[str, dict[str, bool | int | float | str]] = Field(default={})
    """Dotted names of scikit-learn-compatible classes that compete as well, with parameters."""
    trusted_types: tuple[str, ...] = ()
    """Types beside them that their model files may hold."""
    preprocess: PreprocessConfig = PreprocessConfig()
    """Ways of preparing features that may be tried beside the usual ones."""
    minimum_gain: float = Field(default=0.0, ge=0)
    """Gain a challenger must surely have, in the metric's unit."""
    cost: float | None = Field(default=None, ge=0)
    """What a promotion costs, in the metric's unit times rows; by default an eighth of what a model
    without skill would lose in a window."""
    approval: bool = False
    """A person promotes what has passed the gate."""
    seed: int = 0
    """Seed of every random choice."""
    serving: ServingConfig = ServingConfig()
    """What a version may cost that takes over."""
    probation: ProbationConfig = ProbationConfig()
    """How a promoted version is watched beside its predecessor."""
