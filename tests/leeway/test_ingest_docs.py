"""docs/ingest.md works: its commands are run as they stand, in order, against a real server."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from tests.watched import need

pytestmark = pytest.mark.stack

DOCUMENT = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
YAML = """\
models:
  deliveries:
    reference: reference.parquet
    columns: {target: late, prediction: p, time: at, id: order_id}
"""


@pytest.fixture
def server(new_home, serve_in):
    """A server that watches the model of the document."""
    draw, n_rows = np.random.default_rng(0), 400
    reference = pd.DataFrame(
        {
            "at": pd.date_range("2026-01-05", periods=n_rows, freq="3h", tz="UTC"),
            "order_id": [f"r{i}" for i in range(n_rows)],
            "distance_km": draw.uniform(1, 11, n_rows),
            "weather": draw.choice(["dry", "rain"], n_rows),
            "p": draw.uniform(size=n_rows),
            "late": draw.integers(0, 2, n_rows),
        }
    )
    reference.to_parquet(new_home.folder / "reference.parquet")
    new_home.config.write_text(YAML)
    (new_home.folder / "clock").write_text("2026-03-09T12:00:00Z")
    return serve_in(new_home, "--role", "api")


def test_every_way_in_works_as_it_is_written(server, new_home):
    need(shutil.which("curl"), "curl is not installed")
    adapted = DOCUMENT.replace("http://127.0.0.1:8000", server.url)
    answers = []
    for language, text in BLOCK.findall(adapted):
        if language == "python":
            (new_home.folder / "send.py").write_text(text)
            continue
        script = text.replace("curl ", "curl -sS --fail-with-body ")
        script = script.replace("python3", sys.executable)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=new_home.folder,
            env=new_home.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        answers.append(done.stdout)
    assert sum('"acknowledged":1' in answer for answer in answers) == 8
    assert sum('"repeated":true' in answer for answer in answers) == 1
    metrics = httpx.get(f"{server.url}/metrics").text
    assert 'leeway_predictions_logged_total{model="deliveries"} 1006.0' in metrics
    assert 'leeway_labels_logged_total{model="deliveries"} 1001.0' in metrics
    assert list((new_home.folder / "spool").glob("*.parcel")) == []
