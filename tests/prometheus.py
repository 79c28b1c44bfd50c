"""Prometheus for tests: a real server on loopback, with the files that ship."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from leeway.demo.run import free_port
from tests.patience import eventually
from tests.program import program, running

SHIPPED = Path(__file__).parents[1] / "prometheus"


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus.

    Parameters
    ----------
    http : Client
        Connections to it.
    interval_ms : int
        Milliseconds between two scrapes.
    """

    http: httpx.Client
    interval_ms: int

    def query(self, expression: str, **parameters: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; fails on one that cannot be evaluated."""
        return list(self.get("query", query=expression, **parameters)["result"])

    def query_range(self, expression: str, **parameters: str) -> list[dict[str, Any]]:
        """Return the result of a range query (start, end, step)."""
        return list(self.get("query_range", query=expression, **parameters)["result"])

    def get_names(self) -> list[str]:
        """Return the names of all metrics it has, and of those that have no series now."""
        stored = self.http.get("/api/v1/label/__name__/values").raise_for_status()
        told = self.http.get("/api/v1/metadata").raise_for_status()
        return [*stored.json()["data"], *told.json()["data"]]

    def wait_for_scrape(self) -> None:
        """Wait until every target has been scraped from now on, without an error."""
        before = {one["scrapeUrl"]: one["lastScrape"] for one in self._targets()}

        def scraped() -> bool:
            found = self._targets()
            return bool(found) and all(
                one["health"] == "up" and one["lastScrape"] != before.get(one["scrapeUrl"])
                for one in found
            )

        eventually(scraped, "Prometheus has scraped every target")

    def last_scrape(self) -> float:
        """Return when Leeway last answered a scrape, in seconds since 1970."""
        up = 'up{job="leeway"}'
        # Not the time at which it is asked: a scrape may be under way that comes to nothing.
        answered = f"(timestamp({up}) and {up} == 1)[1h:{self.interval_ms}ms]"
        (found,) = self.query(f"max(max_over_time({answered}))")
        return float(found["value"][1])

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Ask its API and return the data; fails with Prometheus's own words."""
        answer = self.http.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", f"{parameters}: {answer['error']}"
        return dict(answer["data"])

    def _targets(self) -> list[dict[str, Any]]:
        return list(self.get("targets", state="active")["activeTargets"])


@contextmanager
def running_prometheus(
    folder: Path,
    targets: Mapping[str, Sequence[str]],
    alertmanager: str | None = None,
    interval_ms: int = 1000,
) -> Iterator[Prometheus]:
    """Run Prometheus with our file, but for addresses and the time between scrapes.

    Parameters
    ----------
    folder : Path
        New folder for it.
    targets : mapping of str to sequence of str
        By job what is scraped.
    alertmanager : str or None
        Address of who is told of alerts.
    interval_ms : int
        Milliseconds between two scrapes; rules are evaluated every second.
    """
    binary = program("prometheus")
    shutil.copytree(SHIPPED, folder)
    file = folder / "prometheus.yml"
    config = on_loopback(yaml.safe_load(file.read_text()), targets, alertmanager)
    config["global"] = {"scrape_interval": f"{interval_ms}ms", "evaluation_interval": "1s"}
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (
        running(f"http://{address}", folder, *command),
        httpx.Client(base_url=f"http://{address}", timeout=30) as http,
    ):
        yield Prometheus(http, interval_ms)


def on_loopback(
    config: dict[str, Any], targets: Mapping[str, Sequence[str]], alertmanager: str | None
) -> dict[str, Any]:
    """Return our configuration with other addresses."""
    alertmanagers = [] if alertmanager is None else [alertmanager.removeprefix("http://")]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": alertmanagers}]
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in targets]
    for job in jobs:
        urls = targets[job["job_name"]]
        job["static_configs"] = [{"targets": [url.removeprefix("http://") for url in urls]}]
        job.pop("authorization", None)
    config["scrape_configs"] = jobs
    return config
