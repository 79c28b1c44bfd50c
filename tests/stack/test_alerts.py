"""From a breach to people: real Prometheus, real Alertmanager, our files."""

import time
from datetime import timedelta

import httpx
import pytest

pytestmark = pytest.mark.stack

MOVED = {"by_x": 0.2, "by_y": 4.0}
AT_MOST_SECONDS = 30
"""15 is what we promise; a busy machine is no broken promise."""


@pytest.fixture
def live(home, server, made_up, week_start):
    """Live through a week over HTTP; returns when its verdict is there."""

    def through(number: int, **concept: float) -> None:
        frame = made_up(number, **concept)
        home.clock.set(week_start(number + 1))
        with server.client() as client:
            client.predict("late", frame.drop(columns="late"), request_id=f"week {number}")
            client.log_labels("late", frame[["id", "late"]], request_id=f"labels {number}")
            client.post("/v1/models/late/checks")

    return through


def told(webhook):
    return [one for message in webhook.received for one in message["attachments"]]


def test_a_breach_reaches_people_and_its_end_does(
    home, live, prometheus, webhook, eventually, capsys
):
    # News of a run would be told in an order that only Prometheus knows.
    assert home.cli("pause", "late").returncode == 0
    live(0)
    prometheus.wait_for_scrape()
    assert webhook.received == []
    live(1, **MOVED)
    began = time.monotonic()
    eventually(lambda: webhook.received, "people are told", AT_MOST_SECONDS)
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\nfrom the end of the cycle to the webhook: {seconds:.1f} s")  # noqa: T201 - the number is the point
    (first,) = told(webhook)
    assert first["title"] == "late: performance has fallen"
    measured = "Measured on the labels of the window until 2026-02-16 00:00 UTC: roc_auc 0."
    assert measured in first["text"]
    assert "http://127.0.0.1:8000/models/late" in first["text"]
    assert "http://127.0.0.1:8000/runbooks/LeewayPerformanceFallen" in first["text"]
    live(2)
    eventually(
        lambda: any(one["title"].startswith("Over: late: performance") for one in told(webhook)),
        "people are told that it is over",
        120,
    )


def message(webhook, title):
    """Return the text of a message; None until it has come."""
    return next((one["text"] for one in told(webhook) if one["title"] == title), None)


@pytest.fixture
def paused(home, prometheus):
    """The deployment, watched, in which no run is asked for."""
    assert home.cli("pause", "late").returncode == 0
    prometheus.wait_for_scrape()
    return home


@pytest.fixture
def send(server):
    """Send rows with their labels, and judge what is due."""

    def rows(frame, name: str) -> None:
        with server.client() as client:
            client.predict("late", frame.drop(columns="late"), request_id=name)
            client.log_labels("late", frame[["id", "late"]], request_id=f"labels of {name}")
            client.post("/v1/models/late/checks")

    return rows


def test_messages_name_the_columns_that_matter_and_what_is_broken_since_when(
    paused, send, webhook, eventually, made_up, week_start
):
    # Version 1 rests on x, and y has moved further.
    week = made_up(0, **MOVED).assign(x=lambda rows: rows["x"] + 1, y=lambda rows: rows["y"] + 3)
    paused.clock.set(week_start(1))
    send(week, "week 0")
    fallen, drifted = "late: performance has fallen", "late: the inputs have drifted"
    eventually(lambda: message(webhook, fallen) and message(webhook, drifted), "both are told", 60)
    assert "; columns that drifted and matter most: x, y" in message(webhook, fallen)
    assert "of the columns have drifted, most important x, y" in message(webhook, drifted)
    week, middle = made_up(1), week_start(1) + timedelta(days=4)
    week["x"] = week["x"].where(week["at"] < middle, 1000 * week["x"])
    paused.clock.set(week_start(2))
    send(week, "week 1")
    broken = "late: the data look broken"
    eventually(lambda: message(webhook, broken), "people are told of the incident", 60)
    first = week.loc[week["at"] >= middle, "at"].iloc[0]
    told_of = f"The feed looks broken: x (scale, since {first:%Y-%m-%d %H:%M} UTC). "
    assert told_of in message(webhook, broken)


FALLEN = "late: performance has fallen"


