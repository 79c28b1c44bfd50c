"""Files and frames as columns: only what is asked for is read, and in pieces."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.adapters.column_files import open_columns
from monitor.adapters.column_frames import frame_columns
from monitor.errors import SchemaError
from monitor.values import PIECE_ROWS

FIRST_BLOCK = 1 << 20
"""Bytes of a CSV that suggest its columns' types."""


def read(columns, name):
    """Every value of a column."""
    return [value for chunk in columns.chunks(name) for value in chunk.to_pylist()]


def opened(source: object, **options: object):
    """What a source holds: type and values by column."""
    with open_columns(source, **options) as columns:
        return {name: (columns.dtype(name), read(columns, name)) for name in columns.names}


def table(**more: object):
    return pa.table(
        {
            "x": [1.5, None, 3.5],
            "n": [1, 2, None],
            "g": ["a", None, "b"],
            "level": pa.array(["u", "v", "u"]).dictionary_encode(),
            **more,
        }
    )


@pytest.fixture
def csv(tmp_path):
    """Write a CSV."""

    def write(text: str) -> Path:
        path = tmp_path / "rows.csv"
        path.write_bytes(text.encode())
        return path

    return write


# Parquet and Arrow


WRITERS = {
    "rows.parquet": pq.write_table,
    "rows.feather": pyarrow.feather.write_feather,
    "file.arrow": lambda table, path: _write_ipc(pa.ipc.new_file, table, path),
    "stream.arrow": lambda table, path: _write_ipc(pa.ipc.new_stream, table, path),
    "polars.arrow": lambda table, path: pl.from_arrow(table).write_ipc(path),
    "polars.parquet": lambda table, path: pl.from_arrow(table).write_parquet(path),
}


def _write_ipc(new, table: pa.Table, path) -> None:
    with new(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_gives_what_was_written(tmp_path, name):
    WRITERS[name](table(), tmp_path / name)
    with open_columns(tmp_path / name) as columns:
        assert (columns.n_rows, list(columns.names)) == (3, ["x", "n", "g", "level"])
        assert {n: read(columns, n) for n in columns.names} == table().to_pydict()


@pytest.mark.parametrize("name", ["rows.parquet", "file.arrow", "stream.arrow"])
def test_the_ending_does_not_matter_where_the_first_bytes_say_it(tmp_path, name):
    WRITERS[name](table(), tmp_path / name)
    if name != "stream.arrow":
        (tmp_path / name).rename(tmp_path / "rows.bin")
        assert opened(tmp_path / "rows.bin")["x"][1] == [1.5, None, 3.5]
    assert opened(str(tmp_path / name) if name == "stream.arrow" else tmp_path / "rows.bin")


@pytest.mark.parametrize("name", ["rows.parquet", "file.arrow", "stream.arrow"])
def test_a_column_is_read_by_its_exact_name(tmp_path, name):
    odd = {
        "a.b": [1, 2, 3],
        "a": pa.array([{"b": 7}, {"b": 8}, {"b": 9}]),
        "": [4, 5, 6],
        'new\nline "quoted" `': [7, 8, 9],
        "名": ["é", None, "ü"],
    }
    WRITERS[name](table(**odd), tmp_path / name)
    found = opened(tmp_path / name)
    assert {key: found[key][1] for key in odd} == table(**odd).select(list(odd)).to_pydict()
    with open_columns(tmp_path / name) as columns, pytest.raises(KeyError):
        list(columns.chunks("a.c"))


@pytest.mark.parametrize("name", ["rows.parquet", "file.arrow", "stream.arrow"])
def test_two_columns_can_be_read_at_the_same_time(tmp_path, name):
    WRITERS[name](table(), tmp_path / name)
    with open_columns(tmp_path / name) as columns:
        first, second = columns.chunks("x"), columns.chunks("g")
        pairs = zip(first, second, strict=True)
        values = [
            (x, g) for a, b in pairs for x, g in zip(a.to_pylist(), b.to_pylist(), strict=True)
        ]
    assert values == [(1.5, "a"), (None, None), (3.5, "b")]


def test_a_parquet_column_comes_in_pieces_however_large_a_row_group_is(tmp_path):
    many = 2 * PIECE_ROWS + 5
    rows = pa.table({"x": np.arange(float(many)), "y": np.zeros(many)})
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=many)
    with open_columns(tmp_path / "rows.parquet") as columns:
        assert [len(chunk) for chunk in columns.chunks("x")] == [PIECE_ROWS, PIECE_ROWS, 5]


