"""Real Prometheus and Alertmanager on loopback, with the files that ship."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from leeway.demo.run import free_port
from tests.program import program, running
from tests.prometheus import SHIPPED, Prometheus, running_prometheus


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool."""
    return program("promtool")


@pytest.fixture(scope="session")
def amtool() -> str:
    """The path of amtool."""
    return program("amtool")


@pytest.fixture(scope="session")
def run_tool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program to its end, and return what it said."""

    def run(*command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager.

    Parameters
    ----------
    url : str
        Where it answers.
    """

    url: str

    def post(self, *labels: Mapping[str, str]) -> None:
        """Report firing alerts, as Prometheus does."""
        alerts = [
            {"labels": dict(one), "annotations": {"summary": one["alertname"]}} for one in labels
        ]
        httpx.post(f"{self.url}/api/v2/alerts", json=alerts).raise_for_status()

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts it knows, those that are inhibited too."""
        answer = httpx.get(f"{self.url}/api/v2/alerts").raise_for_status()
        return list(answer.json())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Start programs that answer /-/ready; they are stopped in the end."""
    with ExitStack() as started:
        yield lambda url, *command: started.enter_context(running(url, tmp_path, *command))


@pytest.fixture
def start_alertmanager(tmp_path: Path, start: Callable[..., None]) -> Callable[[str], Alertmanager]:
    """Start Alertmanager with our file; people are told at the address given.

    Only the time between two messages about one model is shorter than ours.
    """
    binary = program("prometheus-alertmanager", "alertmanager")

    def start_it(webhook_address: str) -> Alertmanager:
        folder = tmp_path / f"alertmanager-{free_port()}"
        shutil.copytree(SHIPPED, folder)
        (folder / "webhook_url").write_text(webhook_address)
        file = folder / "alertmanager.yml"
        config = yaml.safe_load(file.read_text())
        config["global"]["slack_api_url_file"] = str(folder / "webhook_url")
        config["route"]["group_interval"] = "5s"
        file.write_text(yaml.safe_dump(config))
        address = f"127.0.0.1:{free_port()}"
        start(
            f"http://{address}",
            binary,
            f"--config.file={file}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        )
        return Alertmanager(f"http://{address}")

    return start_it


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """Start Prometheus with our file, on the targets given by job, and wait for its scrape."""
    with ExitStack() as started:

        def start_it(
            targets: Mapping[str, Sequence[str]], alertmanager: str | None = None
        ) -> Prometheus:
            folder = tmp_path / f"prometheus-{free_port()}"
            prometheus = started.enter_context(running_prometheus(folder, targets, alertmanager))
            prometheus.wait_for_scrape()
            return prometheus

        yield start_it


@pytest.fixture
def server(home: Any, serve: Callable[..., Any]) -> Any:
    """A running `leeway serve` that leaves telling people to Alertmanager."""
    home.configure("tick:", "notify: {via: alertmanager}\ntick:")
    return serve()


@pytest.fixture
def alertmanager(start_alertmanager: Callable[[str], Alertmanager], webhook: Any) -> Alertmanager:
    """A running Alertmanager that tells the webhook."""
    return start_alertmanager(f"http://127.0.0.1:{webhook.port}/alerts")


@pytest.fixture
def prometheus(
    start_prometheus: Callable[..., Prometheus], server: Any, alertmanager: Alertmanager
) -> Prometheus:
    """A running Prometheus that scrapes the server and tells Alertmanager."""
    return start_prometheus({"leeway": [server.url]}, alertmanager.url)
