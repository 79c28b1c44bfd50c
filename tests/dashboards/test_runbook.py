"""Runbooks as pages."""

from pathlib import Path

import pytest

from dashboards.pages.runbook import runbook
from monitor.errors import NotFoundError

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"


@pytest.mark.parametrize("alert", sorted(file.stem for file in RUNBOOKS.glob("*.md")))
def test_every_runbook_is_a_page(alert):
    html = runbook(RUNBOOKS, alert)
    title = "Runbooks" if alert == "README" else alert
    assert html.startswith(f"<h1>{title}</h1>")


def test_the_list_leads_to_the_pages():
    html = runbook(RUNBOOKS, "README")
    assert '<td><a href="/runbooks/LeewayDrift">LeewayDrift</a></td>' in html


def test_what_is_no_runbook_is_not_read():
    with pytest.raises(NotFoundError, match="runbook"):
        runbook(RUNBOOKS, "../../CHANGELOG")


def test_html_in_a_runbook_is_text(tmp_path):
    (tmp_path / "Odd.md").write_text("# Odd\n\n<script>alert(1)</script>\n")
    assert "&lt;script&gt;" in runbook(tmp_path, "Odd")
