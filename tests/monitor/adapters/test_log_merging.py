"""Large bodies become Parquet, and a date's small files become few; nothing is lost on the way."""

import os
import time
from dataclasses import replace

import pyarrow as pa
import pytest

from monitor.adapters import log_arrivals, log_merging, log_reading, log_sealing
from monitor.adapters.log_arrivals import ARRIVALS, UNREGISTERED
from monitor.adapters.log_catalog import LogStats
from monitor.batch import EVENT_AT, ROW, TIMESTAMP, Receipt
from monitor.errors import StorageError
from monitor.window import Counts, Window
from tests.logs import (
    DAY,
    PREDICTIONS,
    T0,
    WEEK,
    append,
    ids,
    predictions,
    read,
)


@pytest.fixture
def all_large(monkeypatch):
    """Take every body for a large one."""
    monkeypatch.setattr(log_arrivals, "LARGE_BYTES", 1)
    monkeypatch.setattr("monitor.adapters.log_writer.LARGE_BYTES", 1)


@pytest.fixture
def few_files(monkeypatch):
    """Merge the third small file of a date."""
    monkeypatch.setattr(log_merging, "SMALL_FILES", 2)


def n_files(log):
    return log.stats()[PREDICTIONS].n_files


def test_a_large_body_is_one_file_past_the_inbox_and_sealed_one_for_each_date(log, place):
    n_rows = 50_000
    large = predictions("large", n_rows)
    times = pa.array([T0 + i % 2 * DAY for i in range(n_rows)], TIMESTAMP)
    rows = large.rows.drop_columns([EVENT_AT]).append_column(EVENT_AT, times)
    append(log, predictions("small"), replace(large, table=rows))
    stats = log.stats()[PREDICTIONS]
    assert stats == LogStats(n_rows + 1, 1, 1, stats.n_bytes)
    before = read(log, ["x"])
    assert before.column(ROW).to_pylist() == list(range(n_rows + 1))
    assert log.count("flights", [Window(T0, T0 + DAY)], DAY)[0] == Counts(n_rows // 2 + 1, 0)
    assert log.seal() == 1
    assert n_files(log) == 3
    assert place.files.found(ARRIVALS) == set()
    assert read(log, ["x"]) == before
    assert log.verify() == []


@pytest.mark.usefixtures("all_large")
def test_a_repeated_large_body_adds_nothing_and_its_file_is_removed_when_it_is_old(log, place):
    assert append(log, predictions("a", 2)) == Receipt(2, repeated=False)
    assert append(log, predictions("a", 2)) == Receipt(2, repeated=True)
    assert ids(log) == ["a/0", "a/1"]
    log.seal()
    (orphan,) = place.files.found(ARRIVALS)  # somebody may be about to register it
    if place.files.is_local:
        long_ago = time.time() - UNREGISTERED.total_seconds()
        os.utime(place.files.full(orphan), (long_ago, long_ago))
        log.seal()
        assert place.files.found(ARRIVALS) == set()
    assert ids(log) == ["a/0", "a/1"]


@pytest.mark.usefixtures("all_large")
def test_a_large_body_whose_file_is_gone_before_it_is_acknowledged_is_not_acknowledged(log, place):
    with place.busy():
        append_later = log.append([predictions("a", 2)])
        while not (found := {p for p in place.files.found(ARRIVALS) if p.endswith(".arrow")}):
            time.sleep(0.01)
        place.files.remove(found.pop())
    with pytest.raises(StorageError, match="is gone; send the request again"):
        append_later.result(60)
    assert append(log, predictions("a", 2)) == Receipt(2, repeated=False)
    assert ids(log) == ["a/0", "a/1"]


@pytest.mark.usefixtures("all_large")
def test_an_altered_large_body_is_not_read_and_not_sealed_and_holds_nothing_up(log, place):
    append(log, predictions("a", 2))
    (altered,) = place.files.found(ARRIVALS)
    content = bytearray(place.content(altered))
    content[-20] ^= 1
    place.files.put(altered, pa.py_buffer(bytes(content)))
    append(log, predictions("b", 2, at=T0 + DAY))
    log.seal()
    assert len(place.files.found()) == 1
    (problem,) = log.verify()
    assert problem.startswith(f"{altered}: altered")
    with pytest.raises(StorageError, match="is altered"):
        read(log, ["x"])
    assert ids(log, Window(T0 + DAY, WEEK.end)) == ["b/0", "b/1"]


@pytest.mark.usefixtures("few_files")
def test_the_small_files_of_a_date_are_merged_and_read_as_before(log, place):
    for number in range(8):
        days = (0, 1 + number % 3)
        append(log, *(predictions(f"{number}-{day}", 3, at=T0 + day * DAY) for day in days))
        before = read(log, ["x"])
        log.seal()
        assert read(log, ["x"]) == before
    assert n_files(log) <= 4 * 2
    assert len(place.files.found()) == n_files(log)
    assert log.verify() == []
    assert before.column(ROW).to_pylist() == list(range(48))


@pytest.mark.usefixtures("few_files")
def test_columns_that_came_later_are_null_in_the_rows_merged_with_them(log):
    for number, columns in enumerate([{"x": [1]}, {"x": [1.5]}, {"y": ["b"]}, {"x": ["c"]}]):
        append(log, predictions(f"{number}", columns=columns))
        log.seal()
    rows = read(log, ["x", "y"])
    assert rows.column("y").to_pylist() == [None, None, "b", None]
    assert rows.column("x").to_pylist() == ["1", "1.5", None, "c"]


@pytest.mark.usefixtures("few_files")
def test_a_file_that_is_altered_or_missing_is_not_merged(log, place):
    append(log, predictions("0", 1000))
    log.seal()
    (altered,) = place.files.found()
    content = bytearray(place.content(altered))
    content[100] ^= 1
    place.files.put(altered, pa.py_buffer(bytes(content)))
    for number in range(1, 4):
        append(log, predictions(f"{number}", 2))
        log.seal()
    assert altered in place.files.found()
    assert [problem.partition(":")[0] for problem in log.verify()] == [altered]
    assert n_files(log) < 4


def test_a_long_day_becomes_files_of_a_bounded_size(log, place, monkeypatch):
    monkeypatch.setattr(log_merging, "SMALL_FILES", 2)
    n_rows = 2_000
    append(log, predictions("first", n_rows))
    log.seal()
    ((one,),) = place.execute("SELECT bytes FROM log_files")
    monkeypatch.setattr(log_merging, "MERGED_BYTES", 4 * one)
    monkeypatch.setattr(log_merging, "SMALL_BYTES", one + one // 5)
    for number in range(19):
        append(log, predictions(f"{number}", n_rows))
        log.seal()
    sizes = [n_bytes for (n_bytes,) in place.execute("SELECT bytes FROM log_files")]
    assert len(sizes) < 12
    assert max(sizes) <= 4 * one
    assert read(log).column(ROW).to_pylist() == list(range(20 * n_rows))


def test_a_long_inbox_is_sealed_in_portions(log, monkeypatch):
    for number in range(6):
        append(log, predictions(f"{number}", 5))
    monkeypatch.setattr(log_sealing, "SEAL_BYTES", 1)
    before = read(log)
    log.seal()
    assert n_files(log) == 6
    assert read(log) == before


def test_rows_are_read_though_their_file_is_merged_before_it_is_opened(log, place, monkeypatch):
    append(log, predictions("a", 3))
    log.seal()
    append(log, predictions("b", 3))
    log.seal()
    find, calls = log_reading.find, []

    def find_and_merge(*arguments: object) -> object:
        source = find(*arguments)
        if not calls:
            calls.append(1)
            monkeypatch.setattr(log_merging, "SMALL_FILES", 1)
            log.seal()
        return source

    monkeypatch.setattr(log_reading, "find", find_and_merge)
    assert len(place.files.found()) == 2
    assert ids(log) == ["a/0", "a/1", "a/2", "b/0", "b/1", "b/2"]
    assert len(place.files.found()) == 1
