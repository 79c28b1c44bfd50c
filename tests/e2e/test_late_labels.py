"""Labels that come late raise an alert, and take one back, told to a real webhook."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

N_ROWS, N_REFERENCE, N_CALM = 300, 8, 5
WEEK = timedelta(days=7)

Window = dict[str, Any]

YAML = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns: {{target: late, prediction: p, time: at, id: id, numeric: [x]}}
    window: {{every: P7D}}
    performance: {{metric: accuracy}}
    retrain: {{when: []}}
notify: {{to: ['{address}']}}
tick: PT60S
"""

USUAL, FALLEN = 45, 90
"""Wrong predictions in a week."""


def week(start, number, n_wrong=USUAL):
    """Make a week whose first predictions are wrong."""
    rng = np.random.default_rng(500 + number)
    x = rng.normal(size=N_ROWS)
    said = x > 0
    late = np.where(np.arange(N_ROWS) < n_wrong, ~said, said)
    at = pd.Timestamp(start) + np.sort(rng.uniform(0, 7 * 86_400, N_ROWS)) * pd.Timedelta("1s")
    return pd.DataFrame(
        {
            "id": [f"w{number}-{i}" for i in range(N_ROWS)],
            "at": pd.DatetimeIndex(rng.permutation(at)).as_unit("us"),
            "x": x,
            "p": np.where(said, 0.9, 0.1),
            "late": late.astype(int),
        }
    ).sort_values("at")


@pytest.fixture
def story(new_home, serve_in, webhook, week_start):
    """A real server of a model whose weeks get the labels of three rows in five, at their end."""
    start = week_start(0)
    reference = [week(start + n * WEEK, n) for n in range(-N_REFERENCE, 0)]
    pd.concat(reference).to_parquet(new_home.folder / "reference.parquet")
    new_home.config.write_text(YAML.format(address=webhook.address))
    new_home.clock.set(start)
    with serve_in(new_home).client() as client:

        def live(number, labelled, n_wrong=USUAL) -> tuple[list[Window], pd.DataFrame]:
            rows = week(start + number * WEEK, number, n_wrong)
            new_home.clock.set(start + (number + 1) * WEEK)
            client.log_predictions("late", rows.drop(columns="late"), request_id=f"week {number}")
            return label(labelled(rows), f"labels {number}"), rows

        def label(rows, name) -> list[Window]:
            client.log_labels("late", rows[["id", "late"]], request_id=name)
            client.post("/v1/models/late/checks")
            return client.get("/v1/models/late/windows")

        for number in range(N_CALM):
            shown, _ = live(number, lambda rows: rows.sample(frac=0.6, random_state=1))
        assert [one["checks"]["performance"] for one in shown] == ["OK"] * N_CALM
        yield live, label, shown


def told(webhook):
    return [one["title"] for one in webhook.received if "performance" in one["title"]]


def wrong_first(rows):
    """Return three rows in five, those with wrong predictions first: complaints come early."""
    is_wrong = (rows["p"] > 0.5) != rows["late"].astype(bool)
    return rows.sort_values("late", key=lambda _: ~is_wrong, kind="stable").head(N_ROWS * 3 // 5)


def right_first(rows):
    is_wrong = (rows["p"] > 0.5) != rows["late"].astype(bool)
    return rows.sort_values("late", key=lambda _: is_wrong, kind="stable").head(N_ROWS * 3 // 5)


def test_once_it_is_known_that_labels_never_come_for_some_rows_they_are_not_waited_for(story):
    _, _, shown = story
    assert [(one["provisional"], one["n_labels"]) for one in shown] == [(False, 180)] * N_CALM
    assert shown[0]["revision"] == 2  # nothing came to it: the windows after it taught the lag


def test_a_late_label_takes_an_alert_back_and_people_are_told(story, webhook):
    live, label, _ = story
    shown, rows = live(N_CALM, wrong_first)
    assert (shown[-1]["provisional"], shown[-1]["checks"]["performance"]) == (False, "BREACH")
    assert told(webhook) == ["[late] performance has fallen"]
    early = wrong_first(rows)["id"]
    shown = label(rows[~rows["id"].isin(early)], "the rest")
    assert (shown[-1]["revision"], shown[-1]["n_labels"]) == (2, N_ROWS)
    assert shown[-1]["checks"]["performance"] == "OK"
    assert told(webhook)[1:] == ["[late] taken back: performance has fallen"]


def test_a_late_label_raises_an_alert_and_people_are_told(story, webhook):
    live, label, _ = story
    shown, rows = live(N_CALM, right_first, FALLEN)
    assert (shown[-1]["provisional"], shown[-1]["checks"]["performance"]) == (False, "OK")
    assert told(webhook) == []
    early = right_first(rows)["id"]
    shown = label(rows[~rows["id"].isin(early)], "the rest")
    assert shown[-1]["checks"]["performance"] == "BREACH"
    assert told(webhook) == ["[late] performance has fallen"]
