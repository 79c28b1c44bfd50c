"""Serving: the champion in memory, swapped while it answers."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from monitor.batch import CHANCES
from monitor.chances import listed
from monitor.columns import FloatArray
from monitor.errors import LeewayError, NotPossibleError
from monitor.reference import ColumnReference
from monitor.schema import Schema
from monitor.values import CategoricalValues
from retrain.bundle import Bundle
from retrain.calibrated import several_chances
from retrain.dataset import conform
from retrain.ports import Registry
from retrain.prediction import predict


@dataclass(frozen=True)
class Served:
    """One version, ready to predict."""

    version: int
    bundle: Bundle

    @property
    def schema(self) -> Schema:
        """The columns it takes."""
        return self.bundle.reference.schema

    def predict(self, features: pa.Table) -> pa.Array:
        """Predict fitted features: probabilities, class names or numbers."""
        made = predict(self.bundle.pipeline, conform(features, self.schema), self.schema)
        return pa.array(made, from_pandas=True)

    def columns(self, features: pa.Table) -> dict[str, pa.Array]:
        """Predict fitted features, as the log has it: among several classes with their chances."""
        made = {self.schema.prediction: self.predict(features)}
        chances = self.chances(features)
        if chances is not None:
            made[CHANCES] = listed(chances)
        return made

    def warm_up(self) -> None:
        """Predict one row of the reference's middle values: what a model imports, it imports now.

        A model that cannot predict it says so to who asks it for a prediction.
        """
        columns = self.bundle.reference.columns
        middle = {
            name: [_middle(columns[name])] for name in self.schema.features if name in columns
        }
        row = pa.table(middle or {"nothing": [None]})
        with suppress(Exception):
            self.columns(row)

    def chances(self, features: pa.Table) -> FloatArray | None:
        """Return how likely each of several classes is, shape (n_rows, n_classes).

        None where there are not several, and of a model that does not say.
        """
        if not features.num_rows:
            return None
        return several_chances(self.bundle.pipeline, conform(features, self.schema), self.schema)


def _middle(column: ColumnReference) -> float | str | None:
    if not column.n_values:
        return None
    if isinstance(column, CategoricalValues):
        return column.levels[0]
    return float(column.values[column.n_values // 2])


class Serving:
    """The champions of all models.

    Each answer asks the registry who is champion, so that every replica follows a promotion or a
    rollback with its next request. While one request loads a new champion the others are answered
    by the one before: a swap fails and delays nobody.

    Parameters
    ----------
    registry : Registry
        Who is champion, and its bundle.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._served: dict[str, Served] = {}
        self._loading = threading.Lock()

    def champion(self, model: str) -> Served:
        """Return the champion; NotPossibleError when its model is elsewhere."""
        version = self._registry.champion(model)
        known = self._served.get(model)
        if known is not None and known.version == version:
            return known
        if not self._loading.acquire(blocking=known is None) and known is not None:
            return known
        try:
            return self._load(model, version)
        finally:
            self._loading.release()

    def another(self, model: str, version: int) -> Served:
        """Load any version, for who keeps it."""
        served = Served(version, self._registry.load(model, version))
        served.warm_up()
        return served

    def warm_up(self, models: Iterable[str]) -> None:
        """Load champions before anybody asks; who cannot be loaded says so to who asks."""
        for name in models:
            with suppress(LeewayError):
                self.champion(name)

    def _load(self, model: str, version: int) -> Served:
        known = self._served.get(model)
        if known is not None and known.version == version:
            return known  # another request has loaded it while this one waited
        served = self.another(model, version)
        if served.bundle.pipeline is None:
            raise NotPossibleError(
                f"{model!r} is watched only: Leeway has its predictions, not its model"
            )
        self._served[model] = served
        return served
