"""From a breach to people: real Prometheus, real Alertmanager, our files."""

import time

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
    assert "roc_auc 0." in first["text"]
    assert "http://127.0.0.1:8000/models/late" in first["text"]
    assert "http://127.0.0.1:8000/runbooks/LeewayPerformanceFallen" in first["text"]
    live(2)
    eventually(
        lambda: any(one["title"].startswith("Over: late: performance") for one in told(webhook)),
        "people are told that it is over",
        120,
    )


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
