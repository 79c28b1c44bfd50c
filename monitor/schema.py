"""Schema: what a model's rows look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_PREDICTION = "prediction"
"""Name of the prediction where the reference has none."""


class Kind(StrEnum):
    """How a column is compared; a date is not, since time goes on: that it is there is checked."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    DATE = "date"


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Schema:
    """The columns of one model.

    Parameters
    ----------
    task : Task
        What the model predicts.
    features : mapping of str to Kind
        What the model is given, in order.
    target : str
        The column that holds the label.
    prediction : str
        The column that holds the prediction: the probability of the positive class (binary),
        the class (multiclass) or the value (regression).
    time : str or None
        The event time; None means the time of receipt.
    id : str or None
        The column that joins predictions with labels; None means generated ids.
    classes : tuple of str
        The classes as text, the positive one last; empty for regression.
    unused : tuple of str
        Columns of the reference that have no role: rows may bring them, and nothing is made of it.
    """

    task: Task
    features: Mapping[str, Kind]
    target: str
    prediction: str = DEFAULT_PREDICTION
    time: str | None = None
    id: str | None = None
    classes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def positive(self) -> str:
        """The class whose probability a binary model gives."""
        return self.classes[-1]

    @property
    def prediction_kind(self) -> Kind:
        """How predictions are compared."""
        return Kind.CATEGORICAL if self.task is Task.MULTICLASS else Kind.NUMERIC

    @property
    def target_kind(self) -> Kind:
        """How labels are compared."""
        return Kind.NUMERIC if self.task is Task.REGRESSION else Kind.CATEGORICAL

    @property
    def compared(self) -> dict[str, Kind]:
        """The features that are compared."""
        return {name: kind for name, kind in self.features.items() if kind is not Kind.DATE}

    @property
    def dates(self) -> list[str]:
        """The features that are dates."""
        return [name for name, kind in self.features.items() if kind is Kind.DATE]

    def kinds(self) -> dict[str, Kind]:
        """Every compared column: the features, then the prediction, then the target."""
        outcome = {self.prediction: self.prediction_kind, self.target: self.target_kind}
        return {**self.compared, **outcome}


@dataclass(frozen=True)
class Roles:
    """What a person has said about a table's columns; None is left to be guessed."""

    target: str
    prediction: str | None = None
    time: str | None = None
    id: str | None = None
    task: Task | None = None
    numeric: tuple[str, ...] | None = None
    categorical: tuple[str, ...] | None = None
    dates: tuple[str, ...] | None = None
