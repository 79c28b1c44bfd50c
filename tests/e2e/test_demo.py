"""The demo as a person starts it: a process, its story and the facts it writes."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leeway.demo.flights import (
    BROKEN_COLUMN,
    BROKEN_WEEK,
    CATEGORICAL,
    NUMERIC,
    REFERENCE_END,
    REPLAY_END,
)
from leeway.demo.run import MODEL, WEEK, free_port
from tests.conftest import Home
from tests.program import find_program, missing
from tests.prometheus import running_prometheus
from tests.query import Look, query_at

PATIENCE_SECONDS = 540.0
GIBIBYTE = 2**30

WINDOW_KEYS = {
    *("index", "start", "end", "n_rows", "metric", "status", "diagnosis", "decision", "reason"),
    "champion",
}
LOOKED_AT = (0.5, 0.8)
"""Shares of the year after which the dashboards are looked at, while it is replayed."""

SCRAPED_EVERY_MS = 250
"""A week is replayed in about a second, and what is open for a week must be seen."""

MAY_BE_EMPTY = {
    'kind="estimated"': "the weeks are too different for a back-test, so none is given",
    "leeway_multivariate_drop": "in few weeks columns come together otherwise than before",
    "leeway_estimates_error": "no estimate is given, so none was off",
    "annotation Rollbacks": "no version has to be taken back",
    "leeway-model: Drifted columns, C": "every column is exported: none is beyond the budget",
    "leeway_incident_since_timestamp_seconds": "the feed is broken in one week only",
    "leeway_column_rank": "columns are ranked in the weeks that breach, and those are few",
    "leeway_shadow_rows_failed_total": "each version predicts every flight",
    "leeway_shadow_rows_dropped_total": "none has to be dropped",
}
"""What the dashboards cannot show of the flights, and why; everything else must have data."""

UNTIL_LABELLED = dict.fromkeys(
    ("leeway-fleet: Models, F", "leeway-model: Performance, A", "leeway-retraining: Models, I"),
    "a champion of this week or the last has no labels: the newest value is not known yet",
)
"""What is besides that empty for two weeks after a promotion, and never in the end."""

PATH = f"/v1/models/{MODEL}"
POLICY_KEYS = {"name", "mean", "worst", "alerts", "fits", "promotions", "rollbacks", "windows"}


@dataclass(frozen=True)
class Watched:
    """What Prometheus saw: looks during the replay with their problems, and all of it."""

    during: list[tuple[float, list[str]]]
    whole: Look


@dataclass(frozen=True)
class Told:
    """What the demo said and wrote, what it took, and the deployment that it has left."""

    screen: str
    document: dict
    peak_bytes: int
    watching: Future[Watched] | None
    home: Home

    def policy(self, name):
        (found,) = (one for one in self.document["policies"] if one["name"] == name)
        return found


def proportional_bytes(pid):
    """Return a process's memory; pages it shares count in parts, so that nothing counts twice."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it ended meanwhile
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def descendants(root: int) -> set[int]:
    """Return a process and all that it or they have started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(folder.name)] = int(stat[1])
    tree = {root}
    while found := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= found
    return tree


def resident_bytes(root: int) -> int:
    """Return the memory that a process and all its descendants hold."""
    return sum(map(proportional_bytes, descendants(root)))


def is_running(pid: int) -> bool:
    """Say whether a process goes on; one that nobody has waited for has ended all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def replayed(prometheus) -> float:
    """Return the share of the year that is judged, as Prometheus knows it; 0 before any is."""
    # Over a minute: on a busy machine a scrape may not be answered in time.
    newest = "last_over_time(leeway_window_end_timestamp_seconds[1m])"
    judged = prometheus.query(f"max({newest}) > 0")
    if not judged:
        return 0.0
    until = datetime.fromtimestamp(float(judged[0]["value"][1]), UTC)
    return (until - REFERENCE_END) / (REPLAY_END - REFERENCE_END)


