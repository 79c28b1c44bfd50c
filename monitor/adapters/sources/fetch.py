"""Fetch: one page over HTTP, asked for politely and more than once."""

import email.utils
import importlib.metadata
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from monitor.errors import SourceError

USER_AGENT = f"leeway/{importlib.metadata.version('leeway-ml')}"

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
"""A server that wants a longer pause is asked again in a later collection."""

MAX_BYTES = 64 << 20
"""A page of more is not rows but a mistake."""


def shown(url: str) -> str:
    """Return an address as it may stand in a message: without user, key or fragment.

    Examples
    --------
    >>> shown("https://me:secret@example.org/rows?key=secret#top")
    'https://example.org/rows'
    """
    plain = httpx.URL(url)
    return str(plain.copy_with(username=None, password=None, query=None, fragment=None))


@dataclass(frozen=True)
class Fetch:
    """Gets pages: retries what may pass, waits as long as it is told, follows no redirect.

    Parameters
    ----------
    headers : mapping of str to str
        Sent with every request.
    timeout_seconds : float
        For connecting, and for each pause of the answer.
    pause : callable
        Waits for a number of seconds.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 30.0
    pause: Callable[[float], object] = time.sleep

    def get(self, url: str) -> httpx.Response:
        """Return the answer to a GET, whose status is below 500 and not 429.

        Raises
        ------
        SourceError
            If there is none after some attempts.
        """
        for attempt in range(ATTEMPTS):
            seconds = FIRST_PAUSE_SECONDS * 2**attempt
            try:
                answer = self._get(url)
            except httpx.HTTPError as error:
                problem, wanted = f"{type(error).__name__}: {error}", None
            else:
                if not _may_pass(answer):
                    return answer
                problem, wanted = f"answers {answer.status_code}", _retry_after(answer)
            seconds = max(seconds, wanted or 0.0)
            if attempt + 1 == ATTEMPTS or seconds > LONGEST_PAUSE_SECONDS:
                break
            self.pause(seconds)
        raise SourceError(f"{shown(url)}: {problem}", retry_after_seconds=wanted)

    def good(self, url: str) -> httpx.Response:
        """Return the answer to a GET, which is a success.

        Raises
        ------
        SourceError
            If it is not.
        """
        answer = self.get(url)
        if answer.is_redirect:
            target = shown(str(httpx.URL(url).join(answer.headers.get("location", ""))))
            raise SourceError(f"{shown(url)}: has moved to {target}; write that in leeway.yaml")
        if not answer.is_success:
            raise SourceError(f"{shown(url)}: answers {answer.status_code} {answer.reason_phrase}")
        return answer

    def _get(self, url: str) -> httpx.Response:
        headers = {"User-Agent": USER_AGENT, **self.headers}
        with (
            httpx.Client(headers=headers, timeout=self.timeout_seconds) as client,
            client.stream("GET", url) as answer,
        ):
            content = bytearray()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise SourceError(
                        f"{shown(url)}: more than {MAX_BYTES >> 20} MiB; ask for smaller pages"
                    )
        # The content is decoded already, so what said how it was encoded must not stay.
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        }
        return httpx.Response(
            answer.status_code, headers=kept, content=bytes(content), request=answer.request
        )


def _may_pass(answer: httpx.Response) -> bool:
    return answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS


def _retry_after(answer: httpx.Response) -> float | None:
    """Return the seconds that a server wants to be left alone: a number, or until a date."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
