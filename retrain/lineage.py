"""Lineage: where a version comes from, made of its rows and of what is installed."""

import hashlib
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

import numpy as np
import pandas as pd

from retrain.bundle import Lineage, Notes
from retrain.dataset import Dataset

RECORDED = (
    *("leeway-ml", "scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "skops"),
    *("lightgbm", "xgboost", "xgboost-cpu"),
)
"""Packages whose versions go on a version's record, where they are installed."""


@dataclass(frozen=True)
class Origin:
    """Why a version is made: the reason, the version it replaces, and the run that made it.

    With what was noticed about its rows.
    """

    reason: str
    parent: int | None = None
    run: int | None = None
    notes: Notes = field(default_factory=Notes)


def lineage_of(origin: Origin, rows: Dataset, seed: int) -> Lineage:
    """Return the record of a version that was fitted on some rows."""
    hashed = hashlib.sha256(
        pd.util.hash_pandas_object(rows.features, index=False).to_numpy().tobytes()
    )
    hashed.update(pd.util.hash_array(rows.target).tobytes())
    hashed.update(rows.event_at.tobytes())
    return Lineage(
        **vars(origin),
        n_rows=len(rows),
        trained_from=aware(rows.event_at[0]),
        trained_until=aware(rows.event_at[-1]),
        data_sha256=hashed.hexdigest(),
        seed=seed,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    """Return what may have had a part in a model, each with its version."""
    versions = {"python": platform.python_version()}
    for name in RECORDED:
        try:
            versions[name] = installed_version(name)
        except PackageNotFoundError:  # an extra, or the other one of two builds
            continue
    return versions


def aware(instant: np.datetime64) -> datetime:
    """Return an event time as an aware UTC datetime."""
    moment: datetime = instant.astype("datetime64[us]").astype(datetime)
    return moment.replace(tzinfo=UTC)
