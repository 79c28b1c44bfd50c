"""HTTP source: the rows of a JSON API that is read page by page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from monitor.adapters.sources.fetch import Fetch, shown
from monitor.body import from_rows
from monitor.errors import SourceError
from monitor.piece import NOWHERE, Piece, Row, counted, digest_of, unseen


def at_path(document: Any, path: str) -> Any:
    """Return what is at a dotted path of a JSON document; None when there is nothing.

    Examples
    --------
    >>> at_path({"data": {"items": [7, 8]}}, "data.items.1"), at_path({"a": 1}, "b.c")
    (8, None)
    """
    for name in filter(None, path.split(".")):
        if isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        elif isinstance(document, dict):
            document = document.get(name)
        else:
            return None
    return document


class Paging(Protocol):
    """How one page leads to the next."""

    def url(self, first: str, at: Any) -> str:
        """Return the address of a page; `at` is None for the first."""
        ...

    def following(self, url: str, at: Any, document: Any, n_rows: int) -> Any:
        """Return what leads to the page after this one; None when this is the newest."""
        ...


@dataclass(frozen=True)
class OnePage:
    """There is one page, and rows are added to it."""

    def url(self, first: str, at: Any) -> str:
        """Return the only address."""
        del at
        return first

    def following(self, url: str, at: Any, document: Any, n_rows: int) -> Any:
        """Return None: no page follows."""
        del url, at, document, n_rows


@dataclass(frozen=True)
class NextLink:
    """Each page holds the address of the next one, at a path; it may not lead elsewhere."""

    path: str

    def url(self, first: str, at: Any) -> str:
        """Return a page's address."""
        return str(httpx.URL(first).join(at)) if at else first

    def following(self, url: str, at: Any, document: Any, n_rows: int) -> Any:
        """Return the next address, on the same host: what is sent there may be secret."""
        del at, n_rows
        link = at_path(document, self.path)
        if not link:
            return None
        here, there = httpx.URL(url), httpx.URL(url).join(str(link))
        if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
            raise SourceError(
                f"{shown(url)}: the next page is on another host, {there.host}; Leeway sends its "
                "headers to the host in leeway.yaml only"
            )
        return str(there)


@dataclass(frozen=True)
class PageNumber:
    """Pages are numbered; one that is not full is the newest.

    Parameters
    ----------
    parameter : str
        Query parameter of the number.
    size : int or None
        Rows of a full page; None where only an empty page tells the end.
    first : int
        Number of the first page.
    """

    parameter: str
    size: int | None = None
    first: int = 1

    def url(self, first: str, at: Any) -> str:
        """Return a page's address."""
        number = self.first if at is None else at
        return str(httpx.URL(first).copy_merge_params({self.parameter: number}))

    def following(self, url: str, at: Any, document: Any, n_rows: int) -> Any:
        """Return the next number."""
        del url, document
        if n_rows < (self.size or 1):
            return None
        return (self.first if at is None else at) + 1


@dataclass(frozen=True)
class CursorField:
    """Each page holds a value at a path that is sent to get the next one.

    Parameters
    ----------
    parameter : str
        Query parameter of the value.
    field : str
        Dotted path of the value.
    """

    parameter: str
    field: str

    def url(self, first: str, at: Any) -> str:
        """Return a page's address."""
        return (
            first if at is None else str(httpx.URL(first).copy_merge_params({self.parameter: at}))
        )

    def following(self, url: str, at: Any, document: Any, n_rows: int) -> Any:
        """Return the next value; the same again says that nothing has come."""
        del url
        value = at_path(document, self.field)
        return None if value in ("", at) or (n_rows == 0 and at is not None) else value


@dataclass(frozen=True)
class HttpSource:
    """Rows of a JSON API, oldest page first; implements `Source`.

    The newest page that has rows is read again by the next collection, and what was taken of it
    is remembered: a page may grow.

    Parameters
    ----------
    first : str
        Address of the first page.
    rows : str
        Dotted path of the list of rows in a page; empty for the page itself.
    paging : Paging
        How one page leads to the next.
    fetch : Fetch
        Gets pages.
    """

    first: str
    rows: str
    paging: Paging
    fetch: Fetch

    def pieces(self, cursors: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield what is new, a page at a time."""
        cursor = cursors.get(NOWHERE) or {"page": None, "seen": {}}
        at, seen = cursor["page"], cursor["seen"]
        visited: set[str] = set()
        while True:
            url = self.paging.url(self.first, at)
            if url in visited:
                raise SourceError(f"{shown(url)}: the pages go in a circle; is `next` right?")
            visited.add(url)
            document = _json(self.fetch.good(url), url)
            rows = self._rows(document, url)
            if not rows and len(visited) > 1:
                return  # the page before it is the newest, and may grow
            fresh = unseen(rows, seen)
            cursor = {"page": at, "seen": counted(rows) if rows else seen}
            digest = digest_of([mark for mark, _ in fresh])
            body = from_rows([row for _, row in fresh]) if fresh else None
            yield Piece(NOWHERE, cursor, body, digest)
            at, seen = self.paging.following(url, at, document, len(rows)), {}
            if at is None:
                return

    def _rows(self, document: Any, url: str) -> Sequence[Row]:
        rows = at_path(document, self.rows)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            place = f"at {self.rows!r}" if self.rows else "as the page itself"
            raise SourceError(f"{shown(url)}: expected a list of row objects {place}")
        return rows


def _json(answer: httpx.Response, url: str) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise SourceError(f"{shown(url)}: the answer is not JSON: {error}") from None
