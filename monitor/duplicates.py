"""Duplicates: rows that repeat others in every feature, as when a load ran twice or is old."""

import hashlib
from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from monitor.columns import Columns, FloatArray, numbers, texts
from monitor.schema import Kind
from monitor.values import pieces_of

BoolArray = npt.NDArray[np.bool_]
HashArray = npt.NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = tuple(
    (np.uint64(shift), np.uint64(factor))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
)


def repeated_ratio(
    columns: Columns, kinds: Mapping[str, Kind], *, gaps: Collection[str] = ()
) -> float | None:
    """Return the share of rows that repeat an earlier row.

    Rows are told apart by a 64-bit hash: of 10 million different rows two are taken for one with
    a chance of 3 in a million.

    Parameters
    ----------
    columns : Columns, n_rows rows
        The rows; one column at a time is read.
    kinds : mapping of str to Kind
        The columns that are compared, and how; those that are not there are left out.
    gaps : collection of str
        Columns that have lost values. Rows without them look alike and are left out.

    Returns
    -------
    float or None
        0 to 1; None without columns, or when hardly half of the rows are left.

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: the
    mixing of the bits.

    Examples
    --------
    >>> from monitor.columns import TableColumns
    >>> rows = TableColumns(pa.table({"x": [1.0, 0.0, -0.0, None], "g": ["a", "b", "b", "b"]}))
    >>> repeated_ratio(rows, {"x": Kind.NUMERIC, "g": Kind.CATEGORICAL})
    0.25
    """
    present = {name: kind for name, kind in kinds.items() if name in columns.names}
    if not columns.n_rows or not present:
        return None
    hashes = _hashes(columns, present)[_has_all(columns, present.keys() & gaps)]
    if 2 * hashes.size < columns.n_rows:
        return None
    hashes.sort()
    return float(np.count_nonzero(hashes[1:] == hashes[:-1]) / hashes.size)


def repeats(
    columns: Columns, kinds: Mapping[str, Kind], *, gaps: Collection[str] = ()
) -> BoolArray:
    """Tell which rows repeat an earlier one, as `repeated_ratio` counts them.

    Parameters
    ----------
    columns, kinds, gaps
        As there.

    Returns
    -------
    ndarray of bool, shape (n_rows,)

    Examples
    --------
    >>> from monitor.columns import TableColumns
    >>> repeats(TableColumns(pa.table({"x": [1.0, 2.0, 1.0]})), {"x": Kind.NUMERIC}).tolist()
    [False, False, True]
    """
    present = {name: kind for name, kind in kinds.items() if name in columns.names}
    kept = np.flatnonzero(_has_all(columns, present.keys() & gaps))
    _, firsts = np.unique(_hashes(columns, present)[kept], return_index=True)
    found = np.zeros(columns.n_rows, dtype=np.bool_)
    found[np.delete(kept, firsts)] = True
    return found


def known_ratio(
    columns: Columns, before: Columns, kinds: Mapping[str, Kind], *, gaps: Collection[str] = ()
) -> float | None:
    """Return the share of rows that were there before, in every feature.

    Parameters
    ----------
    columns, before : Columns
        The rows, and those that came before them.
    kinds : mapping of str to Kind
        The columns that are compared, and how; those that either side lacks are left out.
    gaps : collection of str
        Columns that have lost values. Rows without them look alike and are left out.

    Returns
    -------
    float or None
        0 to 1; None without rows or columns, or when hardly half of the rows are left.

    Examples
    --------
    >>> from monitor.columns import TableColumns
    >>> old, new = (TableColumns(pa.table({"x": x})) for x in ([1.0, 2.0], [2.0, 2.0, 3.0, 4.0]))
    >>> known_ratio(new, old, {"x": Kind.NUMERIC})
    0.5
    """
    names = {*columns.names} & {*before.names}
    if not columns.n_rows or not before.n_rows or not names & {*kinds}:
        return None
    n_kept = np.count_nonzero(_has_all(columns, names & {*kinds} & {*gaps}))
    if 2 * n_kept < columns.n_rows:
        return None
    return float(np.count_nonzero(known(columns, before, kinds, gaps=gaps)) / n_kept)


def known(
    columns: Columns, before: Columns, kinds: Mapping[str, Kind], *, gaps: Collection[str] = ()
) -> BoolArray:
    """Tell which rows were there before, as `known_ratio` counts them.

    Parameters
    ----------
    columns, before, kinds, gaps
        As there.

    Returns
    -------
    ndarray of bool, shape (n_rows,)

    Examples
    --------
    >>> from monitor.columns import TableColumns
    >>> old, new = (TableColumns(pa.table({"x": x})) for x in ([1.0, 2.0], [2.0, 2.0, 3.0, 4.0]))
    >>> known(new, old, {"x": Kind.NUMERIC}).tolist()
    [True, True, False, False]
    """
    names = {*columns.names} & {*before.names}
    present = {name: kind for name, kind in kinds.items() if name in names}
    has_all = _has_all(columns, present.keys() & gaps)
    return has_all & np.isin(_hashes(columns, present), _hashes(before, present))


def _has_all(columns: Columns, names: Collection[str]) -> BoolArray:
    """Tell which rows have a value in all of these columns."""
    has = np.ones(columns.n_rows, dtype=np.bool_)
    for name in names:
        lacks = [pc.is_null(piece, nan_is_null=True) for piece in pieces_of(columns, name)]
        has &= ~np.concatenate([np.asarray(piece, dtype=np.bool_) for piece in lacks])
    return has


def _hashes(columns: Columns, present: Mapping[str, Kind]) -> HashArray:
    """Hash each row, a column at a time."""
    hashes = np.zeros(columns.n_rows, dtype=np.uint64)
    for name, kind in present.items():
        start = 0
        for piece in pieces_of(columns, name):
            part = hashes[start : start + len(piece)]
            part *= _MULTIPLIER
            part ^= _hashed(piece, kind)
            start += len(piece)
    return hashes


def _hashed(piece: pa.Array, kind: Kind) -> HashArray:
    if kind is Kind.CATEGORICAL:
        return _hash_levels(piece)
    return _hash_numbers(numbers(pc.cast(piece, pa.int64()) if kind is Kind.DATE else piece))


def _hash_numbers(values: FloatArray) -> HashArray:
    # One zero and one NaN, whatever bits they came with.
    plain = np.where(np.isnan(values), np.nan, values + 0.0)
    hashes = plain.view(np.uint64)
    for shift, factor in _MIXERS:
        hashes ^= hashes >> shift
        hashes *= factor
    hashes ^= hashes >> np.uint64(31)
    return hashes


def _hash_levels(piece: pa.Array) -> HashArray:
    encoded = piece if pa.types.is_dictionary(piece.type) else pc.dictionary_encode(piece)
    names = [*texts(encoded.dictionary).to_pylist(), None]
    digests = [hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in names]
    codes = np.asarray(pc.fill_null(encoded.indices, len(names) - 1))
    hashes: HashArray = np.frombuffer(b"".join(digests), dtype=np.uint64)
    return np.asarray(hashes[codes])
