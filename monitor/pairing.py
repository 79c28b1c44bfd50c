"""Pairing: which columns of two tables are compared, as what, and why the others are not."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.columns import PANDAS_INDEX, Columns, IntArray
from monitor.errors import SchemaError
from monitor.inferred import ID_LIKE_SHARE, MAX_CLASSES, is_text, kind_of
from monitor.schema import Kind
from monitor.values import pieces_of

FEW_NUMBERS = 10
"""Whole numbers with at most this many distinct values are levels, as Evidently infers."""

ID_NAME = re.compile(r"(.*_)?id|unnamed: \d+|", re.IGNORECASE)
"""Names of ids, and of the row numbers that pandas leaves in a CSV."""

NAMED_AT_MOST = 10
"""Columns that one message names."""


class TypedColumns(Columns, Protocol):
    """Columns whose types are known before they are read."""

    def dtype(self, name: str) -> pa.DataType:
        """Return the type of one column."""
        ...


@dataclass(frozen=True)
class Pairing:
    """Which columns are compared.

    Parameters
    ----------
    kinds : mapping of str to Kind
        The compared columns, in the reference's order; some may be missing on the other side.
    notes : tuple of str
        A sentence for each reason that left columns out.
    """

    kinds: Mapping[str, Kind]
    notes: tuple[str, ...]


def pair(
    *,
    reference: TypedColumns,
    current: TypedColumns,
    only: Sequence[str] | None = None,
    named: Sequence[str] = (),
) -> Pairing:
    """Pair the columns of two tables, and infer from the reference how each is compared.

    Left out are times, nested columns and whatever names rows: ids, and texts of which nearly
    every row has its own. Whole numbers of few values are levels, every other number is numeric.

    Parameters
    ----------
    reference, current : TypedColumns, n_rows rows
        Both sides.
    only : sequence of str or None
        Compare only these; None means whatever can be compared.
    named : sequence of str
        Columns that a person has named otherwise: they are never taken for ids.

    Raises
    ------
    SchemaError
        If a named column is not in the reference or cannot be compared, or if the two sides have
        no column in common.
    """
    asked = [*(only or ()), *named]
    _check_names(reference, current, asked)
    repeated = _repeated(reference.names) | _repeated(current.names)
    kinds: dict[str, Kind] = {}
    left_out: dict[str, list[str]] = {}
    for name in dict.fromkeys(reference.names):
        if only is not None and name not in only:
            continue
        reason = "the name is there twice" if name in repeated else None
        reason = reason or _reason_against(reference, name, named=name in asked)
        if reason is None:
            kinds[name] = _kind(reference, current, name)
        elif name in asked:
            raise SchemaError(f"column {name!r} cannot be compared: {reason}")
        else:
            left_out.setdefault(reason, []).append(name)
    notes = [f"left out ({reason}): {listed(names)}" for reason, names in left_out.items()]
    return Pairing(kinds, (*notes, *_one_sided(reference, current, kinds, only)))


def listed(names: Sequence[str]) -> str:
    """List names in a sentence, the first ten of them.

    Examples
    --------
    >>> listed(["a", "b"]), listed([str(number) for number in range(12)])[-16:]
    ("'a', 'b'", "'9' and 2 others")
    """
    shown = ", ".join(repr(name) for name in names[:NAMED_AT_MOST])
    n_hidden = len(names) - NAMED_AT_MOST
    return f"{shown} and {n_hidden} others" if n_hidden > 0 else shown


def _check_names(reference: Columns, current: Columns, asked: Iterable[str]) -> None:
    for name in asked:
        if name not in reference.names:
            raise SchemaError(
                f"the reference has no column {name!r}; it has {listed(reference.names)}"
            )
    if not set(reference.names) & set(current.names):
        raise SchemaError(
            "no column is in both: the reference has "
            f"{listed(reference.names)}, the current rows have {listed(current.names)}"
        )


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name, n_times in Counter(names).items() if n_times > 1}


def _one_sided(
    reference: Columns, current: Columns, kinds: Mapping[str, Kind], only: Sequence[str] | None
) -> list[str]:
    notes = []
    missing = [name for name in kinds if name not in current.names]
    if missing:
        notes.append(f"missing from the current rows, so without a score: {listed(missing)}")
    extra = [n for n in dict.fromkeys(current.names) if n not in reference.names]
    if extra and only is None:
        notes.append(f"only in the current rows, so not compared: {listed(extra)}")
    return notes


def _reason_against(columns: TypedColumns, name: str, *, named: bool) -> str | None:
    """Say why a column is not compared; None when it is."""
    dtype = columns.dtype(name)
    if kind_of(dtype) is None and not pa.types.is_null(dtype):
        shown = type(dtype).__name__ if pa.types.is_nested(dtype) else dtype
        return f"{shown} is neither number nor text"
    if named:
        return None
    if PANDAS_INDEX.fullmatch(name):
        return "the index of a pandas frame"
    try:
        return _reason_in_values(columns, name, dtype)
    except Exception:  # noqa: BLE001 - what cannot be read fails, alone, when it is compared
        return None


def _reason_in_values(columns: Columns, name: str, dtype: pa.DataType) -> str | None:
    may_be_id = pa.types.is_integer(dtype) or is_text(dtype)
    if may_be_id and ID_NAME.fullmatch(name) and _all_differ(columns, name):
        return "an id: no value is there twice"
    is_level = kind_of(dtype) is Kind.CATEGORICAL and not pa.types.is_boolean(dtype)
    if is_level and _names_rows(columns, name):
        return "text, and nearly every row has its own"
    return None


def _kind(reference: TypedColumns, current: TypedColumns, name: str) -> Kind:
    dtype = reference.dtype(name)
    if pa.types.is_null(dtype) and name in current.names:
        dtype = current.dtype(name)  # no value on this side: there is no score either way
    if pa.types.is_integer(dtype) and _has_few_numbers(reference, name):
        return Kind.CATEGORICAL
    return kind_of(dtype) or Kind.CATEGORICAL


def _has_few_numbers(columns: Columns, name: str) -> bool:
    seen: set[int | None] = set()
    try:
        for piece in pieces_of(columns, name):
            found = pc.unique(piece)
            few = len(found) <= FEW_NUMBERS + 1  # one of them may be null
            seen.update(found.to_pylist() if few else ())
            if not few or len(seen - {None}) > FEW_NUMBERS:
                return False
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _all_differ(columns: Columns, name: str) -> bool:
    n_distinct, n_values = _distinct(columns, name)
    return n_distinct == n_values > 0


def _names_rows(columns: Columns, name: str) -> bool:
    n_distinct, n_values = _distinct(columns, name)
    return n_distinct > MAX_CLASSES and n_distinct > ID_LIKE_SHARE * n_values


def _distinct(columns: Columns, name: str) -> tuple[int, int]:
    """Count a column's distinct values, and its values."""
    marks: list[IntArray] = []
    n_values = 0
    for piece in pieces_of(columns, name):
        marks.append(_marks(pc.unique(piece).drop_null()))
        n_values += len(piece) - piece.null_count
    # np.unique hashes since NumPy 2.3, which takes ten times as long as sorting.
    ordered = np.sort(np.concatenate([*marks, np.empty(0, dtype=np.int64)]))
    return int(np.count_nonzero(np.diff(ordered))) + bool(ordered.size), n_values


def _marks(values: pa.Array) -> IntArray:
    """Return a whole number for each value: millions of texts would not fit into memory."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if is_text(values.type):
        return np.fromiter(map(hash, values.to_pylist()), np.int64, len(values))
    if pa.types.is_integer(values.type):
        return np.asarray(pc.cast(values, pa.int64(), safe=False))
    return np.fromiter(map(hash, map(str, values.to_pylist())), np.int64, len(values))
