"""docs/compare.md works: its commands are run as they stand, in order, in an empty folder."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import leeway

DOCUMENT = (Path(__file__).parents[2] / "docs" / "compare.md").read_text()
BLOCK = re.compile(
    r"(?:Save it as\s+`([\w.]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass
class Reader:
    """The folder that the reader works in, and what each command printed."""

    folder: Path
    output: dict[str, str] = field(default_factory=dict)

    def run(self, script: str) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{script}\n{done.stdout}\n{done.stderr}"
        self.output[script] = "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"

    def said(self, command: str) -> str:
        (found,) = [text for script, text in self.output.items() if command in script]
        return found


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory):
    """A folder in which every block of the document has been saved or run."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    for name, language, text in BLOCK.findall(DOCUMENT):
        if language == "python":
            (reader.folder / name).write_text(text)
        elif language == "bash":
            reader.run(text)
    return reader


def test_the_table_is_what_the_command_prints(reader):
    (shown,) = [text for _, language, text in BLOCK.findall(DOCUMENT) if not language]
    assert shown == reader.said("make_data.py")


def test_the_json_is_what_the_command_writes(reader):
    (shown,) = [text for _, language, text in BLOCK.findall(DOCUMENT) if language == "json"]
    found = json.loads((reader.folder / "found.json").read_text())
    entry = found["columns"][0]
    assert {**entry, "score": round(entry["score"], 4)} == json.loads(shown)
    keys = re.search(r"Beside it stand (.*?)\.", DOCUMENT, re.DOTALL)[1]
    assert set(re.findall(r"`(\w+)`", keys)) == found.keys() - {"columns"}


def test_the_page_is_written(reader):
    assert "drift.html: the columns asked for: 'distance_km', 'weather'" in reader.said("--html")
    assert (reader.folder / "drift.html").stat().st_size > 1 << 20


def test_performance_has_fallen(reader):
    assert "BREACH  roc_auc" in reader.said("--prediction")


def test_from_python_the_same_is_found(reader):
    said = reader.said("python compare.py").splitlines()
    assert "columns have drifted" in said[0]
    assert any(line.startswith("weight_kg ks 0.") for line in said)


def test_every_argument_of_the_function_is_explained():
    for name in ("task", "share_drifted", "columns", "methods", "thresholds", "target"):
        assert name in DOCUMENT
        assert f"{name}" in leeway.compare.__doc__
