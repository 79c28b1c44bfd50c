"""Alignment: columns of one table read as the types of another, so that both compare alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from monitor.columns import Columns
from monitor.errors import SchemaError
from monitor.inferred import is_text, kind_of
from monitor.pairing import TypedColumns
from monitor.schema import Kind

Cast: TypeAlias = Callable[[pa.Array], pa.Array]

TRUTHS = ("false", "true")


@dataclass(frozen=True)
class AlignedColumns:
    """Columns of which some are cast while they are read."""

    columns: Columns
    casts: Mapping[str, Cast]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.columns.n_rows

    @property
    def names(self) -> Sequence[str]:
        """The columns there are."""
        return self.columns.names

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """Read one column in pieces; raises SchemaError where a value cannot be cast."""
        cast = self.casts.get(name)
        pieces = self.columns.chunks(name)
        return pieces if cast is None else map(cast, map(_plain, pieces))


def align(columns: TypedColumns, other: TypedColumns, kinds: Mapping[str, Kind]) -> AlignedColumns:
    """Align one side's columns with the other's.

    Text is read as numbers where numbers are compared. Truths are 0 and 1 beside numbers, and
    ``True`` is ``true`` beside truths.

    Parameters
    ----------
    columns, other : TypedColumns
        The side to read, and the one that it is compared with.
    kinds : mapping of str to Kind
        The compared columns.

    Examples
    --------
    >>> from monitor.adapters.column_frames import frame_columns
    >>> before = frame_columns(pa.table({"x": [1.5]}))
    >>> after = frame_columns(pa.table({"x": ["2.5", " 3"]}))
    >>> [piece.to_pylist() for piece in align(after, before, {"x": Kind.NUMERIC}).chunks("x")]
    [[2.5, 3.0]]
    """
    common = set(columns.names) & set(other.names)
    chosen = {
        name: _cast(name, kind, _value_type(columns.dtype(name)), _value_type(other.dtype(name)))
        for name, kind in kinds.items()
        if name in common
    }
    return AlignedColumns(columns, {name: cast for name, cast in chosen.items() if cast})


def _cast(name: str, kind: Kind, dtype: pa.DataType, other: pa.DataType) -> Cast | None:
    if kind is Kind.NUMERIC:
        return _cast_to_numbers(name, dtype)
    if pa.types.is_nested(dtype) or pa.types.is_binary(dtype):
        return partial(_refuse, name, dtype, "text")
    if pa.types.is_boolean(dtype) and kind_of(other) is Kind.NUMERIC:
        return _flags
    if is_text(dtype) and pa.types.is_boolean(other):
        return _truths
    return None


def _cast_to_numbers(name: str, dtype: pa.DataType) -> Cast | None:
    if is_text(dtype):
        return partial(_numbers, name)
    if kind_of(dtype) or pa.types.is_null(dtype):
        return _plain
    return partial(_refuse, name, dtype, "numbers")


def _value_type(dtype: pa.DataType) -> pa.DataType:
    return dtype.value_type if pa.types.is_dictionary(dtype) else dtype


def _plain(piece: pa.Array) -> pa.Array:
    return piece.dictionary_decode() if pa.types.is_dictionary(piece.type) else piece


def _refuse(name: str, dtype: pa.DataType, wanted: str, _piece: pa.Array) -> pa.Array:
    raise SchemaError(f"{name!r} is {dtype} on one side and {wanted} on the other; store it alike")


def _flags(piece: pa.Array) -> pa.Array:
    return pc.cast(piece, pa.int8())


def _truths(piece: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(pc.cast(piece, pa.string()))
    return pc.if_else(pc.is_in(lower, pa.array(TRUTHS)), lower, pc.cast(piece, pa.string()))


def _numbers(name: str, piece: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(pc.cast(piece, pa.string()))
    try:
        return pc.cast(trimmed, pa.float64())
    except pa.ArrowInvalid as error:
        first = next(text for text in trimmed.to_pylist() if not _is_number(text))
        raise SchemaError(
            f"{name!r} is text where the reference has numbers, and {first!r} is no number"
        ) from error


def _is_number(text: str | None) -> bool:
    try:
        pc.cast(pa.scalar(text, pa.string()), pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
