"""Sieve: the rows of a body that can be stored, and why the others cannot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from monitor.body import Body, RawColumn
from monitor.errors import BatchRefusedError


@dataclass(frozen=True)
class Refusal:
    """Rows that are refused for one reason."""

    error: BatchRefusedError
    n_rows: int


@dataclass(frozen=True)
class Sieved:
    """A body without the rows that are refused."""

    body: Body
    refusals: tuple[Refusal, ...]


def sieve(body: Body, check: Callable[[Body], object]) -> Sieved:
    """Find the rows that are refused, so that the others need not be.

    Halves are checked, and the halves of halves that are refused: few bad rows among many are
    found with few looks. What is missing for all rows refuses all at once.

    Parameters
    ----------
    body : Body
        The rows.
    check : callable
        Raises BatchRefusedError for rows that cannot be stored together.

    Returns
    -------
    Sieved
        The rows that pass, in order, and why the others do not.
    """
    refusals: list[Refusal] = []
    kept: list[tuple[int, int]] = []
    waiting = [(0, body.n_rows)]
    while waiting:
        start, stop = waiting.pop()
        try:
            check(rows_of(body, start, stop))
        except BatchRefusedError as error:
            if stop - start == 1 or _touches_all(error, body):
                refusals.append(Refusal(error, stop - start))
            else:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]
        else:
            kept.append((start, stop))
    return Sieved(_joined(body, kept), tuple(refusals))


def rows_of(body: Body, start: int, stop: int) -> Body:
    """Return the rows from `start` to before `stop`."""
    return Body({name: one[start:stop] for name, one in body.columns.items()}, stop - start)


def _touches_all(error: BatchRefusedError, body: Body) -> bool:
    return error.field is not None and error.field not in body.columns


def _joined(body: Body, ranges: Sequence[tuple[int, int]]) -> Body:
    columns = {name: _pieces(column, ranges) for name, column in body.columns.items()}
    return Body(columns, sum(stop - start for start, stop in ranges))


def _pieces(column: RawColumn, ranges: Sequence[tuple[int, int]]) -> RawColumn:
    if isinstance(column, list):
        return [value for start, stop in ranges for value in column[start:stop]]
    chunks = [chunk for start, stop in ranges for chunk in column[start:stop].chunks]
    return pa.chunked_array(chunks, column.type)
