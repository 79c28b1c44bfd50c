"""Inferred: the schema that a reference's columns and values suggest."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from monitor.columns import class_name, texts
from monitor.errors import SchemaError
from monitor.schema import DEFAULT_PREDICTION, Kind, Roles, Schema, Task

MAX_CLASSES = 50
"""A whole-number target with more distinct values than this is taken for a quantity."""

ID_TYPES = (pa.int64(), pa.int32(), pa.uint64(), pa.uint32(), pa.string(), pa.large_string())
"""Types of a column that is taken for an id when its name and values say so."""

ID_LIKE_SHARE = 0.5
"""A text column with more distinct values than this share of its rows names rows, not groups."""


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
        If a named column is missing, has two roles or cannot fill its role, or if a target
        cannot be predicted (no value, one class).
    """
    guesses: list[str] = []
    _check_roles(table, roles)
    labels = _labels(table.column(roles.target), roles.target)
    time = roles.time or _guess_time(table, roles, guesses)
    task = roles.task or _guess_task(labels, roles.target, guesses)
    identifier = roles.id or _guess_id(table, roles, guesses)
    taken = {roles.target, roles.prediction, time, identifier}
    features = _listed_features(roles) or _guess_features(table, taken, guesses)
    if not features:
        raise SchemaError("no feature is left: name them under columns.numeric and .categorical")
    schema = Schema(
        task=task,
        features=features,
        target=roles.target,
        prediction=roles.prediction or DEFAULT_PREDICTION,
        time=time,
        id=identifier,
        classes=_classes(labels, roles.target, task),
        unused=tuple(name for name in table.column_names if name not in {*taken, *features}),
    )
    return Inferred(schema, tuple(guesses))


@dataclass(frozen=True)
class Outcome:
    """What the values of a target say of the model that predicts it."""

    task: Task
    classes: tuple[str, ...]


def infer_outcome(column: pa.ChunkedArray, target: str, task: Task | None = None) -> Outcome:
    """Infer what a model predicts from its target.

    Parameters
    ----------
    column : pyarrow.ChunkedArray, shape (n_rows,)
        The target's values on the reference.
    target : str
        Its name.
    task : Task or None
        None is guessed.

    Raises
    ------
    SchemaError
        If the target has no value, one class, or a type that cannot be predicted.

    Examples
    --------
    >>> infer_outcome(pa.chunked_array([[1, 0, None]]), "late")
    Outcome(task=<Task.BINARY: 'binary'>, classes=('0', '1'))
    """
    labels = _labels(column, target)
    task = task or _guess_task(labels, target, [])
    return Outcome(task, _classes(labels, target, task))


def _said(roles: Roles) -> list[str]:
    """Return every column that a person has named."""
    single = (roles.target, roles.prediction, roles.time, roles.id)
    listed = (*(roles.numeric or ()), *(roles.categorical or ()), *(roles.dates or ()))
    return [name for name in (*single, *listed) if name is not None]


def _check_roles(table: pa.Table, roles: Roles) -> None:
    said = _said(roles)
    for name in said:
        if name not in table.column_names:
            raise SchemaError(
                f"the reference has no column {name!r}; it has {', '.join(table.column_names)}"
            )
        # A target that is a feature as well would be learned by heart.
        if said.count(name) > 1:
            raise SchemaError(f"column {name!r} is named twice; it can have one role only")
    if roles.time is not None:
        dtype = table.schema.field(roles.time).type
        if not pa.types.is_timestamp(dtype):
            raise SchemaError(f"time column {roles.time!r} is {dtype}; store it as timestamps")
    for name in roles.dates or ():
        dtype = table.schema.field(name).type
        if not (is_date(dtype) or is_text(dtype)):
            raise SchemaError(f"{name!r} is {dtype}, no date; store it as timestamps or ISO 8601")


def _labels(column: pa.ChunkedArray, target: str) -> pa.ChunkedArray:
    """Return the values of the target, the missing ones left out."""
    if kind_of(column.type) is None and not pa.types.is_null(column.type):
        raise SchemaError(f"target {target!r} is {column.type}, neither number nor text")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = column.filter(pc.is_finite(column))
    labels = column.drop_null()
    if not len(labels):
        raise SchemaError(f"target {target!r} has no value")
    return labels


def _listed_features(roles: Roles) -> dict[str, Kind]:
    listed = {
        Kind.NUMERIC: roles.numeric,
        Kind.CATEGORICAL: roles.categorical,
        Kind.DATE: roles.dates,
    }
    return {name: kind for kind, names in listed.items() for name in names or ()}


def _guess_time(table: pa.Table, roles: Roles, guesses: list[str]) -> str | None:
    said = _said(roles)
    names = [f.name for f in table.schema if pa.types.is_timestamp(f.type) and f.name not in said]
    if not names:
        guesses.append("no time column: rows are taken in the order and at the time they arrive")
        return None
    guesses.append(f"time is {names[0]!r}, the first timestamp column")
    return str(names[0])