def watch(prometheus, demo):
    """Look at all dashboards while the demo replays; returns when it has ended."""
    began, during = time.time(), []
    for share in LOOKED_AT:
        while demo.poll() is None and replayed(prometheus) < share:
            time.sleep(0.2)
        if demo.poll() is None:
            look = Look(prometheus, MODEL, began, prometheus.last_scrape())
            problems = look.problems(MAY_BE_EMPTY | UNTIL_LABELLED)
            during.append((replayed(prometheus), problems))
    demo.wait()
    return Watched(during, Look(prometheus, MODEL, began, prometheus.last_scrape()))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Run the demo once for all; where there is a Prometheus, it looks on and stays up."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    prometheus = (
        running_prometheus(
            folder / "prometheus",
            {"leeway": [f"127.0.0.1:{port}"]},
            interval_ms=SCRAPED_EVERY_MS,
        )
        if find_program("prometheus")
        else nullcontext()
    )
    with prometheus as running, ThreadPoolExecutor(1) as beside:
        yield run_demo(folder, port, lambda demo: running and beside.submit(watch, running, demo))


def run_demo(folder, port, while_it_runs):
    """Run `leeway demo --exit --json FILE` to its end."""
    command = [
        sys.executable,
        "-m",
        "leeway",
        "demo",
        "--exit",
        "--json",
        "story.json",
        "--folder",
        "home",
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEEWAY_")}
    began, peak = time.monotonic(), 0
    with (folder / "screen.txt").open("wb") as screen:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env=kept,
            stdout=screen,
            stderr=subprocess.STDOUT,
        )
        watching = while_it_runs(process)
        try:
            while process.poll() is None:
                peak = max(peak, resident_bytes(process.pid))
                assert time.monotonic() - began < PATIENCE_SECONDS, "the demo takes too long"
                time.sleep(0.2)
        finally:
            process.terminate()
            process.wait(60)
    text = (folder / "screen.txt").read_text()
    assert process.returncode == 0, text[-4000:]
    # Not asserted: machines that run CI are shared.
    seconds = time.monotonic() - began
    sys.stdout.write(f"\nthe demo took {seconds:.0f} s and {peak / GIBIBYTE:.2f} GiB\n")
    document = json.loads((folder / "story.json").read_text())
    return Told(text, document, peak, watching, Home(folder / "home"))


@pytest.fixture
def watched(told):
    """What Prometheus saw of the demo."""
    return told.watching.result() if told.watching else pytest.skip(missing("prometheus"))


