"""A history replayed through the whole loop, under several policies."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from leeway.backtest.home import steps_done
from leeway.backtest.policy import policies
from leeway.backtest.run import Asked, backtest
from leeway.cli import main
from monitor.errors import ConfigError
from tests.patience import eventually

WEEK = timedelta(days=7)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
ROWS_A_WEEK = 280
N_REFERENCE, N_WEEKS = 4, 8
CHANGES_AT = 2
"""The label follows `x` first, and `y` from this week of the history on."""

WINDOW_KEYS = {
    *("index", "start", "end", "n_rows", "metric", "status", "diagnosis", "decision", "reason"),
    "champion",
}
OPENING_KEYS = {"window", "check", "opened_at", "ended_at", "ended_how", "sentence"}


def weeks(first, n_weeks, by_x, by_y):
    rng = np.random.default_rng(100 + first)
    n_rows = n_weeks * ROWS_A_WEEK
    x, y = rng.normal(size=n_rows), rng.normal(size=n_rows)
    late = rng.uniform(size=n_rows) < 1 / (1 + np.exp(-by_x * x - by_y * y))
    seconds = np.sort(rng.uniform(0, n_weeks * WEEK.total_seconds(), n_rows))
    at = pd.Timestamp(MONDAY + first * WEEK) + pd.to_timedelta(seconds, unit="s")
    return pd.DataFrame({"at": at.as_unit("us"), "x": x, "y": y, "late": late.astype(int)})


@pytest.fixture(scope="module")
def frames():
    """The reference, and a history in which the world changes."""
    before = weeks(N_REFERENCE, CHANGES_AT, 3.0, 0.0)
    after = weeks(N_REFERENCE + CHANGES_AT, N_WEEKS - CHANGES_AT, 0.0, 3.0)
    return weeks(0, N_REFERENCE, 3.0, 0.0), pd.concat([before, after], ignore_index=True)


@pytest.fixture
def folder(tmp_path, frames):
    """leeway.yaml, a reference and a history."""
    for name, frame in zip(("reference", "history"), frames, strict=True):
        frame.to_parquet(tmp_path / f"{name}.parquet")
    model = {
        "reference": "reference.parquet",
        "columns": {"time": "at", "target": "late", "numeric": ["x", "y"]},
        "window": {"every": "P7D"},
        "retrain": {"budget": "PT20S", "candidates": ["logistic"], "cooldown": "P1D"},
    }
    config = {"models": {"late": model}, "notify": {"to": ["json://127.0.0.1:9"]}}
    (tmp_path / "leeway.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def replayed(folder, compare, **asked: object):
    told: list[float] = []
    document = backtest(
        Asked(
            folder / "leeway.yaml", "late", folder / "history.parquet", policies(compare), **asked
        ),
        lambda share, _text: told.append(share),
    ).document
    assert told == sorted(told)
    assert told[-1] == 1.0
    return document, {policy["name"]: policy for policy in document["policies"]}


def test_retraining_pays_where_the_world_changes_and_costs_what_it_says(folder):
    document, found = replayed(folder, "never,always,every:3,configured")
    assert (document["metric"], document["bigger_is_better"]) == ("roc_auc", True)
    for policy in found.values():
        assert [window["index"] for window in policy["windows"]] == list(range(N_WEEKS))
        assert all(set(window) == WINDOW_KEYS for window in policy["windows"])
        values = [window["metric"] for window in policy["windows"]]
        assert policy["mean"] == pytest.approx(np.mean(values))
        assert policy["worst"] == min(values)
    assert {name: policy["promotions"] for name, policy in found.items()} == {
        "never": 0,
        "always": N_WEEKS,
        "every:3": N_WEEKS // 3,
        "configured": found["configured"]["promotions"],
    }
    assert found["configured"]["promotions"] >= 1
    for name, gain in (("always", 0.15), ("every:3", 0.1), ("configured", 0.03)):
        assert found[name]["mean"] > found["never"]["mean"] + gain
        assert found[name]["gain"] == pytest.approx(found[name]["mean"] - found["never"]["mean"])
    assert (document["compared_with"], found["never"]["gain"]) == ("never", 0.0)
    assert {window["champion"] for window in found["never"]["windows"]} == {1}
    assert found["configured"]["alerts"] >= 1
    spent = {name: policy["retrain_cpu_seconds"] for name, policy in found.items()}
    assert spent["never"] == 0 < spent["every:3"] < spent["always"]
    assert spent["configured"] > 0
    for policy in found.values():
        starts = {window["start"] for window in policy["windows"]}
        assert policy["alerts"] == len(policy["openings"])
        for alert in policy["openings"]:
            assert set(alert) == OPENING_KEYS
            assert datetime.fromisoformat(alert["window"]) in starts
            assert alert["ended_at"] is None or alert["ended_at"] > alert["opened_at"]
            assert alert["sentence"]
    # The world changes for good, and only a new version ends the alert that says so.
    (fallen,) = [one for one in found["never"]["openings"] if one["check"] == "performance"]
    changed = MONDAY + (N_REFERENCE + CHANGES_AT) * WEEK
    assert (fallen["window"], fallen["ended_at"]) == (f"{changed:%Y-%m-%dT%H:%M:%SZ}", None)


def test_without_never_gains_are_told_over_the_first_policy(folder):
    document, found = replayed(folder, "every:4,every:3")
    assert document["compared_with"] == "every:4"
    assert found["every:4"]["gain"] == 0.0
    assert found["every:3"]["gain"] == found["every:3"]["mean"] - found["every:4"]["mean"]


def test_the_replay_says_the_same_each_time(folder):
    first, again = (timeless(replayed(folder, "configured")[0]) for _ in range(2))
    assert first == again


def timeless(document):
    """The facts but for how long the machine took, and for numbers of versions that are gaps.

    The number of a version that was withdrawn, as of a run that was killed, is not given again.
    """
    for policy in document["policies"]:
        assert policy.pop("retrain_cpu_seconds") >= 0
        numbers = sorted({window["champion"] for window in policy["windows"]})
        for window in policy["windows"]:
            window["champion"] = numbers.index(window["champion"])
    return document


def test_late_labels_are_waited_for_and_every_window_gets_its_metric(folder):
    _, found = replayed(folder, "every:3", label_lag=WEEK)
    on_time = replayed(folder, "every:3")[1]["every:3"]
    late = found["every:3"]
    assert None not in [window["metric"] for window in late["windows"]]
    assert late["mean"] < on_time["mean"]  # it learns of the change a week later


def test_a_history_without_a_clock_is_taken_in_its_order(folder, frames):
    for name, frame in zip(("reference", "history"), frames, strict=True):
        frame.drop(columns="at").to_parquet(folder / f"{name}.parquet")
    config = yaml.safe_load((folder / "leeway.yaml").read_text())
    config["models"]["late"]["window"] = {"rows": ROWS_A_WEEK}
    del config["models"]["late"]["columns"]["time"]
    (folder / "leeway.yaml").write_text(yaml.safe_dump(config))
    _, found = replayed(folder, "never,every:2")
    assert len(found["never"]["windows"]) == N_WEEKS
    assert found["every:2"]["mean"] > found["never"]["mean"] + 0.1


def test_a_model_that_is_elsewhere_is_replayed_by_its_own_predictions_until_it_is_replaced(
    folder, frames
):
    for name, frame in zip(("reference", "history"), frames, strict=True):
        made = frame.assign(score=1 / (1 + np.exp(-3 * frame["x"])))
        made.to_parquet(folder / f"{name}.parquet")
    config = yaml.safe_load((folder / "leeway.yaml").read_text())
    config["models"]["late"]["columns"]["prediction"] = "score"
    (folder / "leeway.yaml").write_text(yaml.safe_dump(config))
    _, found = replayed(folder, "never,every:3")
    first, last = (found["every:3"]["windows"][at] for at in (0, -1))
    assert first["metric"] == found["never"]["windows"][0]["metric"]
    assert last["metric"] > found["never"]["windows"][-1]["metric"] + 0.1


def test_the_command_prints_a_table_and_writes_json(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    arguments = ["--data", "history.parquet", "--compare", "never", "--json", "out.json"]
    with pytest.raises(SystemExit) as ended:
        main(["backtest", *arguments])
    printed = capsys.readouterr().out
    assert not ended.value.code
    lines = printed.splitlines()
    (at,) = [at for at, line in enumerate(lines) if line.startswith("policy")]
    above, below = lines[at - 1 : at + 1]
    assert above.split() == ["mean", "better", "worst", "rolled", "retrain"]
    assert "than never" in below
    assert below.split()[-6:] == ["promoted", "back", "fits", "CPU", "s", "alerts"]
    (never,) = json.loads((folder / "out.json").read_text())["policies"]
    assert f"{never['mean']:.4f}" in printed
    assert sorted(path.name for path in folder.iterdir()) == [
        *("history.parquet", "leeway.yaml", "out.json", "reference.parquet")
    ]


def test_the_page_shows_each_policy_and_needs_nothing_but_itself(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    arguments = ["--data", "history.parquet", "--compare", "never,configured", "--html", "out.html"]
    with pytest.raises(SystemExit) as ended:
        main(["backtest", *arguments])
    assert not ended.value.code, capsys.readouterr().err
    text = (folder / "out.html").read_text()
    page = ET.fromstring(text.removeprefix("<!DOCTYPE html>"))
    assert [one.text for one in page.iter("h2")][1:] == ["never", "configured"]
    assert len(page.findall(".//svg[@class='strip']/g")) == 2 * N_WEEKS
    for strip in page.findall(".//svg[@class='strip']"):  # from edge to edge: no window will follow
        assert float(strip.attrib["viewBox"].split()[2]) == 10 * N_WEEKS
    assert "As configured Leeway reaches a mean ROC AUC of" in text
    assert "better than never does" in text
    assert "Better than never" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "<script" not in text


def test_one_that_is_killed_goes_on_to_the_same_end(folder):
    """In the middle of its weeks, with labels on their way; its helpers end by themselves."""
    arguments = ["--data", "history.parquet", "--compare", "always,configured"]
    arguments += ["--label-lag", "P7D", "--folder", "kept", "--json", "out.json"]
    command = [sys.executable, "-m", "leeway", "backtest", *arguments]
    process = subprocess.Popen(command, cwd=folder, start_new_session=True)
    try:
        while steps_done(folder / "kept" / "always") < N_WEEKS // 2:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    eventually(lambda: not at_work(process.pid), "its helpers have ended")
    assert steps_done(folder / "kept" / "always") <= N_WEEKS
    subprocess.run(command, cwd=folder, check=True)
    resumed = timeless(json.loads((folder / "out.json").read_text()))
    at_once, _ = replayed(folder, "always,configured", label_lag=WEEK)
    assert resumed == jsonable(timeless(at_once))


def test_policies_are_replayed_at_once_and_one_interrupted_says_how_to_go_on(folder):
    """Both are between their first step and their end, which one after the other never are."""
    arguments = ["--compare", "always,every:2", "--folder", "kept", "--json", "out.json"]
    homes = [folder / "kept" / name for name in ("always", "every-2")]
    with started(folder, *arguments) as process:
        # In this order: a first policy at its end would let the second begin only after.
        while not (steps_done(homes[0]) <= N_WEEKS and all(map(steps_done, homes))):
            assert process.poll() is None, "they were replayed one after the other"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 3
    assert said == (
        "leeway: stopped; the same command goes on from where it was, which is kept in kept\n"
    )
    eventually(lambda: not at_work(process.pid), "its helpers have ended")
    done = [steps_done(home) for home in homes]
    with started(folder, *arguments) as process:
        assert process.wait() == 0
    assert [steps_done(home) for home in homes] == [N_WEEKS + 1] * 2 != done


def test_one_that_is_interrupted_goes_on_though_no_folder_was_named_and_leaves_none(folder):
    with started(folder, "--compare", "always,every:2") as process:
        while not (homes := list(folder.glob("leeway-backtest-*/always"))) or not all(
            map(steps_done, homes)
        ):
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 3
    (kept,) = folder.glob("leeway-backtest-*")
    assert said == (
        "leeway: stopped; the same command goes on from where it was, which is kept in "
        f"{kept.name}\n"
    )
    eventually(lambda: not at_work(process.pid), "its helpers have ended")
    done = steps_done(kept / "always")
    first = (kept / "first" / "leeway.yaml").stat().st_ino
    with started(folder, "--compare", "always,every:2") as process:
        while kept.exists() and steps_done(kept / "always") <= done:
            assert process.poll() is None
            assert (kept / "first" / "leeway.yaml").stat().st_ino == first, "it began anew"
            time.sleep(0.01)
        assert process.wait() == 0
    assert not kept.exists()


def test_two_do_not_work_in_one_folder(folder, monkeypatch, capsys):
    """The same command a second time, while the first is at work."""
    monkeypatch.chdir(folder)
    with started(folder, "--compare", "never") as process:
        while not list(folder.glob("leeway-backtest-*/lock")):
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(SystemExit) as ended:
            main(["backtest", "--data", "history.parquet", "--compare", "never"])
        assert ended.value.code == 2
        assert "another backtest is at work in leeway-backtest-" in capsys.readouterr().err
        assert process.wait() == 0


def test_what_stops_before_anything_was_done_leaves_nothing(folder, monkeypatch, capsys):
    """A reference of one class trains nothing."""
    monkeypatch.chdir(folder)
    pd.read_parquet("reference.parquet").assign(late=1).to_parquet("reference.parquet")
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit) as ended:
        main(["backtest", "--data", "history.parquet", "--compare", "never"])
    assert ended.value.code
    assert capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_a_drift_method_of_ones_own_judges_replayed_windows_too(folder):
    (folder / "my_methods.py").write_text(OWN_METHOD)
    config = yaml.safe_load((folder / "leeway.yaml").read_text())
    config["models"]["late"]["drift"] = {"methods": {"x": "always_far"}}
    (folder / "leeway.yaml").write_text(yaml.safe_dump({**config, "imports": ["my_methods"]}))
    path = os.pathsep.join([str(folder), *sys.path])
    with started(folder, "--compare", "never", "--json", "out.json", PYTHONPATH=path) as process:
        said = process.communicate()[1]
    assert process.returncode == 0, said
    ((never,),) = [json.loads((folder / "out.json").read_text())["policies"]]
    assert {one["check"] for one in never["openings"]} >= {"drift"}


OWN_METHOD = """
from evidently.legacy.calculations.stattests import register_stattest
from evidently.legacy.calculations.stattests.registry import StatTest
from evidently.legacy.core import ColumnType

