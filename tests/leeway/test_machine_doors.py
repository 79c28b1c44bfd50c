"""What other programs ask of every process, over real HTTP."""

import re

import httpx
import pytest


def names(text):
    return set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))


def scrape(server, **headers: str) -> str:
    return httpx.get(f"{server.url}/metrics", headers=headers).raise_for_status().text


def test_a_worker_with_a_port_shows_the_runs_and_its_process_and_is_ready(serve):
    worker = serve("--role", "worker")
    found = names(scrape(worker))
    assert {"leeway_retrain_runs_total", "process_resident_memory_bytes"} <= found
    assert "leeway_check_status" not in found
    assert httpx.get(f"{worker.url}/readyz").json() == {"status": "ready"}


def test_a_worker_with_a_key_shows_its_metrics_to_whoever_has_it(serve):
    worker = serve("--role", "worker", LEEWAY_API_KEY="secret")
    assert httpx.get(f"{worker.url}/metrics").status_code == 401
    assert names(scrape(worker, Authorization="Bearer secret"))
    assert httpx.get(f"{worker.url}/healthz").status_code == 200


def test_a_worker_refuses_to_listen_beyond_loopback_without_a_key(home):
    refused = home.cli("serve", "--role", "worker", "--host", "0.0.0.0", "--port", "1")
    assert refused.returncode == 2
    assert "LEEWAY_API_KEY" in refused.stderr


def test_a_server_shows_the_memory_of_the_worker_beside_it(serve, eventually):
    server = serve()
    eventually(
        lambda: "leeway_worker_process_resident_memory_bytes" in names(scrape(server)),
        "the worker's memory is shown",
    )


@pytest.mark.parametrize("role", ["api", "scheduler"])
def test_every_role_shows_what_is_recorded(serve, role):
    assert {"leeway_check_status", "leeway_champion_info"} <= names(scrape(serve("--role", role)))


def test_requests_are_counted_by_the_pattern_of_their_route(app, made_up, week_start):
    app.clock.set(week_start(1))
    with app.http() as client:
        rows = made_up(0).drop(columns="late").to_csv(index=False)
        csv = {"Content-Type": "text/csv"}
        assert client.post("/v1/models/late/predict", content=rows, headers=csv).is_success
        assert client.post("/v1/models/late/labels", content="id,late\nw0-1,1\n", headers=csv)
        for path in ("/v1/models/late", "/v1/models/nobody", "/made/up", "/made/up/too"):
            client.get(path)
        client.request("FROB", "/made/up")
        text = client.get("/metrics").text
    counted = dict(re.findall(r"^leeway_http_requests_total\{(.*)\} (\S+)$", text, re.MULTILINE))
    assert counted == {
        'method="POST",route="/v1/models/{model}/predict",status="200"': "1.0",
        'method="POST",route="/v1/models/{model}/labels",status="202"': "1.0",
        'method="GET",route="/v1/models/{model}",status="200"': "1.0",
        'method="GET",route="/v1/models/{model}",status="404"': "1.0",
        'method="GET",route="none",status="404"': "2.0",
        'method="other",route="none",status="404"': "1.0",
    }
    assert 'leeway_http_request_duration_seconds_count{method="GET",route="none"} 2.0' in text
