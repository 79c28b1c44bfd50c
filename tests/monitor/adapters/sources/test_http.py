"""The HTTP source: what it waits for, what it gives up on, and where it does not go."""

import json
import time
from email.utils import format_datetime

import pytest

from monitor.adapters.sources.fetch import MAX_BYTES, USER_AGENT, Fetch
from monitor.adapters.sources.http import CursorField, HttpSource, NextLink, OnePage, PageNumber
from monitor.errors import SourceError

PAGE_ROWS = 7


@pytest.fixture
def waits():
    """The seconds that were waited, or would have been."""
    return []


@pytest.fixture
def fetch(waits):
    return Fetch(pause=waits.append)


def numbers(source, cursors):
    found = []
    for piece in source.pieces(cursors):
        cursors[piece.place] = piece.cursor
        found += piece.body.columns["n"] if piece.body else []
    return found


def fill(site, n_rows):
    site.rows = [{"n": n} for n in range(n_rows)]


def served(site, path, document, status=200, **headers: str):
    site.pages[path] = (
        status,
        headers,
        document if isinstance(document, str) else json.dumps(document),
    )


def test_a_server_that_is_busy_is_asked_again(site, fetch, waits):
    fill(site, 3)
    site.n_failures = 2
    assert numbers(HttpSource(f"{site.url}/all", "", OnePage(), fetch), {}) == [0, 1, 2]
    assert waits == [1.0, 2.0]
    assert site.agents == {USER_AGENT}


def test_as_long_is_waited_as_the_server_wants(site, fetch, waits):
    fill(site, 3)
    site.n_failures, site.retry_after = 1, "7"
    numbers(HttpSource(f"{site.url}/all", "", OnePage(), fetch), {})
    assert waits == [7.0]


def test_a_server_that_wants_a_long_pause_is_left_alone_until_then(site, fetch, waits):
    site.away, site.retry_after = True, "900"
    with pytest.raises(SourceError, match="answers 503") as failed:
        numbers(HttpSource(f"{site.url}/all", "", OnePage(), fetch), {})
    assert failed.value.retry_after_seconds == 900
    assert len(site.asked) == 1
    assert waits == []


def test_a_date_to_come_back_at_is_understood(site, fetch, flights):
    later = flights(0, 1)["at"][0].to_pydatetime().replace(year=2125)
    site.away, site.retry_after = True, format_datetime(later)
    with pytest.raises(SourceError) as failed:
        numbers(HttpSource(f"{site.url}/all", "", OnePage(), fetch), {})
    assert failed.value.retry_after_seconds > 90 * 365 * 86_400


def test_a_refusal_is_not_asked_again(site, fetch):
    site.token = "another"
    with pytest.raises(SourceError, match="answers 401"):
        numbers(HttpSource(f"{site.url}/all", "", OnePage(), fetch), {})
    assert len(site.asked) == 1


def test_pages_that_go_in_a_circle_are_an_error_and_their_rows_are_kept(site, fetch):
    served(site, "/a", {"rows": [{"n": 1}], "next": "/b"})
    served(site, "/b", {"rows": [{"n": 2}], "next": "/a"})
    found = HttpSource(f"{site.url}/a", "rows", NextLink("next"), fetch).pieces({})
    assert [next(found).body.columns["n"], next(found).body.columns["n"]] == [[1], [2]]
    with pytest.raises(SourceError, match="/a: the pages go in a circle"):
        next(found)


def test_a_next_page_on_another_host_is_not_asked_for(site, fetch):
    served(site, "/a", {"rows": [{"n": 1}], "next": "http://evil.example/rows"})
    with pytest.raises(SourceError, match=r"on another host, evil.example"):
        numbers(HttpSource(f"{site.url}/a", "rows", NextLink("next"), fetch), {})


def test_a_redirect_is_not_followed_but_named(site, fetch):
    served(site, "/a", "", 301, Location="https://shop.example/new?key=secret")
    with pytest.raises(SourceError, match=r"has moved to https://shop.example/new; write that"):
        numbers(HttpSource(f"{site.url}/a", "", OnePage(), fetch), {})


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("<html>", "the answer is not JSON"),
        ({"rows": {"a": 1}}, "expected a list of row objects at 'rows'"),
        ({"rows": [1]}, "expected a list of row objects at 'rows'"),
        ({}, "expected a list of row objects at 'rows'"),
    ],
)
def test_an_answer_that_is_not_rows_is_an_error(site, fetch, document, expected):
    served(site, "/a", document)
    with pytest.raises(SourceError, match=expected):
        numbers(HttpSource(f"{site.url}/a", "rows", OnePage(), fetch), {})


def test_an_endless_answer_is_cut_off(site, fetch):
    served(site, "/a", " " * (MAX_BYTES + 1))
    with pytest.raises(SourceError, match="more than 64 MiB; ask for smaller pages"):
        numbers(HttpSource(f"{site.url}/a", "", OnePage(), fetch), {})


def test_a_server_that_does_not_answer_is_given_up(waits):
    began = time.monotonic()
    source = HttpSource("http://192.0.2.1/rows", "", OnePage(), Fetch({}, 0.2, waits.append))
    with pytest.raises(SourceError, match=r"http://192.0.2.1/rows: "):
        numbers(source, {})
    assert time.monotonic() - began < 10


def test_only_the_newest_page_is_asked_for_again(site, fetch):
    fill(site, 3 * PAGE_ROWS)
    cursors: dict[str, object] = {}
    for paging, path in (
        (PageNumber("page", PAGE_ROWS), "pages"),
        (NextLink("links.next"), "links"),
        (CursorField("after", "meta.next_cursor"), "cursors"),
    ):
        cursors.clear()
        source = HttpSource(f"{site.url}/{path}", "data.items", paging, fetch)
        assert numbers(source, cursors) == list(range(21))
        site.asked.clear()
        assert numbers(source, cursors) == []
        assert len(site.asked) <= 2


def test_a_list_that_is_empty_for_once_makes_nothing_come_twice(site, fetch):
    fill(site, 3)
    source, cursors = HttpSource(f"{site.url}/all", "", OnePage(), fetch), {}
    assert numbers(source, cursors) == [0, 1, 2]
    fill(site, 0)
    assert numbers(source, cursors) == []
    fill(site, 4)
    assert numbers(source, cursors) == [3]