def test_only_the_column_that_is_asked_for_is_read(tmp_path):
    rows = pa.table({"x": np.arange(5000.0), "y": np.arange(5000.0)})
    pq.write_table(rows, tmp_path / "rows.parquet", compression="gzip", use_dictionary=False)
    y = pq.ParquetFile(tmp_path / "rows.parquet").metadata.row_group(0).column(1)
    damaged = bytearray((tmp_path / "rows.parquet").read_bytes())
    damaged[y.data_page_offset : y.data_page_offset + y.total_compressed_size] = bytes(
        y.total_compressed_size
    )
    (tmp_path / "rows.parquet").write_bytes(damaged)
    with open_columns(tmp_path / "rows.parquet") as columns:
        assert sum(len(chunk) for chunk in columns.chunks("x")) == 5000
        with pytest.raises((pa.ArrowException, OSError)):
            list(columns.chunks("y"))


def test_few_levels_are_read_as_a_dictionary_and_many_texts_are_not(tmp_path):
    texts = {"few": ["a", "b"] * 5000, "many": [f"text {n}" for n in range(10_000)]}
    pq.write_table(pa.table(texts), tmp_path / "rows.parquet")
    with open_columns(tmp_path / "rows.parquet") as columns:
        types = {name: next(columns.chunks(name)).type for name in texts}
        assert {name: read(columns, name) for name in texts} == texts
    assert pa.types.is_dictionary(types["few"])
    assert types["many"] == pa.string()


# CSV


def test_a_csv_s_empty_cells_are_missing(csv):
    found = opened(csv("x,g,nothing\n1,a,\n,,\n3,NA,\n"))
    assert found["x"] == (pa.int64(), [1, None, 3])
    assert found["g"] == (pa.string(), ["a", None, None])
    assert found["nothing"] == (pa.null(), [None] * 3)


LATE = {
    "whole numbers, then a fraction": ("1", "2.5", pa.float64(), 1.0, 2.5),
    "numbers, then a text": ("007", "A12", pa.string(), "007", "A12"),
    "nothing, then a number": ("", "7", pa.int64(), None, 7),
    "nothing, then a text": ("", "a", pa.string(), None, "a"),
    "truths, then a text": ("True", "maybe", pa.string(), "True", "maybe"),
    "days, then an instant": (
        "2026-01-05",
        "2026-01-05 10:00:00",
        pa.timestamp("ns"),
        pd.Timestamp("2026-01-05"),
        pd.Timestamp("2026-01-05 10:00"),
    ),
    "days, then a text": ("2026-01-05", "soon", pa.string(), "2026-01-05", "soon"),
    "a number beyond 64 bits": ("1", "1" + "0" * 25, pa.float64(), 1.0, 1e25),
}


@pytest.mark.parametrize("case", LATE)
def test_a_csv_column_has_the_type_of_the_whole_file_not_of_its_start(csv, case):
    first, last, dtype, first_value, last_value = LATE[case]
    line = f"{first},pad\n"
    n_lines = 2 * FIRST_BLOCK // len(line)
    found = opened(csv("x,y\n" + line * n_lines + f"{last},pad\n"))["x"]
    assert found[0] == dtype
    assert (found[1][0], found[1][-1], len(found[1])) == (first_value, last_value, n_lines + 1)


def test_a_csv_column_that_is_text_elsewhere_can_stay_text(csv):
    assert opened(csv("zip,x\n02139,1\n"), texts=["zip"])["zip"] == (pa.string(), ["02139"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_s_delimiter_is_taken_from_its_header(csv, delimiter):
    found = opened(csv("x,g\n1,a\n2,b\n".replace(",", delimiter)))
    assert {name: values for name, (_, values) in found.items()} == {"x": [1, 2], "g": ["a", "b"]}


def test_a_csv_may_have_line_breaks_in_quotes_windows_line_ends_and_a_mark_of_its_encoding(csv):
    found = opened(csv('\ufeffx,note\r\n1,"one\r\ntwo, three"\r\n2,"say ""no"""\r\n'))
    assert found["x"][1] == [1, 2]
    assert found["note"][1] == ["one\r\ntwo, three", 'say "no"']


def test_a_csv_row_may_be_longer_than_a_block(csv):
    found = opened(csv(f"x,note\n1,{'long' * FIRST_BLOCK}\n2,short\n"))
    assert [len(text) for text in found["note"][1]] == [4 * FIRST_BLOCK, 5]


def test_a_csv_may_be_compressed(tmp_path):
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"x;g\n1;a\n"))
    assert opened(path)["x"] == (pa.int64(), [1])


