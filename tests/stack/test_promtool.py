"""Prometheus's own tool on the metrics of a running server."""

import subprocess

import httpx
import pytest


@pytest.mark.stack
def test_promtool_accepts_the_metrics_before_and_after_there_is_data(
    promtool, home, serve, made_up, week_start
):
    server = serve("--role", "api")
    with server.client() as client:
        for frame in (None, made_up(0)):
            if frame is not None:
                home.clock.set(week_start(1))
                client.predict("late", frame.drop(columns="late"))
                client.log_labels("late", frame[["id", "late"]], request_id="labels")
                client.post("/v1/models/late/checks")
            text = httpx.get(f"{server.url}/metrics").raise_for_status().text
            checked = subprocess.run(
                [promtool, "check", "metrics"],
                input=text,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
