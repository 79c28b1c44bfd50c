"""docs/backtest.md works: its program and its commands are run as they stand."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """What the commands wrote and printed, in a new folder."""
    folder = tmp_path_factory.mktemp("reader")
    blocks = dict(BLOCK.findall(DOCUMENT))
    (folder / "make_history.py").write_text(blocks["python"])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", blocks["bash"]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "replay.json").read_text()), done.stdout


def test_each_policy_named_is_replayed_and_retraining_pays(replayed):
    document, printed = replayed
    means = {policy["name"]: policy["mean"] for policy in document["policies"]}
    assert list(means) == ["never", "every:4", "configured"]
    assert means["every:4"] > means["never"] + 0.05
    assert means["configured"] > means["never"]
    assert all(f"{mean:.4f}" in printed for mean in means.values())


def test_every_key_of_the_facts_is_told(replayed):
    document, _ = replayed
    policy = document["policies"][-1]
    told = set(re.findall(r"`\.?([a-z_]+)(?:\[\])?`", DOCUMENT))
    (opening, *_), (window, *_) = policy["openings"], policy["windows"]
    assert {*document, *policy, *window, *opening} <= told


def test_every_option_of_the_command_is_told():
    command = [sys.executable, "-m", "leeway", "backtest", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", said)) - {"--help"}
    assert options == {option for option in options if option in DOCUMENT}