def test_a_csv_s_copy_is_gone_after_an_error_too(csv, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    path = csv("x\n1\n")
    with pytest.raises(KeyError), open_columns(path) as columns:
        columns.dtype("nothing")
    assert list(temporary.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**52), 2**52),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.text(alphabet="abc ,;\"'\n", min_size=1).map(lambda text: f"t{text}"),
            st.booleans(),
        ),
        min_size=1,
    )
)
def test_what_pandas_writes_as_csv_is_read_as_it_was(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    names = ["n", "x", "g", "flag"]
    frame = pd.DataFrame(rows, columns=names).astype({"n": "Int64", "x": float})
    frame.to_csv(path, index=False)
    found = opened(path)
    for name, written in zip(names, zip(*rows, strict=True), strict=True):
        assert found[name][1] == list(written)


# what is refused


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.parquet", b"PAR1 but no more", "cannot be read"),
        ("rows.parquet", b"words", "neither Parquet, Arrow nor CSV"),
        ("rows.arrow", b"words", "cannot be read"),
        ("rows.arrow", b"ARROW1 but no more", "cannot be read"),
        ("rows.csv", b"", "the file is empty"),
        ("rows.csv", b"x,y\n1\n", "CSV parse error"),
        ("rows.csv", "x\né\n".encode("latin-1"), "'x' is not UTF-8"),
        ("rows.csv", b"\x00\x01\x02\xff\xfe", "rows.csv"),
        ("rows.csv.gz", b"words", "cannot be read"),
        ("rows.xlsx", b"PK", "the ending of a CSV must be one of .csv, .tsv, .txt"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SchemaError) as refused, open_columns(path):
        pass
    assert str(refused.value).startswith(f"{path}: ")
    assert message in str(refused.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(SchemaError, match="No such file"), open_columns(tmp_path / "no.csv"):
        pass


# frames


@pytest.mark.parametrize(
    "frame",
    [
        table(),
        table().to_batches()[0],
        table().to_reader(),
        table().to_pandas(),
        table().to_pandas(types_mapper=pd.ArrowDtype),
        table().to_pandas().convert_dtypes(),
        pl.from_arrow(table()),
    ],
    ids=["table", "batch", "reader", "pandas", "pandas-arrow", "pandas-nullable", "polars"],
)
def test_a_frame_gives_what_is_in_it(frame):
    columns = frame_columns(frame)
    assert (columns.n_rows, list(columns.names)) == (3, ["x", "n", "g", "level"])
    assert {name: read(columns, name) for name in columns.names} == table().to_pydict()


def test_a_pandas_column_of_mixed_values_becomes_text():
    mixed = [1, 1.0, "a", None, True, datetime(2026, 1, 5, tzinfo=UTC)]
    columns = frame_columns(pd.DataFrame({"x": pd.Series(mixed, dtype=object)}))
    assert columns.dtype("x") == pa.string()
    assert read(columns, "x") == ["1", "1", "a", None, "true", "2026-01-05 00:00:00+00:00"]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([10**30, 1], dtype=object),
        pd.Series(["\ud800", "b"], dtype=object),
        pd.Series([1 + 2j, 3]),
        pd.Series([1, "a"], dtype="category"),
        pd.Series(pd.arrays.SparseArray([1, 2])),
        pd.Series([object(), None]),
    ],
    ids=["huge", "half a character", "complex", "mixed levels", "sparse", "objects"],
)
def test_what_arrow_has_no_type_for_is_text(values):
    columns = frame_columns(pd.DataFrame({"x": values}))
    assert columns.dtype("x") == pa.string()
    assert len(read(columns, "x")) == 2


def test_a_polars_column_that_arrow_has_no_type_for_costs_only_itself():
    columns = frame_columns(pl.DataFrame({"huge": pl.Series([1], dtype=pl.Int128), "x": [1.5]}))
    assert read(columns, "x") == [1.5]
    with pytest.raises(pa.ArrowException):
        read(columns, "huge")


def test_a_frame_has_no_column_of_another_name():
    with pytest.raises(KeyError):
        frame_columns(table()).chunks("nothing")


def test_what_is_no_frame_is_refused_and_told_what_would_be_one():
    for thing in ({"x": [1]}, [1, 2], pl.LazyFrame({"x": [1]})):
        with pytest.raises(SchemaError, match="give a frame of pandas or polars"):
            frame_columns(thing)