def _guess_task(labels: pa.ChunkedArray, target: str, guesses: list[str]) -> Task:
    n_unique, dtype = int(pc.count_distinct(labels).as_py()), labels.type
    few = pa.types.is_integer(dtype) and n_unique <= MAX_CLASSES
    if n_unique == 2:  # noqa: PLR2004 - two classes
        task = Task.BINARY
    elif kind_of(dtype) is Kind.NUMERIC and not few:
        task = Task.REGRESSION
    else:
        task = Task.MULTICLASS
    guesses.append(f"task is {task}: {target!r} has {n_unique} distinct values ({dtype})")
    return task


def _guess_id(table: pa.Table, roles: Roles, guesses: list[str]) -> str | None:
    said = _said(roles)
    for field in table.schema:
        looks_like_one = field.name.lower() == "id" or field.name.lower().endswith("_id")
        if field.name in said or not looks_like_one or field.type not in ID_TYPES:
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
        kind = Kind.DATE if is_date(field.type) else kind_of(field.type)
        if field.name == DEFAULT_PREDICTION:
            guesses.append(f"{field.name!r} is left out: is it columns.prediction?")
        elif kind is None:
            guesses.append(f"{field.name!r} is left out: {field.type} is neither number nor text")
        elif kind is Kind.CATEGORICAL and _names_rows(table.column(field.name)):
            guesses.append(f"{field.name!r} is left out: nearly every row has its own value")
        else:
            features[field.name] = kind
    _leave_out_counts(table, features, guesses)
    n_of = Counter(features.values())
    of_dates = f", {n_of[Kind.DATE]} dates" if n_of[Kind.DATE] else ""
    n_numeric, n_categorical = n_of[Kind.NUMERIC], n_of[Kind.CATEGORICAL]
    guesses.append(f"{n_numeric} numeric and {n_categorical} categorical features{of_dates}")
    return features


def _leave_out_counts(table: pa.Table, features: dict[str, Kind], guesses: list[str]) -> None:
    """Leave out what only counts the rows, as far as something else is left to learn from.

    No later row has a value that a model has seen there, and each window would drift from the last.
    """
    counts = [name for name in features if _counts_rows(table.column(name))]
    if len(counts) == len(features):
        return
    for name in counts:
        del features[name]
        guesses.append(f"{name!r} is left out: it only counts the rows")


def kind_of(dtype: pa.DataType) -> Kind | None:
    """Say how columns of a type are compared; None when they cannot be.

    Examples
    --------
    >>> kind_of(pa.int8()), kind_of(pa.bool_()), kind_of(pa.timestamp("s"))
    (<Kind.NUMERIC: 'numeric'>, <Kind.CATEGORICAL: 'categorical'>, None)
    """
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        return Kind.NUMERIC
    if is_text(dtype) or pa.types.is_boolean(dtype) or pa.types.is_dictionary(dtype):
        return Kind.CATEGORICAL
    return None


def is_text(dtype: pa.DataType) -> bool:
    """Say whether a type holds text."""
    types = pa.types
    return bool(
        types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype)
    )


def is_date(dtype: pa.DataType) -> bool:
    """Say whether a type holds dates, with or without a time of day."""
    return bool(pa.types.is_timestamp(dtype) or pa.types.is_date(dtype))


def _names_rows(column: pa.ChunkedArray) -> bool:
    n_unique = pc.count_distinct(texts(column)).as_py()
    return bool(n_unique > MAX_CLASSES and n_unique > ID_LIKE_SHARE * len(column))


def _counts_rows(column: pa.ChunkedArray) -> bool:
    """Say whether whole numbers rise, or fall, from each row to the next; few may by chance."""
    if not pa.types.is_integer(column.type) or column.null_count or len(column) <= MAX_CLASSES:
        return False
    before, after = column[:-1], column[1:]
    return any(pc.all(step(before, after)).as_py() for step in (pc.less, pc.greater))


def _classes(labels: pa.ChunkedArray, target: str, task: Task) -> tuple[str, ...]:
    if task is Task.REGRESSION:
        if kind_of(labels.type) is not Kind.NUMERIC:
            raise SchemaError(f"target {target!r} is {labels.type}; a regression needs numbers")
        return ()
    found = pc.unique(labels).to_pylist()
    names = tuple(class_name(value) for value in sorted(found))
    if len(names) < 2 or (task is Task.BINARY and len(names) > 2):  # noqa: PLR2004 - two classes
        wanted = "two classes" if task is Task.BINARY else "at least two classes"
        raise SchemaError(f"target {target!r} must have {wanted}, it has {list(names)}")
    return names
