"""docs/sources.md works: its commands are run as they stand, and its other examples are accepted."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from leeway.config_file import load_config
from leeway.demo.run import free_port

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
BLOCK = re.compile(
    r"(?:Save it as\s+`([\w.]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLES = [
    text for name, language, text in BLOCK.findall(DOCUMENT) if language == "yaml" and not name
]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the commands of the document print, each run as it stands in one folder."""
    folder, port = tmp_path_factory.mktemp("reader"), free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LEEWAY_")}
    environment = {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}
    printed: dict[str, str] = {}
    server: subprocess.Popen[bytes] | None = None
    try:
        for name, language, text in BLOCK.findall(DOCUMENT):
            if name:
                (folder / name).write_text(text)
            elif language == "bash" and "leeway serve" in text:
                environment["SHOP_DB"] = "sqlite:///shop.db"
                script = text.replace("leeway serve", f"exec leeway serve --port {port}")
                with (folder / "server.log").open("wb") as log:
                    server = subprocess.Popen(
                        ["bash", "-euc", script],
                        cwd=folder,
                        env=environment,
                        stdout=log,
                        stderr=log,
                    )
                wait_for_windows(server, port, folder)
            elif language == "bash":
                done = subprocess.run(
                    ["bash", "-euc", text],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
                printed[text] = done.stdout
        yield printed
    finally:
        if server:
            server.terminate()
            server.wait(timeout=60)


def wait_for_windows(server: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        log = (folder / "server.log").read_text()
        assert server.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.3)
        try:
            found = [
                httpx.get(f"http://127.0.0.1:{port}/v1/models/{model}/windows").json()
                for model in ("shop", "files")
            ]
        except httpx.HTTPError:
            continue
        if all(len(windows) == 2 and windows[-1]["n_rows"] for windows in found):
            return


def test_both_models_have_the_weeks_that_nobody_sent(said):
    (text,) = (out for script, out in said.items() if "leeway windows" in script)
    counted = [line.split()[1:3] for line in text.splitlines() if line.strip().startswith("2")]
    n_rows, n_labels = zip(*((int(rows), int(labels)) for rows, labels in counted), strict=True)
    assert (sum(n_rows), sum(n_labels)) == (2 * 840, 840)
    assert text.count(" OK ") == 4


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_accepted(example, tmp_path, monkeypatch):
    monkeypatch.setenv("FLIGHTS_DB", "sqlite:///flights.db")
    monkeypatch.setenv("SHOP_TOKEN", "token")
    model = {
        "reference": "reference.parquet",
        "columns": {"target": "late"},
        **yaml.safe_load(example),
    }
    (tmp_path / "leeway.yaml").write_text(yaml.safe_dump({"models": {"late": model}}))
    assert load_config(tmp_path / "leeway.yaml").models["late"].source.log is None


def test_each_kind_of_source_has_an_example():
    kinds = {kind for example in EXAMPLES for kind in yaml.safe_load(example)["source"]}
    assert kinds == {"sql", "files", "http", "web"}
