"""The web source: robots.txt, the pause for a host, and tables as people write them."""

from contextlib import suppress

import pytest

from monitor.adapters.sources.fetch import USER_AGENT, Fetch
from monitor.adapters.sources.web import Manners, WebSource
from monitor.errors import SourceError

HTML = {"Content-Type": "text/html"}


@pytest.fixture
def waits():
    """The seconds that were waited, or would have been."""
    return []


@pytest.fixture
def manners(waits):
    return Manners(Fetch(pause=waits.append))


@pytest.fixture
def rows_of(site, manners):
    """Read the rows of a table in a page."""

    def read(table: str, which: int | str = 0) -> list[dict[str, str | None]]:
        site.pages["/page"] = (200, HTML, f"<html><body>{table}</body></html>")
        rows = []
        for piece in WebSource(f"{site.url}/page", which, 0.0, manners).pieces({}):
            columns = piece.body.columns
            rows += [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
        return rows

    return read


def test_robots_txt_is_kept_to(site, manners):
    site.robots = "User-agent: leeway\nDisallow: /table.html"
    with pytest.raises(SourceError, match=r"robots.txt forbids this page to leeway/"):
        list(WebSource(f"{site.url}/table.html", 1, 0.0, manners).pieces({}))
    assert site.asked == ["/robots.txt"]


def test_what_robots_txt_forbids_to_others_is_not_forbidden(site, manners):
    site.robots = "User-agent: greedy\nDisallow: /\n\nUser-agent: *\nAllow: /"
    site.rows = [{"n": 1}]
    assert list(WebSource(f"{site.url}/table.html", 1, 0.0, manners).pieces({}))
    assert site.agents == {USER_AGENT}


def test_without_a_readable_robots_txt_nothing_is_asked_for(site, manners):
    site.pages["/robots.txt"] = (500, {}, "")
    with pytest.raises(SourceError, match=r"robots.txt: answers 500"):
        list(WebSource(f"{site.url}/table.html", 1, 0.0, manners).pieces({}))
    assert set(site.asked) == {"/robots.txt"}


@pytest.mark.parametrize(
    ("robots", "expected"), [("", 3.0), ("User-agent: *\nCrawl-delay: 8", 8.0)]
)
def test_a_host_is_left_alone_between_two_requests(site, manners, waits, robots, expected):
    site.robots, site.rows = robots, [{"n": 1}]
    for _ in range(2):
        list(WebSource(f"{site.url}/table.html", 1, 3.0, manners).pieces({}))
    assert site.asked == ["/robots.txt", "/table.html", "/table.html"]
    assert sum(waits[:1]) == pytest.approx(3.0, abs=0.5)
    assert waits[1] - waits[0] <= expected + 0.5


def test_a_row_that_was_added_is_the_only_one_that_is_taken(site, manners):
    site.rows = [{"n": 1}, {"n": 1}]
    source = WebSource(f"{site.url}/table.html", 1, 0.0, manners)
    (first,) = source.pieces({})
    site.rows = [{"n": 1}, {"n": 2}, {"n": 1}]
    (second,) = source.pieces({"": first.cursor})
    assert second.body.columns == {"n": ["2"]}
    assert list(source.pieces({"": second.cursor})) == []


def test_cells_are_text_as_they_stand_and_empty_ones_are_nothing(rows_of):
    table = "<table><tr><th>id<th>price<tr><td> 007 <td>1,234.50<tr><td>8<td>&nbsp;</table>"
    assert rows_of(table) == [{"id": "007", "price": "1,234.50"}, {"id": "8", "price": None}]


def test_cells_that_span_lines_and_columns_are_in_each(rows_of):
    table = (
        "<table><tr><th>a<th>b<th>c</tr><tr><td rowspan=2>1<td colspan=2>2</tr>"
        "<tr><td>3<td>4</tr></table>"
    )
    assert rows_of(table) == [{"a": "1", "b": "2", "c": "2"}, {"a": "1", "b": "3", "c": "4"}]


def test_a_table_within_a_table_is_a_cell(rows_of):
    table = "<table id=o><tr><th>a<tr><td><table id=i><tr><th>b<tr><td>1</table></table>"
    assert rows_of(table, "#i") == [{"b": "1"}]
    assert rows_of(table, "#o") == [{"a": "b1"}]
    assert rows_of(table, 1) == [{"b": "1"}]


def test_a_column_without_a_name_gets_one(rows_of):
    assert rows_of("<table><tr><th><th>b<tr><td>1<td>2</table>") == [{"column_0": "1", "b": "2"}]


@pytest.mark.parametrize("which", [1, "#other", "td", "[[", "::nonsense"])
def test_a_table_that_is_not_there_is_an_error(rows_of, which):
    with pytest.raises(SourceError, match="there is no table"):
        rows_of("<table><tr><td>a</table>", which)


@pytest.mark.parametrize("page", ["", "\x00", "<", "<table>", "<table><tr></table>", "plain text"])
def test_a_page_that_is_none_adds_nothing_and_breaks_nothing(site, manners, page):
    site.pages["/page"] = (200, HTML, page)
    source = WebSource(f"{site.url}/page", 0, 0.0, manners)
    with suppress(SourceError):
        assert list(source.pieces({})) == []
