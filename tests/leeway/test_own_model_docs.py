"""docs/own-model.md works: its commands are run as they stand, in order, in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from leeway.demo.run import free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

DOCUMENT = (Path(__file__).parents[2] / "docs" / "own-model.md").read_text()
BLOCK = re.compile(
    r"(?:Save it as\s+`([\w.]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
DONE_ALREADY = ("python3 -m venv", ". ~/leeway-venv/bin/activate", "mkdir ~/deliveries")
"""Starts of the blocks that install Leeway and choose a folder: both are the test's own."""


@dataclass
class Shell:
    """The folder that the reader works in; port 8000 of the document is another here."""

    folder: Path
    ports: dict[str, str]
    output: dict[str, str] = field(default_factory=dict)

    def adapted(self, text: str) -> str:
        for port, free in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
        return text

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LEEWAY_")}
        return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}

    def run(self, script: str) -> None:
        """Run a block; a command that fails fails the block."""
        done = subprocess.run(
            ["bash", "-euc", self.adapted(script).replace("curl ", "curl -sS --fail-with-body ")],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.output[script] = done.stdout
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"

    @contextmanager
    def serve(self, command: str) -> Iterator[None]:
        """Run a server until the end, on its free port."""
        port = re.search(r"--port (\d+)", command)
        free = self.ports[port[1] if port else "8000"]
        words = re.sub(r" --port \d+", "", command).split()
        with (self.folder / f"server-{free}.log").open("wb") as output:
            process = subprocess.Popen(
                [*words, "--port", free],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        try:
            self._wait(process, lambda: self.get(free, "/readyz") is not None)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)

    def wait_for_run(self) -> None:
        """Do what the reader does who looks at the page until the run has ended."""
        port = self.ports["8000"]
        path = "/v1/models/deliveries/requests"
        self._wait(None, lambda: self.get(port, path) == [])

    def get(self, port: str, path: str) -> Any:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}").raise_for_status().json()
        except httpx.HTTPError:
            return None

    def _wait(self, process: "subprocess.Popen[bytes] | None", done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not done():
            assert process is None or process.poll() is None, self.logs()
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.2)

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("server-*.log"))

    def said(self, command: str) -> str:
        """Return what the blocks with a command printed."""
        found = [text for script, text in self.output.items() if command in script]
        assert found, f"no block has {command!r}"
        return "\n".join(found)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell in which every block of the document has been run."""
    if shutil.which("curl") is None and not os.environ.get("CI"):
        pytest.skip("curl is not installed")
    folder = tmp_path_factory.mktemp("reader")
    shell = Shell(folder, {port: str(free_port()) for port in ("8000", "8001")})
    with ExitStack() as servers:
        for name, language, text in BLOCK.findall(DOCUMENT):
            if language == "python":
                (folder / name).write_text(shell.adapted(text))
            elif text.startswith("leeway serve"):
                servers.enter_context(shell.serve(text))
            elif not text.startswith(DONE_ALREADY):
                shell.run(text)
            if text.startswith("leeway retrain"):
                shell.wait_for_run()
        yield shell


def test_init_says_what_it_guessed(shell):
    assert "time is 'at'" in shell.said("leeway init --data reference.parquet")


def test_the_first_prediction_is_the_first_version_s(shell):
    assert '"version":1' in shell.said("/predict ")


def test_rows_and_labels_of_three_weeks_are_taken(shell):
    assert shell.said("python send.py").strip() == "version 1 predicted 1260 rows; 1260 labels"


def test_the_country_is_a_breach_and_leeway_says_why_it_holds(shell):
    assert '"status":"BREACH"' in shell.said("8000/v1/models/deliveries/checks")
    assert shell.said("leeway why deliveries\n").count("cooling down") >= 3


def test_the_challenger_of_the_country_is_promoted(shell):
    said = shell.said("leeway versions deliveries")
    assert re.search(r"^ *\* +2 .*we deliver", said, re.MULTILINE), said
    assert '"outcome":"promoted"' in said
    run = shell.get(shell.ports["8000"], "/v1/models/deliveries/runs/1")
    decided = [datetime.fromisoformat(run["details"]["holdout"][end]) for end in ("from", "until")]
    assert timedelta(days=6) < decided[1] - decided[0] < timedelta(days=7)  # the newest week


def test_the_rollback_brings_version_1_back(shell):
    assert "version 1 of deliveries is the champion again" in shell.said("leeway rollback")


def test_a_model_served_elsewhere_is_watched_and_not_served(shell):
    port = shell.ports["8001"]
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/models/deliveries/predict", json=[])
    assert answer.status_code == 409
    assert "1260 predictions" in shell.said("python send_elsewhere.py")


def test_metres_are_an_incident_and_not_a_drift(shell):
    last = shell.said("--config elsewhere/leeway.yaml").strip().splitlines()[-1]
    assert "hold (incident): the feed looks broken: distance_km" in last


def test_every_block_was_run_or_saved():
    n_blocks = len(BLOCK.findall(DOCUMENT))
    assert n_blocks == DOCUMENT.count("\n```") / 2
    assert all(name for name, language, _ in BLOCK.findall(DOCUMENT) if language == "python")
