"""Real Prometheus and Alertmanager on loopback, with the files that ship."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from leeway.demo.run import free_port

SHIPPED = Path(__file__).parents[2] / "prometheus"
PATIENCE_SECONDS = 60.0


def program(*names: str, package: str) -> str:
    """Return the path of a program by any of its names; in CI a missing one is a failure."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{names[0]} is missing; install the package {package}")
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool."""
    return program("promtool", package="prometheus")


@pytest.fixture(scope="session")
def amtool() -> str:
    """The path of amtool."""
    return program("amtool", package="prometheus-alertmanager")


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


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus that scrapes and evaluates every second.

    Parameters
    ----------
    url : str
        Where it answers.
    """

    url: str

    def query(self, expression: str, **parameters: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; fails on one that cannot be evaluated."""
        return list(self.get("query", query=expression, **parameters)["result"])

    def query_range(self, expression: str, **parameters: str) -> list[dict[str, Any]]:
        """Return the result of a range query (start, end, step)."""
        return list(self.get("query_range", query=expression, **parameters)["result"])

    def values(self, expression: str, label: str = "model") -> dict[str, float]:
        """Return an instant query's values by one label."""
        return {
            one["metric"].get(label, ""): float(one["value"][1]) for one in self.query(expression)
        }

    def get_names(self) -> list[str]:
        """Return the names of all metrics it has."""
        answer = httpx.get(f"{self.url}/api/v1/label/__name__/values").raise_for_status()
        return list(answer.json()["data"])

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self.get("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def wait_for_scrape(self, eventually: Callable[..., None]) -> None:
        """Wait until every target has been scraped from now on, without an error."""
        before = {one["scrapeUrl"]: one["lastScrape"] for one in self._targets()}

        def scraped() -> bool:
            found = self._targets()
            return bool(found) and all(
                one["health"] == "up" and one["lastScrape"] != before.get(one["scrapeUrl"])
                for one in found
            )

        eventually(scraped, "Prometheus has scraped every target")

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Ask its API and return the data; fails with Prometheus's own words."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", f"{parameters}: {answer['error']}"
        return dict(answer["data"])

    def _targets(self) -> list[dict[str, Any]]:
        return list(self.get("targets", state="active")["activeTargets"])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Start programs that answer /-/ready; they are stopped in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(url: str, eventually: Callable[..., None], *command: str) -> None:
        output = tmp_path / f"{Path(command[0]).name}.log"
        with output.open("ab") as log:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        started.append(process)

        def ready() -> bool:
            assert process.poll() is None, output.read_text()
            try:
                return httpx.get(f"{url}/-/ready").is_success
            except httpx.TransportError:
                return False

        eventually(ready, f"{command[0]} answers")

    yield start_one
    for process in reversed(started):
        process.terminate()
    for process in started:
        process.wait(PATIENCE_SECONDS)


@pytest.fixture
def start_alertmanager(
    tmp_path: Path, start: Callable[..., None], eventually: Callable[..., None]
) -> Callable[[str], Alertmanager]:
    """Start Alertmanager with our file; people are told at the address given.

    Only the time between two messages about one model is shorter than ours.
    """
    binary = program("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")

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
            eventually,
            binary,
            f"--config.file={file}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        )
        return Alertmanager(f"http://{address}")

    return start_it


@pytest.fixture
def start_prometheus(
    tmp_path: Path, start: Callable[..., None], eventually: Callable[..., None]
) -> Callable[..., Prometheus]:
    """Start Prometheus with our file, on the targets given by job."""
    binary = program("prometheus", package="prometheus")

    def start_it(
        targets: Mapping[str, Sequence[str]], alertmanager: Alertmanager | None = None
    ) -> Prometheus:
        folder = tmp_path / f"prometheus-{free_port()}"
        shutil.copytree(SHIPPED, folder)
        file = folder / "prometheus.yml"
        config = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(on_loopback(config, targets, alertmanager)))
        address = f"127.0.0.1:{free_port()}"
        start(
            f"http://{address}",
            eventually,
            binary,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
        )
        return Prometheus(f"http://{address}")

    return start_it


def on_loopback(
    config: dict[str, Any],
    targets: Mapping[str, Sequence[str]],
    alertmanager: Alertmanager | None,
) -> dict[str, Any]:
    """Return our configuration with other addresses and a second between scrapes."""
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    alertmanagers = [] if alertmanager is None else [alertmanager.url.removeprefix("http://")]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": alertmanagers}]
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in targets]
    for job in jobs:
        urls = targets[job["job_name"]]
        job["static_configs"] = [{"targets": [url.removeprefix("http://") for url in urls]}]
        job.pop("authorization", None)
    config["scrape_configs"] = jobs
    return config


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
    start_prometheus: Callable[..., Prometheus],
    server: Any,
    alertmanager: Alertmanager,
    eventually: Callable[..., None],
) -> Prometheus:
    """A running Prometheus that scrapes the server and tells Alertmanager."""
    running = start_prometheus({"leeway": [server.url]}, alertmanager)
    running.wait_for_scrape(eventually)
    return running
