"""What `leeway init` writes replays as it stands: told the target and nothing else."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leeway.cli import main

TABLES = Path(__file__).parents[3] / "shared" / "data"
"""Real tables in the order of time, which lie beside the repository on the founders' machine."""

NAMES = ("elec2", "bike_hour", "gas_drift_part", "air_quality", "beijing_pm25", "metro_traffic")

N_ROWS = 600
"""So much of a history is replayed: two to four windows."""


RETRAINED_ROWS = 1_200
"""So much of bike_hour is replayed as init configured it: eight windows, in which trials are held."""


def replayed(folder, monkeypatch, capsys, reference, history, target, *, compare="never"):
    """Run init and a backtest; returns what init said, and each policy's facts."""
    monkeypatch.chdir(folder)
    pq.write_table(reference, "reference.parquet")
    pq.write_table(history, "history.parquet")
    run("init", "--data", "reference.parquet", "--target", target)
    said = capsys.readouterr().out
    written = Path("leeway.yaml").read_text()
    # The only change: version 1 is searched for in seconds.
    short = written.replace("# retrain:", "retrain:").replace("#   budget: PT10M", "  budget: PT2S")
    Path("leeway.yaml").write_text(short)
    run("backtest", "--data", "history.parquet", "--compare", compare, "--json", "out.json")
    return said, json.loads(Path("out.json").read_text())["policies"]


def run(*arguments: str):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert not ended.value.code


@pytest.mark.skipif(not TABLES.is_dir(), reason=f"the tables are not in {TABLES}")
@pytest.mark.parametrize("name", NAMES)
def test_a_real_table_replays_with_what_init_wrote(name, tmp_path, monkeypatch, capsys):
    task = json.loads((TABLES / "tasks.json").read_text())[name]
    table, n_reference = pq.read_table(TABLES / f"{name}.parquet"), task["reference_rows"]
    reference = table.slice(0, n_reference)
    history = table.slice(n_reference, N_ROWS)
    said, (never,) = replayed(tmp_path, monkeypatch, capsys, reference, history, task["target"])
    windows = never["windows"]
    assert f"task is {task['task']}" in said
    assert "so an alert budget judges drift" in said
    assert len(windows) >= 2
    assert sum(window["n_rows"] for window in windows) == history.num_rows
    assert all(window["metric"] is not None for window in windows)
    assert {window["champion"] for window in windows} == {1}
    statuses = {window["status"] for window in windows}
    assert "ERROR" not in statuses
    assert statuses != {"NO_DATA"}  # as the first and the last are, of which only a part is there


@pytest.mark.skipif(not TABLES.is_dir(), reason=f"the tables are not in {TABLES}")
def test_a_real_table_is_retrained_as_init_configured_it(tmp_path, monkeypatch, capsys):
    """Bicycles are hired more in each month of spring: fitting again pays at once."""
    task = json.loads((TABLES / "tasks.json").read_text())["bike_hour"]
    table, n_reference = pq.read_table(TABLES / "bike_hour.parquet"), task["reference_rows"]
    rows = (table.slice(0, n_reference), table.slice(n_reference, RETRAINED_ROWS))
    _, policies = replayed(
        tmp_path, monkeypatch, capsys, *rows, task["target"], compare="never,configured"
    )
    never, configured = policies
    assert configured["fits"] > 0 == never["fits"]
    assert configured["retrain_cpu_seconds"] > 0 == never["retrain_cpu_seconds"]
    assert "ERROR" not in {window["status"] for window in configured["windows"]}
    assert all(window["metric"] is not None for window in configured["windows"])
    if configured["promotions"]:
        assert {window["champion"] for window in configured["windows"]} > {1}
        assert configured["mean"] < never["mean"]  # MAE
    else:
        assert configured["mean"] == never["mean"]


@pytest.mark.parametrize("has_clock", [True, False])
def test_what_init_leaves_out_may_come_and_is_no_incident(has_clock, tmp_path, monkeypatch, capsys):
    table = made_up(1_400 if has_clock else 1_200, has_clock=has_clock)
    reference, history = table.slice(0, 1_000), table.slice(1_000)
    said, (never,) = replayed(tmp_path, monkeypatch, capsys, reference, history, "late")
    windows = never["windows"]
    assert "'number' is left out: it only counts the rows" in said
    assert "'who' is left out: nearly every row has its own value" in said
    assert "windows of the reference: 10, so an alert budget judges drift" in said
    assert [window["n_rows"] for window in windows] == [100] * (4 if has_clock else 2)
    assert {window["diagnosis"] for window in windows} == {"none"}
    assert {window["status"] for window in windows} <= {"OK", "WARNING"}


def made_up(n_rows, *, has_clock):
    """Rows, a hundred a day, with two columns that only name them."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=n_rows)
    start, step = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1) / 100
    times = {"at": [start + i * step for i in range(n_rows)]} if has_clock else {}
    return pa.table(
        {
            **times,
            "number": range(n_rows),
            "who": [f"customer {i}" for i in rng.permutation(n_rows)],
            "x": x,
            "weather": rng.choice(["dry", "rain"], n_rows),
            "late": (rng.uniform(size=n_rows) < 1 / (1 + np.exp(-2 * x))).astype(int),
        }
    )
