"""Every query of every dashboard, asked of a real Prometheus as Grafana would ask it."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.stack

FOLDER = Path(__file__).parents[2] / "grafana" / "dashboards"
MODEL = "late"
WEEKS_UNTIL_PROMOTED = 8
REFERENCE_WEEKS = 10

WITHOUT_DATA = (
    # All columns of the story's model are exported.
    "leeway_columns_not_exported",
)
"""Parts of queries that have nothing to show in the story."""


@dataclass(frozen=True)
class Asked:
    """One query of a dashboard."""

    where: str
    expression: str
    legend: str = ""
    instant: bool = False

    def substituted(self, seconds: int) -> str:
        """Return the query as Grafana sends it, for a time range of so many seconds."""
        values = {
            "__rate_interval": "4s",
            "__interval": "1s",
            "__range": f"{seconds}s",
            "job": "leeway",
            "model": MODEL,
            "column": ".+",
            "metric": "roc_auc",
            "instance": ".+",
        }
        return re.sub(r"\$\{?(\w+)\}?", lambda found: values[found[1]], self.expression)


def shipped() -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))]


def panels_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield from panel.get("panels", []) if panel["type"] == "row" else [panel]


def queries_of(board: dict[str, Any]) -> Iterator[Asked]:
    for panel in panels_of(board):
        for target in panel["targets"]:
            yield Asked(
                f"{board['uid']}: {panel['title']}, {target['refId']}",
                target["expr"],
                target.get("legendFormat", ""),
                target["instant"],
            )
    for mark in board["annotations"]["list"]:
        where = f"{board['uid']}: annotation {mark['name']}"
        yield Asked(where, mark["target"]["expr"], mark["titleFormat"])


def variables_of(board: dict[str, Any]) -> Iterator[tuple[str, Asked, str]]:
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            asked = variable["query"]["query"]
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", asked)
            assert found, asked
            yield f"{board['uid']}: ${variable['name']}", Asked("", found[1]), found[2]


def wrong_with(asked: Asked, prometheus: Any, began: float) -> str | None:
    """Ask a query over the story, and say what is wrong with the answer."""
    now = time.time()
    query = asked.substituted(int(now - began))
    try:
        if asked.instant:
            result = prometheus.query(query, time=str(now))
        else:
            result = prometheus.query_range(query, start=str(began), end=str(now), step="1")
    except AssertionError as error:
        return f"{asked.where}: {error}"
    values = [v for one in result for _, v in one.get("values", [one.get("value")])]
    if "NaN" in values:
        return f"{asked.where}: NaN is shown as a number: {query}"
    if not result:
        excused = any(part in asked.expression for part in WITHOUT_DATA)
        return None if excused else f"{asked.where}: no data: {query}"
    named = set(re.findall(r"\{\{(\w+)\}\}", asked.legend))
    lacking = [one["metric"] for one in result if not named <= set(one["metric"])]
    return f"{asked.where}: a legend without a label: {lacking}" if lacking else None


@pytest.fixture
def home(learned, new_home, made_up, week_start):
    """A model whose reference has weeks enough to estimate performance without labels."""
    made_up(-REFERENCE_WEEKS, REFERENCE_WEEKS).to_parquet(new_home.folder / "reference.parquet")
    new_home.config.write_text(learned.config.read_text())
    new_home.clock.set(week_start(0))
    return new_home


@pytest.fixture
def story(home, server, made_up, week_start, start_prometheus, eventually):
    """A Prometheus that has seen drift, a broken feed, a promotion and a rollback."""
    prometheus = start_prometheus({"leeway": [server.url]})
    prometheus.wait_for_scrape(eventually)
    began = time.time()
    with server.client() as client:

        def live(number, frame) -> None:
            home.clock.set(week_start(number + 1))
            rows = frame.drop(columns="late")
            client.predict(MODEL, rows, request_id=f"week {number}", durable=True)
            prometheus.wait_for_scrape(eventually)  # the predecessor predicts them a moment later
            client.log_labels(MODEL, frame[["id", "late"]], request_id=f"labels {number}")
            client.post(f"/v1/models/{MODEL}/checks")
            eventually(lambda: not client.get(f"/v1/models/{MODEL}/requests"), "no run goes on")
            prometheus.wait_for_scrape(eventually)

        live(0, made_up(0))
        live(1, made_up(1).assign(x=lambda rows: rows["x"] + 5, g="d"))
        live(2, made_up(2).assign(g=None))
        for number in range(3, WEEKS_UNTIL_PROMOTED):
            live(number, made_up(number, by_x=1.0, by_y=4.0))
            if any(run["outcome"] == "promoted" for run in client.get(f"/v1/models/{MODEL}/runs")):
                break
        else:
            pytest.fail("no challenger was promoted")
        live(number + 1, made_up(number + 1, by_x=1.0, by_y=4.0))  # on probation
        client.post(f"/v1/models/{MODEL}/rollback")
        live(number + 2, made_up(number + 2))  # the version that serves again is estimated, too
        for _ in range(3):  # a change is seen between two scrapes, and asked for every second
            prometheus.wait_for_scrape(eventually)
        yield prometheus, began


def test_every_query_parses_and_has_the_data_and_the_labels_that_its_panel_shows(story):
    prometheus, began = story
    asked = [query for board in shipped() for query in queries_of(board)]
    wrong = [problem for one in asked if (problem := wrong_with(one, prometheus, began))]
    for where, one, label in (found for board in shipped() for found in variables_of(board)):
        matching = prometheus.query(f"count by ({label}) ({one.substituted(1)})")
        if not matching or not all(series["metric"].get(label) for series in matching):
            wrong.append(f"{where}: nothing to choose from: {one.expression}")
    assert not wrong, "\n".join(wrong)
    assert len(asked) > 50
    check_what_is_told(prometheus, began)


def check_what_is_told(prometheus, began):
    """The annotations tell the story, in its order."""
    model = json.loads((FOLDER / "leeway-model.json").read_text())
    first = {}
    for mark in model["annotations"]["list"]:
        one = Asked("", mark["target"]["expr"])
        seconds = int(time.time() - began)
        found = prometheus.query_range(
            one.substituted(seconds), start=str(began), end=str(time.time()), step="1"
        )
        first[mark["name"]] = min(float(at) for series in found for at, _ in series["values"])
    assert first["Incidents"] < first["Promotions"] < first["Rollbacks"]
    assert first["Retrain runs"] <= first["Promotions"] + 4
