"""The SQL source: ties, times, and what a query must not do."""

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from monitor.adapters.sources import sql
from monitor.adapters.sources.sql import SqlSource
from monitor.errors import SourceError


@pytest.fixture
def shop(tmp_path):
    """A database with a table of numbered rows."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("create table sales (n int, day text, amount numeric)"))

    def sell(*days: str) -> None:
        with engine.begin() as connection:
            for day in days:
                insert = "insert into sales select count(*), :day, 1.5 from sales"
                connection.execute(sa.text(insert), {"day": day})

    sell.url = engine.url
    return sell


def source(shop, operator, *, order="order by day", column="day", batch_rows=2):
    query = f"select * from sales where {column} {operator} :cursor {order}"
    start = "" if column == "day" else -1
    return SqlSource(shop.url, query, column, start, batch_rows)


def read(found, cursors):
    """Read all pieces; returns the numbers of their rows, and notes the cursor."""
    numbers = []
    for piece in found.pieces(cursors):
        numbers.append(list(piece.body.columns["n"]))
        cursors[piece.place] = piece.cursor
    return numbers


@pytest.mark.parametrize("operator", [">", ">="])
def test_rows_with_one_value_of_the_cursor_are_never_parted(shop, operator):
    shop("mon", "tue", "tue", "tue", "tue", "wed")
    cursors = {}
    assert read(source(shop, operator), cursors) == [[0, 1, 2, 3, 4], [5]]
    assert read(source(shop, operator), cursors) == []


def test_rows_that_come_with_the_last_value_are_found_from_the_cursor_on(shop):
    shop("mon", "tue")
    cursors = {}
    read(source(shop, ">="), cursors)
    shop("tue", "tue")
    assert read(source(shop, ">="), cursors) == [[2, 3]]
    shop("tue", "wed")
    assert read(source(shop, ">="), cursors) == [[4, 5]]


def test_equal_rows_are_told_apart_by_their_number(shop):
    alike = "select day, amount, 1 as n from sales where day >= :cursor order by day"
    found, cursors = SqlSource(shop.url, alike, "day", ""), {}
    shop("mon", "mon", "mon")
    assert read(found, cursors) == [[1, 1, 1]]
    shop("mon", "mon")
    assert read(found, cursors) == [[1, 1]]


def test_a_table_that_grows_while_it_is_read_is_read_once(shop):
    shop(*[f"d{i:03}" for i in range(50)])
    done, cursors = threading.Event(), {}

    def grow() -> None:
        for i in range(50, 150):
            shop(f"d{i:03}")
        done.set()

    writer, numbers = threading.Thread(target=grow), []
    writer.start()
    while not done.is_set():
        numbers += read(source(shop, ">"), cursors)
    writer.join()
    numbers += read(source(shop, ">"), cursors)
    assert [n for piece in numbers for n in piece] == list(range(150))


def test_a_number_serves_as_cursor_as_well(shop):
    shop("mon", "mon", "mon")
    cursors = {}
    assert read(source(shop, ">", column="n", order="order by n"), cursors) == [[0, 1], [2]]


@pytest.mark.parametrize("order", ["order by day desc", ""])
def test_rows_in_another_order_are_an_error_that_says_so(shop, order):
    shop("tue", "mon")
    with pytest.raises(SourceError, match=r"must grow from row to row.*order by day"):
        read(source(shop, ">", order=order), {})


def test_a_query_without_its_cursor_is_an_error_that_names_it(shop):
    shop("mon")
    query = "select amount from sales where day > :cursor"
    with pytest.raises(SourceError, match="no column 'day', which is its cursor"):
        read(SqlSource(shop.url, query, "day", ""), {})


def test_too_many_rows_of_one_value_are_an_error_and_no_loss(shop, monkeypatch):
    monkeypatch.setattr(sql, "MAX_TIES", 3)
    shop("mon", "mon", "mon", "mon")
    with pytest.raises(SourceError, match="more than 3 rows have 'day' mon; take a finer column"):
        read(source(shop, ">="), {})


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path):
    url = sa.make_url(f"sqlite:///{tmp_path}/typo.db")
    with pytest.raises(SourceError, match="there is no such file"):
        read(SqlSource(url, "select :cursor as n", "n", 0), {})
    assert not (tmp_path / "typo.db").exists()


def test_a_driver_that_is_not_installed_is_named():
    url = sa.make_url("mysql+pymysql://me:hunter2@host/shop")
    with pytest.raises(SourceError, match=r"pymysql.*install the database's driver") as failed:
        read(SqlSource(url, "select :cursor as n", "n", 0), {})
    assert "hunter2" not in str(failed.value)


def test_a_query_that_is_wrong_is_said_without_its_parameters(shop):
    query = "select amount from nowhere where day > :cursor"
    with pytest.raises(SourceError, match=r"no such table: nowhere$"):
        read(SqlSource(shop.url, query, "day", "a start"), {})


def test_values_of_a_server_come_as_json_would_bring_them(postgres_url):
    query = (
        "select * from (values (timestamptz '2026-01-01 12:00+02', numeric '7', numeric '1.5', "
        "gen_random_uuid(), date '2026-01-01')) as t (at, n, amount, id, day) "
        "where at > :cursor order by at"
    )
    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    found, cursors = SqlSource(url, query, "at", datetime(2026, 1, 1, tzinfo=UTC)), {}
    (piece,) = found.pieces(cursors)
    row = {name: values[0] for name, values in piece.body.columns.items()}
    assert (row["n"], row["amount"], row["day"]) == (7, 1.5, "2026-01-01")
    assert isinstance(row["id"], str)
    assert row["at"] == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert list(found.pieces({"": piece.cursor})) == []