def test_the_facts_have_the_form_of_a_backtest(told):
    document = told.document
    assert (document["metric"], document["bigger_is_better"]) == ("roc_auc", True)
    assert [policy["name"] for policy in document["policies"]] == ["never", "configured"]
    for policy in document["policies"]:
        assert policy.keys() == POLICY_KEYS
        assert all(window.keys() == WINDOW_KEYS for window in policy["windows"])
        starts = [datetime.fromisoformat(window["start"]) for window in policy["windows"]]
        assert starts == sorted(set(starts))
        assert (starts[0], len(starts)) == (REFERENCE_END, (REPLAY_END - REFERENCE_END).days // 7)
        assert policy["worst"] <= policy["mean"] <= 1


def test_every_flight_is_in_one_window(told):
    n_rows = sum(window["n_rows"] for window in told.policy("configured")["windows"])
    assert n_rows == sum(window["n_rows"] for window in told.policy("never")["windows"])
    assert n_rows > 280_000


def test_leeway_beats_the_model_that_is_never_retrained(told):
    gain = told.policy("configured")["mean"] - told.policy("never")["mean"]
    assert gain >= 0.02


def test_it_takes_few_promotions(told):
    assert 1 <= told.policy("configured")["promotions"] <= 12


def test_the_drift_of_the_summer_is_alerted(told):
    assert any(alert["check"] == "drift" for alert in told.document["alerts"])


def test_the_broken_week_is_alerted_by_its_column_and_held(told):
    (window,) = (
        one
        for one in told.policy("configured")["windows"]
        if datetime.fromisoformat(one["start"]) == BROKEN_WEEK
    )
    assert (window["diagnosis"], window["decision"], window["reason"]) == (
        "incident",
        "hold",
        "incident",
    )
    alerts = [one for one in told.document["alerts"] if one["check"] == "quality"]
    assert any(BROKEN_COLUMN in alert["sentence"] for alert in alerts)


def test_a_retraining_was_refused_or_held_with_its_reason(told):
    refused = [run["reason"] for run in told.document["runs"] if run["outcome"] == "refused"]
    held = [
        window["reason"]
        for window in told.policy("configured")["windows"]
        if window["decision"] == "hold" and window["diagnosis"] != "incident"
    ]
    assert refused or held
    assert all([*refused, *held])


def test_a_challenger_was_promoted_with_its_evidence(told):
    promoted = [run for run in told.document["runs"] if run["outcome"] == "promoted"]
    assert promoted
    assert all("gain" in run["reason"] for run in promoted)
    champions = [window["champion"] for window in told.policy("configured")["windows"]]
    assert champions[0] == 1 < champions[-1]


def test_one_screen_says_what_happened_and_where_to_look(told):
    for words in ("never retrained", "Alerts", "Challengers", "/metrics", "/docs", "Told in"):
        assert words in told.screen
    assert "Traceback" not in told.screen


def test_the_whole_process_tree_stays_below_two_gibibytes(told):
    assert 0 < told.peak_bytes <= 2 * GIBIBYTE


@pytest.mark.stack
def test_every_query_of_the_dashboards_is_answered_while_the_year_is_replayed(watched):
    assert len(watched.during) == len(LOOKED_AT)
    for share, (until, problems) in zip(LOOKED_AT, watched.during, strict=True):
        assert not problems, "\n".join(problems)
        assert share <= until < 1, "the replay was over before everything was asked"


@pytest.mark.stack
def test_every_query_of_the_dashboards_has_the_whole_year_afterwards(watched):
    problems = watched.whole.problems(MAY_BE_EMPTY)
    assert not problems, "\n".join(problems)


@pytest.mark.stack
def test_the_dashboards_mark_the_broken_week_and_every_run_and_promotion(told, watched):
    marks = watched.whole.marks()
    judged = "max(leeway_window_end_timestamp_seconds)"
    ends = {
        float(watched.whole.prometheus.query(judged, time=str(at))[0]["value"][1])
        for at, _ in marks["Incidents"]
    }
    assert (BROKEN_WEEK + WEEK).timestamp() in ends
    outcomes = {labels["outcome"] for _, labels in marks["Retrain runs"]}
    assert outcomes == {run["outcome"] for run in told.document["runs"]}
    versions = {labels["version"] for _, labels in marks["Promotions"]}
    assert len(versions) == told.policy("configured")["promotions"]


@pytest.mark.stack
def test_the_dashboards_show_the_numbers_of_the_story(told, watched):
    look = watched.whole
    drifts = look.ask(query_at("leeway-model: Distance of each column from its limit, A"))
    assert {one["metric"]["column"] for one in drifts} >= {*NUMERIC, *CATEGORICAL}
    (realized,) = look.ask(query_at("leeway-model: Performance: $metric, A"))
    metrics = [window["metric"] for window in told.policy("configured")["windows"]]
    assert {float(value) for _, value in realized["values"]} <= set(metrics)
    for outcome in ("promoted", "refused"):
        (counted,) = look.ask(query_at(f"leeway-retraining: {outcome.capitalize()}, A"))
        n_runs = [run["outcome"] for run in told.document["runs"]].count(outcome)
        assert float(counted["value"][1]) == n_runs


def test_whoever_ends_the_demo_ends_its_server(tmp_path, eventually):
    command = [sys.executable, "-m", "leeway", "demo", "--folder", str(tmp_path / "demo")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as demo:
        eventually(lambda: len(descendants(demo.pid)) > 1, "the server is started")
        family = descendants(demo.pid)
        demo.terminate()
        assert demo.wait(PATIENCE_SECONDS) == 128 + signal.SIGTERM
    eventually(lambda: not any(map(is_running, family)), "all of its processes have ended")


def champion_of(client):
    return next(v["number"] for v in client.get(f"{PATH}/versions") if v["champion"])


def test_retrain_then_rollback_from_the_command_line(told, serve_in, eventually):
    with serve_in(told.home).client() as client:
        champion = champion_of(client)
        asked = told.home.cli("retrain", MODEL, "--why", "a drill")
        assert (asked.returncode, asked.stderr) == (0, "")
        eventually(lambda: not client.get(f"{PATH}/requests"), "the run is over", 180)
        run = client.get(f"{PATH}/runs")[-1]
        assert (run["why"], run["champion"]) == ("a drill", champion)
        assert run["outcome"] in {"promoted", "refused", "held"}, run
        champion = champion_of(client)
        back = told.home.cli("rollback", MODEL, "--why", "a drill")
        assert (back.returncode, back.stderr) == (0, "")
        before = champion_of(client)
        assert before < champion
        assert back.stdout == f"version {before} of {MODEL} is the champion again\n"
