"""The files source: which files are read, when, and what becomes of those that cannot be."""

import os
import threading
import time

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.adapters.sources import files
from monitor.adapters.sources.files import FilesSource
from monitor.errors import SourceError

ROWS = pd.DataFrame({"n": [1, 2, 3]})


def read(found, cursors):
    """Read all pieces; returns the numbers of rows by place, and notes the cursors."""
    numbers = {}
    for piece in found.pieces(cursors):
        cursors[piece.place] = piece.cursor
        if piece.body is not None:
            column = piece.body.columns["n"]
            numbers.setdefault(piece.place, []).extend(map(int, column.to_pylist()))
    return numbers


@pytest.fixture
def source(tmp_path):
    """A source of all files below a folder."""
    return FilesSource(f"{tmp_path}/**/*.*", 0.0)


def test_files_are_read_in_the_order_of_their_names(tmp_path, source):
    (tmp_path / "b").mkdir()
    for name in ("c.csv", "a.csv", "b/z.csv"):
        ROWS.to_csv(tmp_path / name)
    assert list(read(source, {})) == ["a.csv", "b/z.csv", "c.csv"]


def test_hidden_and_unfinished_files_are_left_alone(tmp_path, source):
    for name in (".a.csv", "_b.csv", "c.csv.tmp", "d.csv.part", "e.csv~", "f.csv"):
        ROWS.to_csv(tmp_path / name)
    assert list(read(source, {})) == ["f.csv"]


def test_a_pattern_without_wild_cards_names_one_file(tmp_path):
    ROWS.to_csv(tmp_path / "a.csv")
    ROWS.to_csv(tmp_path / "b.csv")
    assert read(FilesSource(f"{tmp_path}/a.csv", 0.0), {}) == {"a.csv": [1, 2, 3]}


def test_a_file_that_is_being_written_is_not_read_before_it_has_settled(tmp_path):
    now = time.time()
    found = FilesSource(f"{tmp_path}/*.csv", 10.0, wall_clock=lambda: now)
    path, cursors = tmp_path / "a.csv", {}
    for n_rows in (1, 2, 3):
        ROWS[:n_rows].to_csv(path)
        os.utime(path, (now, now))
        now += 6
        assert read(found, cursors) == {}
    now += 5
    assert read(found, cursors) == {"a.csv": [1, 2, 3]}


def test_a_file_from_the_future_is_read_when_it_no_longer_changes(tmp_path):
    now = time.time()
    found = FilesSource(f"{tmp_path}/*.csv", 10.0, wall_clock=lambda: now)
    ROWS.to_csv(tmp_path / "a.csv")
    os.utime(tmp_path / "a.csv", (now + 3600, now + 3600))
    assert read(found, {}) == {}
    now += 11
    assert read(found, {}) == {"a.csv": [1, 2, 3]}


def test_writers_that_pause_less_than_it_takes_to_settle_are_never_read_in_half(tmp_path):
    found = FilesSource(f"{tmp_path}/*.csv", 0.5)
    done = threading.Event()

    def write() -> None:
        with (tmp_path / "a.csv").open("w") as file:
            file.write("n\n")
            for n in range(60):
                file.write(f"{n}\n")
                file.flush()
                time.sleep(0.02)
        done.set()

    writer, cursors, numbers = threading.Thread(target=write), {}, {}
    writer.start()
    while not numbers:
        numbers = read(found, cursors)
    assert done.is_set()
    assert numbers == {"a.csv": list(range(60))}
    writer.join()


def test_a_changed_file_is_read_again_and_one_that_was_only_touched_is_not(tmp_path, source):
    path, cursors = tmp_path / "a.csv", {}
    ROWS.to_csv(path)
    read(source, cursors)
    os.utime(path, (1, 1))
    assert read(source, cursors) == {}
    ROWS[:2].to_csv(path)
    assert read(source, cursors) == {"a.csv": [1, 2]}


def test_a_large_file_comes_in_pieces_and_goes_on_where_it_was_left(tmp_path, source, monkeypatch):
    monkeypatch.setattr(files, "PIECE_ROWS", 4)
    for name in ("a.csv", "b.parquet"):
        frame, cursors = pd.DataFrame({"n": range(10)}), {}
        (frame.to_csv if name == "a.csv" else frame.to_parquet)(tmp_path / name)
        first = next(iter(source.pieces(cursors)))
        assert first.body.n_rows == 4
        assert read(source, {first.place: first.cursor}) == {name: [4, 5, 6, 7, 8, 9]}
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.parquet", b"PAR1 no parquet at all PAR1"),
        ("b.parquet", b""),
        ("b.csv", b""),
        ("b.txt", b"n\n1\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_once_and_the_others_are_read(
    tmp_path, source, name, content
):
    ROWS.to_csv(tmp_path / "a.csv")
    (tmp_path / name).write_bytes(content)
    ROWS.to_csv(tmp_path / "c.csv")
    cursors, refused = {}, []
    for piece in source.pieces(cursors):
        cursors[piece.place] = piece.cursor
        refused += [piece.refused] if piece.refused else []
    (problem,) = refused
    assert name in str(problem)
    assert set(cursors) == {"a.csv", name, "c.csv"}
    assert list(source.pieces(cursors)) == []


def test_damage_inside_a_parquet_file_keeps_the_rows_before_it(tmp_path, source, monkeypatch):
    monkeypatch.setattr(files, "PIECE_ROWS", 500)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": list(range(1000))}), path, row_group_size=500, compression="none")
    content = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(1).column(0).dictionary_page_offset
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(content)
    pieces = list(source.pieces({}))
    assert pieces[0].body.n_rows == 500
    assert "not valid Parquet" in str(pieces[-1].refused)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="nowhere"):
        list(FilesSource(f"{tmp_path}/nowhere/*.csv").pieces({}))


def test_a_scheme_that_nobody_knows_is_an_error():
    with pytest.raises(SourceError, match="gopher://"):
        list(FilesSource("gopher://host/rows/*.csv").pieces({}))


def test_files_are_read_through_fsspec_where_arrow_has_no_file_system():
    memory = fsspec.filesystem("memory")
    memory.pipe("/rows/a.csv", ROWS.to_csv().encode())
    found = FilesSource("memory:///rows/*.csv", 0.0)
    cursors = {}
    assert read(found, cursors) == {"a.csv": [1, 2, 3]}
    assert read(found, cursors) == {}
