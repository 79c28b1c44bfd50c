"""The prediction log on real databases and Parquet; as a program it is the process to be killed."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from monitor.adapters.locks import sole
from monitor.adapters.prediction_log import PredictionLog
from monitor.batch import (
    EVENT_AT,
    LABEL,
    PREDICTION_ID,
    ROW,
    TIMESTAMP,
    Batch,
    ChangeKind,
    Receipt,
    SchemaChange,
)
from monitor.errors import BatchRefusedError, NotFoundError, RequestConflictError, StorageError
from monitor.window import Counts, Extent, Window
from tests.logs import (
    DAY,
    HOUR,
    LABELS,
    OWN,
    PREDICTIONS,
    T0,
    WEEK,
    Place,
    append,
    ids,
    labels,
    predictions,
    read,
)


def begin(log):
    """Give the writer something to begin with, so that what comes next is another group."""
    first = log.append([predictions("first", model="another")])
    while not (first.running() or first.done()):
        time.sleep(0.001)


def as_one_group(log, place, *requests: list[Batch]):
    with place.busy():
        begin(log)
        futures = [log.append(request) for request in requests]
    wait(futures, 60)
    return futures


def test_an_acknowledged_row_is_there_after_reopening(place):
    with place.opened() as log:
        assert append(log, predictions("a", 2)) == Receipt(2, repeated=False)
    with place.opened() as log:
        rows = read(log, ["x", "y"])
        assert rows.column("x").to_pylist() == [0.0, 1.0]
        assert rows.column("y").to_pylist() == [None, None]
        assert rows.column_names == ["x", "y", *OWN]


def test_a_repeated_request_adds_nothing(log):
    append(log, predictions("a", 2))
    assert append(log, predictions("a", 2)) == Receipt(2, repeated=True)
    assert ids(log) == ["a/0", "a/1"]


def test_a_request_repeated_in_one_group_is_written_once(log, place):
    futures = as_one_group(log, place, [predictions("a")], [predictions("a")])
    assert [f.result() for f in futures] == [Receipt(1, repeated=False), Receipt(1, repeated=True)]
    assert ids(log) == ["a/0"]


def test_a_request_repeated_by_many_threads_is_written_once(log):
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda i: append(log, predictions(f"r{i % 10}")), range(200)))
    assert sum(not receipt.repeated for receipt in receipts) == 10
    assert sorted(ids(log)) == [f"r{i}/0" for i in range(10)]


def test_a_request_id_with_another_body_is_refused_alone(log, place):
    append(log, predictions("a"))
    other, fine, twin = as_one_group(
        log,
        place,
        [predictions("a", digest="other")],
        [predictions("b")],
        [predictions("b", digest="other")],
    )
    assert fine.result() == Receipt(1, repeated=False)
    for refused in (other, twin):
        with pytest.raises(RequestConflictError):
            refused.result()
    assert ids(log) == ["a/0", "b/0"]


def test_a_request_is_written_with_all_its_kinds_or_not_at_all(log):
    append(log, labels("a", {"p": 1}))
    with pytest.raises(RequestConflictError):
        append(log, predictions("a", digest="other"), labels("a", {"p": 1}, digest="other"))
    assert log.totals() == {LABELS: 1}
    assert append(log, predictions("b"), labels("b", {"p": 1})) == Receipt(1, repeated=False)


def test_a_failing_database_fails_the_group_and_the_next_one_is_written(log, place):
    append(log, predictions("a"))
    place.execute("ALTER TABLE log_counters RENAME TO hidden")
    for future in [log.append([predictions(name)]) for name in "bc"]:
        with pytest.raises(StorageError, match="nothing was written"):
            future.result(60)
    place.execute("ALTER TABLE hidden RENAME TO log_counters")
    assert append(log, predictions("b")) == Receipt(1, repeated=False)
    assert read(log).column(ROW).to_pylist() == [0, 1]


def test_rows_that_cannot_be_found_again_are_refused_alone(log, place):
    batch = predictions("unfit")
    timeless = batch.rows.drop_columns([EVENT_AT])
    unfit = [timeless, timeless.append_column(EVENT_AT, pa.array([-(2**62)], TIMESTAMP))]
    requests = [[replace(batch, table=rows)] for rows in unfit]
    *refused, fine = as_one_group(log, place, *requests, [predictions("fine")])
    for future in refused:
        with pytest.raises(BatchRefusedError, match=EVENT_AT):
            future.result()
    assert fine.result() == Receipt(1, repeated=False)


def test_more_rows_than_may_wait_are_refused(place):
    with place.opened(max_waiting_rows=10) as log:
        requests = [[predictions("a", 11)], [predictions("b", 6)], [predictions("c", 4)]]
        large, refused, small = as_one_group(log, place, *requests)
        with pytest.raises(StorageError, match="11 rows wait"):
            refused.result()
        assert isinstance(small.exception(), StorageError)
        assert large.result() == append(log, predictions("d", 11))


def test_a_cancelled_request_is_not_written_and_closing_writes_the_rest(place):
    with place.opened() as log, place.busy():
        begin(log)
        kept, cancelled = (log.append([predictions(name)]) for name in ("kept", "cancelled"))
        assert cancelled.cancel()
    assert kept.result() == Receipt(1, repeated=False)
    with pytest.raises(StorageError, match="closed"):
        append(log, predictions("late"))
    with place.opened() as log:
        assert ids(log) == ["kept/0"]


def test_a_reader_sees_every_row_once_while_others_write_and_seal(log, place):
    with place.opened() as other, ThreadPoolExecutor(2) as pool:
        writing = pool.submit(lambda: [append(log, predictions(f"r{i}", 5)) for i in range(60)])
        sealing = pool.submit(lambda: [other.seal() for _ in range(20)])
        while not (writing.done() and sealing.done()):
            rows = read(other, ["x"]).column(ROW).to_pylist()
            assert rows == list(range(len(rows)))
    assert log.count("flights", [WEEK], DAY)[0] == Counts(300, 0)


def test_what_is_read_does_not_depend_on_what_is_sealed(log):
    for i in range(6):
        append(
            log,
            predictions(f"r{i}", 3, at=T0 + i * 9 * HOUR),
            labels(f"r{i}", {f"r{i}/1": i}, at=T0 + i * DAY),
        )
    before = read(log, ["x"], horizon=DAY)
    assert log.seal() == 24
    assert read(log, ["x"], horizon=DAY) == before
    assert [log.stats()[stream].n_files for stream in (PREDICTIONS, LABELS)] == [2, 2]
    append(log, predictions("r6", 2, at=T0 + 2 * DAY))
    half = read(log, ["x"], horizon=DAY)
    assert half.slice(0, 18) == before
    assert (log.seal(), log.seal()) == (2, 0)
    assert read(log, ["x"], horizon=DAY) == half
    assert half.column(ROW).to_pylist() == list(range(20))


@pytest.mark.parametrize("sealed", [False, True])
def test_windows_hold_their_start_and_not_their_end(log, sealed):
    for hour in range(5):
        append(log, predictions(f"h{hour}", at=T0 + hour * HOUR))
    if sealed:
        log.seal()
    assert ids(log, Window(T0 + HOUR, T0 + 3 * HOUR)) == ["h1/0", "h2/0"]
    assert ids(log, log.locate("flights", (3, 5))) == ["h3/0", "h4/0"]
    assert log.locate("flights", (3, 5)) == Window(T0 + 3 * HOUR, T0 + 4 * HOUR, (3, 5))
    assert log.extent("flights") == Extent(5, T0, T0 + 4 * HOUR)
    empty = read(log, ["x"], Window(T0 + DAY, T0 + 2 * DAY), DAY)
    assert {column: [] for column in ("x", *OWN, LABEL)} == empty.to_pydict()


def test_an_empty_log_has_an_extent_counts_and_no_rows(log):
    assert (log.extent("flights"), log.count("flights", [WEEK], DAY)[0]) == (Extent(), Counts(0, 0))
    assert (ids(log), log.totals(), log.stats(), log.verify(), log.seal()) == ([], {}, {}, [], 0)
    with pytest.raises(NotFoundError):
        log.locate("flights", (0, 1))


@pytest.mark.parametrize("sealed", [False, True])
def test_labels_join_until_the_horizon_and_the_first_one_counts(log, sealed):
    append(log, predictions("r", ids=["early", "late", "too late", "never"]))
    append(log, labels("1", {"early": 1}, at=T0), labels("2", {"early": 0, "stranger": 1}))
    append(log, labels("3", {"late": 0}, at=WEEK.end + 2 * DAY - HOUR))
    append(log, labels("4", {"too late": 1}, at=WEEK.end + 2 * DAY))
    if sealed:
        log.seal()
    joined = [read(log, horizon=days * DAY).column(LABEL).to_pylist() for days in (2, 3)]
    assert joined == [[1, 0, None, None], [1, 0, 1, None]]
    assert log.count("flights", [WEEK], 2 * DAY)[0] == Counts(4, 2)
    assert LABEL not in read(log).column_names


@pytest.mark.parametrize("sealed", [False, True])
def test_the_first_acknowledged_prediction_id_wins(log, sealed):
    append(log, predictions("1", ids=["a", "b", "a"]))
    if sealed:
        log.seal()
    append(log, predictions("2", ids=["b", "c"]))
    assert read(log, ["x"]).column("x").to_pylist() == [0, 1, 1]
    assert log.count("flights", [WEEK], DAY)[0] == Counts(3, 0, 2)


@pytest.mark.parametrize("how", ["one group", "payloads", "half sealed", "sealed"])
def test_columns_may_come_go_and_change_their_type(log, place, how):
    bodies = [
        {"x": pa.array([1]), "y": pa.array(["a"]).dictionary_encode(), "z": [[1]]},
        {"x": pa.array([1.5]), "y": pa.array(["b"]), "z": ["text"]},
        {"x": pa.nulls(1), "w": [True]},
    ]
    requests = [[predictions(f"r{i}", columns=body)] for i, body in enumerate(bodies)]
    if how == "one group":
        as_one_group(log, place, *requests)
    for request in requests:
        append(log, *request)
        if how == "half sealed":
            log.seal()
    if how == "sealed":
        log.seal()
    rows = read(log, ["x", "y", "z", "w"])
    assert rows.select(["x", "y", "z", "w"]).to_pydict() == {
        "x": [1.0, 1.5, None],
        "y": ["a", "b", None],
        "z": ["[1]", "text", None],
        "w": [None, None, True],
    }


def test_schema_changes_are_added_up_over_the_batches_of_a_window(log):
    missing = SchemaChange("x", ChangeKind.MISSING, 2)
    extra = SchemaChange("y", ChangeKind.EXTRA, 1)
    append(log, predictions("1", 2, changes=[missing]))
    append(log, predictions("2", 2, at=T0 + DAY, changes=[missing, extra]))
    append(log, predictions("3", 2, at=WEEK.end, changes=[extra]))
    assert log.changes("flights", WEEK) == [SchemaChange("x", ChangeKind.MISSING, 4), extra]
    assert log.changes("flights", log.locate("flights", (0, 2))) == [missing]
    assert log.changes("flights", Window(T0 - DAY, T0)) == []


def test_an_altered_or_missing_file_is_found_and_not_read(log, place):
    append(log, predictions("1", 1000), predictions("2", 10, at=T0 + DAY))
    log.seal()
    assert log.verify() == []
    altered, missing = sorted(place.files.found())
    content = bytearray(place.content(altered))
    content[100] ^= 1
    place.files.put(altered, pa.py_buffer(bytes(content)))
    place.files.remove(missing)
    problems = log.verify()
    assert ["altered" in problems[0], "missing" in problems[1]] == [True, True]
    with pytest.raises(StorageError, match="could not read rows"):
        read(log, ["x"])


def test_files_that_nothing_knows_are_removed_at_the_next_seal_or_opening(log, place):
    append(log, predictions("1"))
    log.seal()
    (known,) = place.files.found()
    for clean in (log.seal, place.reopen):
        for name in ("orphan.parquet", "unfinished.tmp"):
            place.files.put(f"{known.rpartition('/')[0]}/{name}", pa.py_buffer(b"half"))
        clean()
        assert place.files.found() == {known}


def test_one_process_seals_at_a_time(log, tmp_path, place):
    append(log, predictions("1"))
    engine = place.engine()
    with sole(engine, tmp_path / "seal.lock", wait=False) as mine:
        assert mine is not None
        assert log.seal() == 0
    engine.dispose()
    assert log.seal() == 1


def test_a_log_of_a_newer_version_is_refused(tmp_path):
    PredictionLog(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match="upgrade Leeway"):
        PredictionLog(tmp_path)


def start(task, place, *arguments: object):
    """Run this file as another process."""
    root = Path(__file__).parents[3]
    words = [task, place.folder, place.url, place.bucket, *arguments]
    command = [sys.executable, __file__, *map(str, words)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )


def kill_soon(process, seed):
    """Kill a process some time after its first word; returns all that it said."""
    with process:
        said = [process.stdout.readline()]
        time.sleep(random.Random(seed).uniform(0.05, 0.4))
        process.kill()
        said += process.stdout.readlines()
    return [line.strip() for line in said if line.endswith("\n")]


def test_kill_9_loses_and_doubles_no_acknowledged_row(place):
    acknowledged = []
    for seed in range(3):
        acknowledged += kill_soon(start("write", place, f"p{seed}"), seed)
    with place.opened() as log:
        for sealed in (False, True):
            kept = read(log)
            found = kept.column(PREDICTION_ID).to_pylist()
            assert set(acknowledged) <= set(found)
            assert kept.column(ROW).to_pylist() == list(range(len(found)))
            assert log.count("flights", [WEEK], DAY)[0].n_repeated == 0
            assert sealed or log.seal() == len(found)
    assert len(acknowledged) > 3


def test_kill_9_while_sealing_leaves_every_row_once(place):
    for seed in range(4):
        kill_soon(start("seal", place, f"p{seed}"), seed)
    with place.opened() as log:
        before = read(log, ["x"])
        assert before.column(ROW).to_pylist() == list(range(log.totals()[PREDICTIONS]))
        assert log.count("flights", [WEEK], DAY)[0].n_repeated == 0
        log.seal()
        assert read(log, ["x"]) == before
        assert log.verify() == []


def test_two_processes_that_seal_at_once_lose_and_double_nothing(place):
    processes = [start("seal", place, name, 20) for name in "ab"]
    assert [process.wait(60) for process in processes] == [0, 0]
    for process in processes:
        process.stdout.close()
    with place.opened() as log:
        assert read(log).column(ROW).to_pylist() == list(range(2 * 20 * 5 * 20))
        log.seal()
        stats = log.stats()[PREDICTIONS]
        assert (stats.n_rows, stats.n_inbox_rows, log.verify()) == (4000, 0, [])
        assert log.count("flights", [WEEK], DAY)[0] == Counts(4000, 0)


def test_one_request_from_two_processes_at_once_is_written_once_and_acknowledged_to_both(place):
    processes = [start("write", place, "same", 100) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sorted(said[0]) == sorted(said[1])
    with place.opened() as log:
        assert sorted(ids(log)) == sorted(said[0])


def test_two_writing_processes_number_every_row_once(place):
    processes = [start("write", place, name, 150) for name in "ab"]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    with place.opened() as log:
        rows = read(log)
    assert rows.column(ROW).to_pylist() == list(range(300))
    assert sorted(rows.column(PREDICTION_ID).to_pylist()) == sorted(said[0] + said[1])


def write(log, name, n_requests):
    """Append from four threads, and print each prediction id once it is acknowledged."""

    def one(i) -> None:
        append(log, predictions(f"{name}-{i}"))
        sys.stdout.write(f"{name}-{i}/0\n")
        sys.stdout.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(n_requests)))


def seal_on(log, name, n_times):
    """Seal over and over while rows come in."""
    for i in range(n_times):
        append(log, *(predictions(f"{name}-{i}-{day}", 20, at=T0 + day * DAY) for day in range(5)))
        if i % 3 == 2:
            sys.stdout.write(f"{log.seal()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    with Place(Path(sys.argv[2]), *sys.argv[3:5]).opened() as own:
        n_times = int(sys.argv[6]) if len(sys.argv) > 6 else 10_000
        {"write": write, "seal": seal_on}[sys.argv[1]](own, sys.argv[5], n_times)
