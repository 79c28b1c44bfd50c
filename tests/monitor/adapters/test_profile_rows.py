"""Profiles in the database."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from monitor.adapters import tables
from monitor.adapters.profile_rows import decode_profile, encode_profile
from monitor.cells import hours
from monitor.columns import TableColumns
from monitor.grid import grid_of
from monitor.profile import profile
from monitor.schema import Kind
from monitor.values import read_values
from tests.monitor.adapters.conftest import MONDAY, WEEK


def counted(seed=0, n_rows=500):
    rng = np.random.default_rng(seed)
    names = {"start": Kind.NUMERIC, "n_rows": Kind.CATEGORICAL}
    rows = TableColumns(
        pa.table({"start": rng.normal(size=n_rows), "n_rows": rng.choice(["a", "b"], n_rows)})
    )
    grids = {name: grid_of(read_values(rows, name, kind)) for name, kind in names.items()}
    at = np.sort(rng.integers(0, 9 * 3600, n_rows)).astype("timedelta64[s]")
    cells = hours(np.datetime64("2026-01-05T00:00:00", "us") + at)
    return profile(rows, grids, cells=cells.of_row, starts=cells.starts)


def plain(found):
    columns = {
        name: {key: value.tolist() for key, value in vars(one).items()}
        for name, one in found.columns.items()
    }
    return found.starts, found.n_rows.tolist(), columns


def test_a_profile_comes_back_as_it_was_whatever_its_columns_are_called():
    found = counted()
    assert len(found.starts) == 9
    assert plain(decode_profile(encode_profile(found))) == plain(found)


def test_a_profile_is_kept_for_each_window_and_replaced_by_a_later_revision(books):
    books.record(replace(books.cycle(0), profile=counted(1)))
    books.record(replace(books.cycle(1), profile=counted(2)))
    books.record(replace(books.cycle(0, 2), profile=counted(3)))
    with books.engine.connect() as connection:
        rows = connection.execute(select(tables.profiles).order_by("window_key")).all()
    assert [row.window_key[:10] for row in rows] == ["2026-01-05", "2026-01-12"]
    assert [plain(decode_profile(row.body)) for row in rows] == [
        plain(counted(3)),
        plain(counted(2)),
    ]


def test_a_profile_goes_with_the_rows_it_was_made_of(books):
    for number in range(3):
        books.record(replace(books.cycle(number), profile=counted(number)))
    books.store.register("other", MONDAY)
    assert books.store.drop_profiles({"m": MONDAY + 2 * WEEK - timedelta(seconds=1)}) == 1
    assert books.store.drop_profiles({"m": MONDAY + 2 * WEEK, "other": MONDAY + 9 * WEEK}) == 1
    with books.engine.connect() as connection:
        (row,) = connection.execute(select(tables.profiles)).all()
    assert row.window_key[:10] == "2026-01-19"
