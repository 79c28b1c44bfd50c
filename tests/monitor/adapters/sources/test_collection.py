"""A collection is taken in as requests are: what is bad is refused row by row, and counted."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from monitor.adapters.history import History
from monitor.errors import StorageError
from monitor.window import Window


@pytest.fixture
def files(deployed, tmp_path):
    """Write CSV files that are collected as predictions or labels."""
    folder = tmp_path / "in"
    folder.mkdir()

    def write(name: str, frame: pd.DataFrame, **more: object) -> None:
        frame.to_csv(folder / name, index=False)
        found = {"predictions": f"{folder}/p*.csv", "labels": f"{folder}/l*.csv", "settled": "PT0S"}
        deployed.configure({"files": found}, **more)

    return write


def refused(opened):
    now = opened.deployment.clock.now()
    window = Window(now - timedelta(hours=1), now + timedelta(hours=1))
    return opened.deployment.store.refused("late", window).n_rows


def test_a_row_that_cannot_be_stored_is_refused_and_counted_and_the_others_are_taken(
    deployed, files, flights
):
    frame = flights(0, 50).astype({"at": str})
    frame.loc[7, "at"] = "yesterday"
    frame.loc[30, "at"] = "2199-01-01T00:00:00Z"
    files("p.csv", frame)
    with deployed.opened() as opened:
        problems = [str(one.error) for one in opened.collect()]
        assert opened.n_logged() == 48
        assert refused(opened) == 2
        assert any("a time is needed" in text for text in problems)
        assert any("lies in the future" in text for text in problems)


def test_refused_rows_are_counted_by_their_reason(deployed, files, flights):
    files("p.csv", flights(0, 20).assign(at="never"))
    with deployed.opened() as opened:
        opened.collect()
        counted = History(opened.deployment.engine).refusals_by_model()
        assert counted["late"]["bad_time"] == 20
        assert opened.n_logged() == 0


def test_a_file_without_the_time_column_is_refused_as_a_whole_and_at_once(deployed, files, flights):
    files("p.csv", flights(0, 2000).drop(columns="at"))
    with deployed.opened() as opened:
        (only,) = opened.collect()
        assert only.n_rows == 2000
        assert refused(opened) == 2000


def test_a_file_that_cannot_be_read_counts_as_one_refusal(deployed, files, flights, tmp_path):
    files("p1.csv", flights(0, 10))
    (tmp_path / "in" / "p2.csv").write_bytes(b"")
    with deployed.opened() as opened:
        (only,) = opened.collect()
        assert "p2.csv" in str(only.error)
        assert opened.n_logged() == 10
        assert refused(opened) == 1


def test_changed_columns_are_accepted_and_counted_or_refused_as_the_model_says(
    deployed, files, flights
):
    frame = flights(0, 10).astype({"x": object})
    frame.loc[3, "x"] = "a lot"
    files("p.csv", frame)
    with deployed.opened() as opened:
        assert opened.collect() == []
        window = Window(opened.deployment.clock.now(), opened.deployment.clock.now(), (0, 10))
        (change,) = opened.deployment.log.changes("late", window)
        assert (change.column, change.n_rows) == ("x", 1)
    files("p2.csv", frame, on_schema_change="refuse")
    with deployed.opened() as opened:
        (only,) = opened.collect()
        assert (only.error.reason, only.n_rows) == ("schema", 1)
        assert opened.n_logged() == 19


def test_labels_of_their_own_are_joined_by_id(home, made_up, week_start, tmp_path):
    rows = made_up(0)
    rows.drop(columns="late").to_parquet(tmp_path / "p.parquet")
    rows[["id", "late"]].to_csv(tmp_path / "l.csv", index=False)
    home.configure(
        "window:",
        f"source: {{every: PT0.1S, files: {{predictions: '{tmp_path}/p.parquet', labels: '{tmp_path}/l.csv', settled: PT0S}}}}\n    window:",
    )
    home.clock.set(week_start(1))
    with home.opened() as app:
        collector = app.deployment.collector()
        while collector.collect():
            pass
        collector.close()
        window = Window(week_start(0), week_start(1))
        (counts,) = app.deployment.log.count("late", [window], timedelta(days=30))
        assert (counts.n_rows, counts.n_labels) == (280, 280)
        # The rows came without a prediction: the champion made it, as for a predict request.
        read = app.deployment.log.read("late", window, ["prediction"])
        assert read.column("prediction").null_count == 0
        assert app.deployment.log.changes("late", window) == []


def test_a_log_that_cannot_write_loses_nothing(deployed, files, flights):
    files("p.csv", flights(0, 20))
    with deployed.opened() as opened:
        opened.deployment.log.close()
        with pytest.raises(StorageError):
            opened.collect()
    with deployed.opened() as opened:
        opened.collect()
        assert opened.n_logged() == 20


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
from conftest import Deployed
from pathlib import Path
from monitor.adapters.cursors import SqlCursors

class Deadly(SqlCursors):
    n_left = {n_left}
    def settle(self, *arguments):
        Deadly.n_left -= 1
        if Deadly.n_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        super().settle(*arguments)

with Deployed(Path(sys.argv[1])).opened() as opened:
    opened.cursors = Deadly(opened.deployment.engine)
    opened.collect()
"""


def test_a_process_killed_between_the_rows_and_the_cursor_doubles_nothing(deployed, files, flights):
    sent = flights(0, 100)
    for start in range(0, 100, 10):
        files(f"p{start:02}.csv", sent[start : start + 10])
    here = str(Path(__file__).parent)
    for n_left in (1, 2, 4):
        script = KILLED.format(folder=here, n_left=n_left)
        ended = subprocess.run(
            [sys.executable, "-c", script, str(deployed.folder)],
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    with deployed.opened() as opened:
        opened.collect()
        assert opened.n_logged() == 100
        pd.testing.assert_series_equal(opened.logged()["x"], sent["x"], check_names=False)
