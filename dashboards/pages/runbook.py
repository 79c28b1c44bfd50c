"""Runbook: what to do about an alert, as a page; written as Markdown under docs/runbooks."""

import re
from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from monitor.errors import NotFoundError

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_PAGE = re.compile(r"(\w+)\.md")


def runbook(folder: Path, alert: str) -> Markup:
    """Return an alert's runbook as HTML.

    Parameters
    ----------
    folder : Path
        Where the runbooks lie.
    alert : str
        Name of the alert; ``README`` has the list of all.

    Raises
    ------
    NotFoundError
        If no alert has this name.
    """
    known = {file.stem: file for file in folder.glob("*.md")}
    if alert not in known:
        raise NotFoundError("runbook", alert)
    tokens = _MARKDOWN.parse(known[alert].read_text(encoding="utf-8"))
    _point_to_pages(tokens)
    # Safe: the files ship with Leeway, and HTML in them is escaped.
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704


def _point_to_pages(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type == "link_open" and (page := _PAGE.fullmatch(str(token.attrGet("href")))):
            token.attrSet("href", f"/runbooks/{page[1]}")
        _point_to_pages(token.children or [])
