"""Web source: the rows of a table in a web page."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.robotparser import RobotFileParser

import httpx

from monitor.adapters.sources.fetch import USER_AGENT, Fetch, shown
from monitor.body import from_rows
from monitor.errors import MissingDependencyError, SourceError
from monitor.piece import NOWHERE, Piece, counted, digest_of, unseen

if TYPE_CHECKING:
    from lxml.html import HtmlElement

ROBOTS_SECONDS = 3_600.0
"""How long a robots.txt is believed."""

MAX_SPAN = 1_000
"""What browsers allow for a cell's span."""


@dataclass
class Manners:
    """What every web source of a process keeps to: robots.txt, and a pause for each host.

    Parameters
    ----------
    fetch : Fetch
        Gets pages.
    monotonic : callable
        A stopwatch in seconds.
    """

    fetch: Fetch
    monotonic: Callable[[], float] = time.monotonic
    _free_at: dict[str, float] = field(default_factory=dict)
    _robots: dict[str, tuple[float, RobotFileParser]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, url: str, delay_seconds: float) -> httpx.Response:
        """Return a page, if its host's robots.txt lets us have it, after the pause it asks for.

        Raises
        ------
        SourceError
            If robots.txt forbids it, or the host does not answer.
        """
        robots = self._robots_of(url, delay_seconds)
        if not robots.can_fetch(USER_AGENT, url):
            raise SourceError(f"{shown(url)}: robots.txt forbids this page to {USER_AGENT}")
        wanted = float(robots.crawl_delay(USER_AGENT) or 0)
        self._wait(url, max(delay_seconds, wanted))
        return self.fetch.good(url)

    def _robots_of(self, url: str, delay_seconds: float) -> RobotFileParser:
        host, now = _host(url), self.monotonic()
        read_at, known = self._robots.get(host, (now, None))
        if known is None or now - read_at > ROBOTS_SECONDS:
            self._wait(url, delay_seconds)
            known = _robots(self.fetch.get(f"{host}/robots.txt"))
            self._robots[host] = (now, known)
        return known

    def _wait(self, url: str, delay_seconds: float) -> None:
        """Take the host's next turn, and wait for it."""
        host = _host(url)
        with self._lock:
            now = self.monotonic()
            turn = max(now, self._free_at.get(host, now))
            self._free_at[host] = turn + delay_seconds
        if turn > now:
            self.fetch.pause(turn - now)


def _host(url: str) -> str:
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode()}"


def _robots(answer: httpx.Response) -> RobotFileParser:
    """Read a robots.txt as RFC 9309 wants it: where there is none, all is allowed."""
    robots = RobotFileParser()
    robots.parse(answer.text.splitlines() if answer.is_success else [])
    robots.modified()
    return robots


@dataclass(frozen=True)
class WebSource:
    """The rows of a table in a web page; implements `Source`.

    What was taken of the page is remembered: an unchanged page adds nothing, and one that has
    changed adds the rows that are new.

    Parameters
    ----------
    url : str
        The page.
    table : int or str
        Its number in the page, from 0, or a CSS selector of the table.
    delay_seconds : float
        Time between two requests to the host, at least.
    manners : Manners
        Shared by all web sources.
    """

    url: str
    table: int | str
    delay_seconds: float
    manners: Manners

    def pieces(self, cursors: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield the rows that are new."""
        cursor = cursors.get(NOWHERE) or {"seen": {}}
        answer = self.manners.get(self.url, self.delay_seconds)
        rows = rows_of_table(_table(answer, self.table, shown(self.url)))
        fresh = unseen(rows, cursor["seen"])
        if fresh:
            body = from_rows([row for _, row in fresh])
            yield Piece(
                NOWHERE, {"seen": counted(rows)}, body, digest_of([mark for mark, _ in fresh])
            )


def _table(answer: httpx.Response, which: int | str, page: str) -> "HtmlElement":
    """Find a table in a page."""
    try:
        import lxml.html  # noqa: PLC0415 - an extra, and slow to import
        from lxml.cssselect import CSSSelector, SelectorError  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError(error.name or "lxml", "web") from None
    try:
        # The declared encoding is the server's; without one, lxml looks into the page.
        parser = lxml.html.HTMLParser(encoding=answer.charset_encoding)
        document = lxml.html.document_fromstring(answer.content, parser=parser)
        selector = "table" if isinstance(which, int) else which
        found = [one for one in CSSSelector(selector)(document) if one.tag == "table"]
        return found[which if isinstance(which, int) else 0]
    except (lxml.etree.LxmlError, SelectorError, ValueError, LookupError) as error:
        what = f"number {which}" if isinstance(which, int) else repr(which)
        raise SourceError(
            f"{page}: there is no table {what} in the page ({type(error).__name__}); is it made "
            "by a script? Leeway runs none"
        ) from None


def rows_of_table(table: "HtmlElement") -> list[dict[str, str | None]]:
    """Return a table's rows under the names in its first row; an empty cell is None.

    All values are text, as they stand in the page: what they mean is the schema's business.
    """
    grid = _grid(table)
    if not grid:
        return []
    names = [name or f"column_{number}" for number, name in enumerate(grid[0])]
    return [dict(zip(names, line, strict=False)) for line in grid[1:] if any(line)]


def _grid(table: "HtmlElement") -> list[list[str | None]]:
    """Return the cells line by line, a cell that spans several repeated in each."""
    lines = table.xpath("./tr | ./thead/tr | ./tbody/tr | ./tfoot/tr")
    grid: list[list[str | None]] = []
    hanging: dict[int, tuple[int, str | None]] = {}
    for line in lines:
        row: list[str | None] = []
        for cell in line.xpath("./td | ./th"):
            _hang(row, hanging)
            text = " ".join(cell.text_content().split()) or None
            n_lines = _span(cell, "rowspan")
            for _ in range(_span(cell, "colspan")):
                if n_lines > 1:
                    hanging[len(row)] = (n_lines - 1, text)
                row.append(text)
        _hang(row, hanging)
        grid.append(row)
    return grid


def _hang(row: list[str | None], hanging: dict[int, tuple[int, str | None]]) -> None:
    """Add the cells that reach down from above, where the row stands."""
    while len(row) in hanging:
        n_left, text = hanging.pop(len(row))
        if n_left > 1:
            hanging[len(row)] = (n_left - 1, text)
        row.append(text)


def _span(cell: "HtmlElement", name: str) -> int:
    text = cell.get(name, "1").strip()
    return min(max(int(text), 1), MAX_SPAN) if text.isdigit() else 1
