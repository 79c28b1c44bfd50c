"""Schema: what a model's rows look like, stated by leeway.yaml or inferred from a reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from monitor.columns import texts
from monitor.errors import SchemaError

MAX_CLASSES = 50
"""A whole-number target with more distinct values than this is taken for a quantity."""

ID_LIKE_SHARE = 0.5
"""A text column with more distinct values than this share of its rows names rows, not groups."""


class Kind(StrEnum):
    """How a column is compared."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


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
    """

    task: Task
    features: Mapping[str, Kind]
    target: str
    prediction: str = "prediction"
    time: str | None = None
    id: str | None = None
    classes: tuple[str, ...] = ()

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

    def kinds(self) -> dict[str, Kind]:
        """Every compared column: the features, then the prediction, then the target."""
        outcome = {self.prediction: self.prediction_kind, self.target: self.target_kind}
        return {**self.features, **outcome}


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


@dataclass(frozen=True)
class Inferred:
    """A schema, and a sentence for each thing that was guessed."""

    schema: Schema
    guesses: tuple[str, ...]


def infer(table: pa.Table, roles: Roles) -> Inferred:
    """Infer the schema of a reference table.

    Parameters
    ----------
    table : pyarrow.Table, shape (n_rows, n_columns)
        The reference rows.
    roles : Roles
        What is known already.

    Raises
    ------
    SchemaError
        If a named column is missing, or a target cannot be predicted (no value, one class).
    """
    guesses: list[str] = []
    named = (roles.target, roles.prediction, roles.time, roles.id)
    listed = (*(roles.numeric or ()), *(roles.categorical or ()))
    for name in (*named, *listed):
        if name is not None and name not in table.column_names:
            raise SchemaError(
                f"the reference has no column {name!r}; it has {', '.join(table.column_names)}"
            )
    time = roles.time or _guess_time(table, guesses)
    task = roles.task or _guess_task(table, roles.target, guesses)
    identifier = roles.id or _guess_id(table, roles.target, guesses)
    taken = {roles.target, roles.prediction, time, identifier}
    features = _listed_features(roles) or _guess_features(table, taken, guesses)
    if not features:
        raise SchemaError("no feature is left: name them under columns.numeric and .categorical")
    schema = Schema(
        task=task,
        features=features,
        target=roles.target,
        prediction=roles.prediction or "prediction",
        time=time,
        id=identifier,
        classes=_classes(table, roles.target, task),
    )
    return Inferred(schema, tuple(guesses))


def _listed_features(roles: Roles) -> dict[str, Kind]:
    numeric = dict.fromkeys(roles.numeric or (), Kind.NUMERIC)
    return {**numeric, **dict.fromkeys(roles.categorical or (), Kind.CATEGORICAL)}


def _guess_time(table: pa.Table, guesses: list[str]) -> str | None:
    names = [f.name for f in table.schema if pa.types.is_timestamp(f.type)]
    if not names:
        guesses.append("no time column: rows are taken in the order and at the time they arrive")
        return None
    guesses.append(f"time is {names[0]!r}, the first timestamp column")
    return str(names[0])


def _guess_task(table: pa.Table, target: str, guesses: list[str]) -> Task:
    column = table.column(target).drop_null()
    n_unique, dtype = int(pc.count_distinct(column).as_py()), column.type
    if n_unique == 2:  # noqa: PLR2004 - two classes
        task = Task.BINARY
    elif pa.types.is_floating(dtype) or pa.types.is_decimal(dtype) or n_unique > MAX_CLASSES:
        task = Task.REGRESSION
    else:
        task = Task.MULTICLASS
    guesses.append(f"task is {task}: {target!r} has {n_unique} distinct values ({dtype})")
    return task


def _guess_id(table: pa.Table, target: str, guesses: list[str]) -> str | None:
    for field in table.schema:
        looks_like_one = field.name.lower() == "id" or field.name.lower().endswith("_id")
        if field.name == target or not looks_like_one or pa.types.is_floating(field.type):
            continue
        if pc.count_distinct(table.column(field.name)).as_py() == table.num_rows:
            guesses.append(f"id is {field.name!r}: its values are unique")
            return str(field.name)
    guesses.append("no id column: prediction ids are generated and returned")
    return None


def _guess_features(table: pa.Table, taken: set[str | None], guesses: list[str]) -> dict[str, Kind]:
    features: dict[str, Kind] = {}
    for field in table.schema:
        if field.name in taken:
            continue
        kind = _kind(field.type)
        if kind is None:
            guesses.append(f"{field.name!r} is left out: {field.type} is neither number nor text")
        elif kind is Kind.CATEGORICAL and _names_rows(table.column(field.name)):
            guesses.append(f"{field.name!r} is left out: nearly every row has its own value")
        else:
            features[field.name] = kind
    n_numeric = sum(kind is Kind.NUMERIC for kind in features.values())
    guesses.append(f"{n_numeric} numeric and {len(features) - n_numeric} categorical features")
    return features


def _kind(dtype: pa.DataType) -> Kind | None:
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        return Kind.NUMERIC
    if pa.types.is_dictionary(dtype):
        return Kind.CATEGORICAL
    if pa.types.is_boolean(dtype) or pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return Kind.CATEGORICAL
    return None


def _names_rows(column: pa.ChunkedArray) -> bool:
    n_unique = pc.count_distinct(texts(column)).as_py()
    return bool(n_unique > MAX_CLASSES and n_unique > ID_LIKE_SHARE * len(column))


def _classes(table: pa.Table, target: str, task: Task) -> tuple[str, ...]:
    if task is Task.REGRESSION:
        return ()
    found = pc.unique(table.column(target).drop_null()).to_pylist()
    names = tuple(class_name(value) for value in sorted(found))
    if len(names) < 2 or (task is Task.BINARY and len(names) > 2):  # noqa: PLR2004 - two classes
        wanted = "two classes" if task is Task.BINARY else "at least two classes"
        raise SchemaError(f"target {target!r} must have {wanted}, it has {list(names)}")
    return names


def class_name(value: object) -> str:
    """Name a class the same way whatever type it came in: 1 and 1.0 are ``"1"``.

    Examples
    --------
    >>> [class_name(value) for value in (True, 1, 1.0, "late")]
    ['true', '1', '1', 'late']
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


_SAME = {"0": "false", "1": "true", "false": "0", "true": "1", "False": "false", "True": "true"}


def as_class(value: object, classes: tuple[str, ...]) -> str:
    """Name a label as the schema's classes do: 1 is ``"true"`` where they are true and false.

    Examples
    --------
    >>> as_class(True, ("0", "1")), as_class(0, ("false", "true")), as_class("x", ("0", "1"))
    ('1', 'false', 'x')
    """
    name = class_name(value)
    return name if name in classes or _SAME.get(name) not in classes else _SAME[name]