@pytest.fixture
def raised(paused, server, send, made_up, week_start):
    """Labels that come after those of a newer week, which is well, and say that the model fell."""
    older, newer = made_up(0, **MOVED), made_up(1)
    with server.client() as client:
        paused.clock.set(week_start(1))
        client.predict("late", older.drop(columns="late"), request_id="week 0")
        paused.clock.set(week_start(2))
        send(newer, "week 1")
        newest = client.get("/v1/models/late/windows")[-1]
        assert (newest["checks"]["performance"], newest["provisional"]) == ("OK", False)
        assert client.get("/v1/models/late/alerts") == []
        client.log_labels("late", older[["id", "late"]], request_id="late labels")
        client.post("/v1/models/late/checks")
    return server


STATUS = 'leeway_check_status{check="performance"}'


def test_an_alert_that_late_labels_raise_for_an_older_week_is_told_and_shown_alike(
    raised, home, prometheus, webhook, eventually, week_start
):
    eventually(lambda: message(webhook, FALLEN), "people are told of the older week", 60)
    until = f" of the window until {week_start(1):%Y-%m-%d %H:%M} UTC: "
    assert until in message(webhook, FALLEN)
    (line,) = [one for one in home.cli("status").stdout.splitlines() if one.split()[:1] == ["late"]]
    assert "performance" in line
    assert "Performance has fallen since" in httpx.get(f"{raised.url}/models/late").text
    assert prometheus.query(STATUS)[0]["value"][1] == "2"


def test_an_alert_that_later_rows_take_back_is_told_as_taken_back(
    raised, send, prometheus, webhook, eventually, made_up
):
    eventually(lambda: message(webhook, FALLEN), "people are told of the older week", 60)
    # So many rows of that week come later that those before count little.
    late = made_up(0, 20).assign(id=lambda rows: "more-" + rows["id"])
    send(late.assign(at=made_up(0)["at"].iloc[0]), "late rows")
    with raised.client() as client:
        (ended,) = client.get("/v1/models/late/alerts")
    assert (ended["check"], ended["ended_how"]) == ("performance", "retracted")
    back = "late: the alert about performance was taken back"
    eventually(lambda: message(webhook, back), "people are told that it is taken back", 60)
    assert "it is no breach after all: the alert is taken back, not over" in message(webhook, back)
    eventually(lambda: message(webhook, f"Over: {FALLEN}"), "Alertmanager resolves it", 120)
    assert prometheus.query(STATUS)[0]["value"][1] == "0"


def alert(name, model="late", severity="warning"):
    return {"alertname": name, "model": model, "severity": severity}


def test_alerts_of_one_model_are_one_message_and_those_of_another_are_not(
    alertmanager, webhook, eventually
):
    alertmanager.post(
        alert("LeewayDrift"), alert("LeewayCheckFailed"), alert("LeewayDrift", "other")
    )
    eventually(lambda: len(webhook.received) >= 2, "both models are told")
    titles = sorted(one["title"] for one in told(webhook))
    assert titles == ["LeewayCheckFailed; LeewayDrift", "LeewayDrift"]


@pytest.mark.parametrize(
    ("source", "kept_back", "heard"),
    [
        (
            alert("LeewayIncident", severity="critical"),
            [alert("LeewayDrift"), alert("LeewayPerformanceFallen", severity="critical")],
            [alert("LeewayDrift", "other"), alert("LeewayRetrainFailed")],
        ),
        (
            alert("LeewayCycleDead", severity="critical"),
            [alert("LeewayDrift"), alert("LeewayIncident"), alert("LeewayCycleLate")],
            [alert("LeewayDrift", "other"), {"alertname": "LeewayDiskLow", "severity": "critical"}],
        ),
        (
            {"alertname": "LeewayDown", "severity": "critical"},
            [alert("LeewayDrift"), alert("LeewayCycleDead"), {"alertname": "LeewayDiskLow"}],
            [{"alertname": "SomethingElse"}],
        ),
    ],
    ids=["an incident", "a dead cycle", "a server that is down"],
)
def test_what_only_echoes_another_alert_is_kept_back(
    alertmanager, eventually, source, kept_back, heard
):
    alertmanager.post(source, *kept_back, *heard)

    def states() -> dict[tuple[str, str | None], str]:
        found = {
            (a["labels"]["alertname"], a["labels"].get("model")): a for a in alertmanager.alerts()
        }
        return {key: one["status"]["state"] for key, one in found.items()}

    def key(labels: dict[str, str]) -> tuple[str, str | None]:
        return labels["alertname"], labels.get("model")

    expected = {key(one): "suppressed" for one in kept_back}
    expected |= {key(one): "active" for one in (source, *heard)}
    eventually(lambda: states() == expected, f"Alertmanager has {expected}", 30)