register_stattest(
    StatTest(
        name="always_far",
        display_name="Always far",
        allowed_feature_types=[ColumnType.Numerical],
        default_threshold=0.5,
    ),
    lambda reference, current, feature_type, threshold: (1.0, True),
)
"""


@contextmanager
def started(folder, *arguments: str, **environment: str):
    """A backtest as a terminal starts it, in a process group of its own; it has ended after."""
    command = [sys.executable, "-m", "leeway", "backtest", "--data", "history.parquet"]
    with subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def at_work(group):
    """Return the processes of a group that go on; one that nobody waits for has ended, too."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, own = file.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it ended meanwhile
        found += [int(file.parent.name)] if int(own) == group and state != "Z" else []
    return found


def jsonable(document):
    return json.loads(json.dumps(document, default=str))


def test_a_folder_with_another_backtest_is_refused(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "kept").mkdir()
    (folder / "kept" / "asked.json").write_text('{"model": "late", "history": "other"}')
    with pytest.raises(SystemExit) as ended:
        main(["backtest", "--data", "history.parquet", "--folder", "kept"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "kept holds a backtest of another" in said
    assert "history" in said
    assert "name a new folder" in said


@pytest.mark.parametrize("name", ["sometimes", "every:0", "every:", "every:-1", ""])
def test_a_policy_that_there_is_not_is_refused(name):
    with pytest.raises(ConfigError, match="expected never, always, every:N or configured"):
        policies(f"never,{name}")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--label-lag", "7"], "ISO 8601"),
        (["--model", "other"], "expected one of late"),
        (["--data", "nowhere.parquet"], "there is no such file"),
        (["--folder", "history.parquet/kept"], "history.parquet/kept cannot be made"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_one_line(folder, monkeypatch, capsys, arguments, hint):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main(["backtest", "--data", "history.parquet", *arguments])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert hint in said
    assert len(said.strip().splitlines()) == 1
