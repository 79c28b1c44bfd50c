"""Piece: rows of a source that are taken in together, and how far the source has been read then."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.body import Body
from monitor.errors import BatchRefusedError

NOWHERE = ""
"""The place of a source that has only one: a query, an endpoint, a web page."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Piece:
    """Rows of a source that are taken in together, as one request would bring them.

    Parameters
    ----------
    place : str
        Where in the source they were: a file's path, or `NOWHERE`.
    cursor : JSON value
        Where the source goes on at this place once the rows are on disk.
    body : Body or None
        The rows; None when there are none, and only the cursor has moved.
    digest : str
        SHA-256 of the rows, hexadecimal.
    refused : BatchRefusedError or None
        Why the place holds no rows that can be read.
    """

    place: str
    cursor: Any
    body: Body | None = None
    digest: str = ""
    refused: BatchRefusedError | None = None


@dataclass(frozen=True)
class Position:
    """How far a source has been read at one place.

    Parameters
    ----------
    n_requests : int
        Requests made of its rows so far: the number of the next one.
    cursor : JSON value
        What the source goes on from; None before the first request.
    pending : JSON value
        The cursor of a request that was begun and not ended; None when there is none.
    """

    n_requests: int = 0
    cursor: Any = None
    pending: Any = None


def fingerprint(row: Row) -> str:
    """Return what tells a row from others: the beginning of a hash of its values.

    Examples
    --------
    >>> fingerprint({"a": 1}) == fingerprint({"a": 1.5})
    False
    """
    text = json.dumps(row, default=str, sort_keys=True)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def digest_of(prints: Sequence[str]) -> str:
    """Return the digest of rows, out of their fingerprints."""
    return hashlib.sha256("".join(prints).encode()).hexdigest()


def counted(rows: Sequence[Row]) -> dict[str, int]:
    """Return how often each row is there, by its fingerprint."""
    return dict(Counter(map(fingerprint, rows)))


def unseen(rows: Sequence[Row], seen: Mapping[str, int]) -> list[tuple[str, Row]]:
    """Leave out the rows that were taken before; returns the others with their fingerprints.

    Parameters
    ----------
    rows : sequence of mapping
        What is there now.
    seen : mapping of str to int
        How often each row, by its fingerprint, was taken before. Equal rows are told apart by
        their number only.

    Examples
    --------
    >>> row = {"a": 1}
    >>> len(unseen([row, row, row], {fingerprint(row): 2}))
    1
    """
    left = Counter(seen)
    fresh = []
    for row in rows:
        mark = fingerprint(row)
        if left[mark] > 0:
            left[mark] -= 1
        else:
            fresh.append((mark, row))
    return fresh
