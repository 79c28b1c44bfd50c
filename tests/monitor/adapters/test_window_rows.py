"""How the windows that a scrape shows are found, in a history of any length."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import sqlite

from monitor.adapters import tables as t
from monitor.adapters.window_rows import (
    FINAL,
    SCORED,
    broken_windows,
    newest,
    newest_before,
    open_alerts,
)

SOME = ["a", "b"]


@pytest.mark.parametrize(
    "query",
    [newest(SOME), newest(SOME, SCORED), newest(SOME, SCORED, FINAL), newest_before(SOME),
     open_alerts(), broken_windows()],
    ids=["newest", "scored", "final", "before", "alerts", "broken"],
)  # fmt: skip
def test_sqlite_finds_windows_on_an_index_and_never_goes_through_all_of_them(query):
    engine = create_engine("sqlite://")
    t.metadata.create_all(engine)
    asked = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        steps = [row[3] for row in connection.execute(text(f"explain query plan {asked}"))]
    large = ("windows", "candidate", "incident_window", "revisions", "candidate_revision", "scores")
    assert any(step.startswith("SEARCH") for step in steps)
    assert [step for step in steps if step.startswith("SCAN") and step.split()[1] in large] == []
