"""Every query of every dashboard, asked of a real Prometheus as Grafana would ask it."""

import time

import pytest

from tests.query import Look

pytestmark = pytest.mark.stack

MODEL = "late"
WEEKS_UNTIL_PROMOTED = 8
REFERENCE_WEEKS = 10

MAY_BE_EMPTY = {
    "leeway_columns_not_exported": "all columns of the story's model are exported",
    "leeway_shadow_rows_failed_total": "each version of the story predicts every row",
    "leeway_shadow_rows_dropped_total": "there is time for all rows of the story",
    "leeway_incident_since_timestamp_seconds": "the feed is whole in the newest week",
    "leeway_multivariate_drop": "columns come together as before in the newest week",
    "leeway_column_rank": "the newest week does not breach: nothing is ranked",
}


@pytest.fixture
def home(learned, new_home, made_up, week_start):
    """A model whose reference has weeks enough to estimate performance without labels."""
    made_up(-REFERENCE_WEEKS, REFERENCE_WEEKS).to_parquet(new_home.folder / "reference.parquet")
    new_home.config.write_text(learned.config.read_text())
    new_home.clock.set(week_start(0))
    return new_home


@pytest.fixture
def story(home, server, made_up, week_start, start_prometheus, eventually):
    """What Grafana shows of drift, a broken feed, a promotion and a rollback."""
    prometheus = start_prometheus({"leeway": [server.url]})
    began = time.time()
    with server.client() as client:

        def live(number, frame) -> None:
            home.clock.set(week_start(number + 1))
            rows = frame.drop(columns="late")
            client.predict(MODEL, rows, request_id=f"week {number}", durable=True)
            prometheus.wait_for_scrape()  # the predecessor predicts them a moment later
            client.log_labels(MODEL, frame[["id", "late"]], request_id=f"labels {number}")
            client.post(f"/v1/models/{MODEL}/checks")
            eventually(lambda: not client.get(f"/v1/models/{MODEL}/requests"), "no run goes on")
            prometheus.wait_for_scrape()

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
            prometheus.wait_for_scrape()
        yield Look(prometheus, MODEL, began, prometheus.last_scrape())


def test_every_query_parses_and_has_the_data_and_the_labels_that_its_panel_shows(story):
    problems = story.problems(MAY_BE_EMPTY)
    assert not problems, "\n".join(problems)
    check_what_is_told(story)


def check_what_is_told(story):
    """The annotations tell the story, in its order."""
    first = {name: min(at for at, _ in marked) for name, marked in story.marks().items()}
    assert first["Incidents"] < first["Promotions"] < first["Rollbacks"]
    assert first["Retrain runs"] <= first["Promotions"] + 4
