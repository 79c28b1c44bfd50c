"""What was done to a feed, which column, and since when; and what is only drift."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from monitor.batch import EVENT_AT
from monitor.checks.clock import clocks
from monitor.checks.feed import Suspects, search
from monitor.columns import TableColumns
from monitor.reference import prepare
from monitor.schema import Kind, Schema, Task
from monitor.window import MONDAY

N_ROWS = 480
FIRST = 200
LEVELS = ["north", "east", "south", "west", "calm"]
SHARES = [0.42, 0.27, 0.17, 0.1, 0.04]
KINDS = {
    "temp": Kind.NUMERIC,
    "speed": Kind.NUMERIC,
    "load": Kind.NUMERIC,
    "hour": Kind.NUMERIC,
    "wind": Kind.CATEGORICAL,
}
SCHEMA = Schema(Task.REGRESSION, KINDS, "y")


def made_up(window, seed=0):
    """Make the rows of a window: readings each quarter of an hour that follow the day."""
    rng = np.random.default_rng([seed, window])
    minutes = 15 * (np.arange(N_ROWS) + window * N_ROWS)
    day = np.sin(2 * np.pi * minutes / 1440)
    at = [MONDAY + timedelta(minutes=int(one)) for one in minutes]
    return {
        "temp": 15 + 6 * day + rng.normal(0, 2, N_ROWS),
        "speed": rng.gamma(4.0, 5.0, N_ROWS),
        "load": 900 + 60 * day + rng.normal(0, 40, N_ROWS),
        "hour": (minutes // 60 % 24).astype(float),
        "wind": rng.choice(LEVELS, N_ROWS, p=SHARES).astype(object),
        EVENT_AT: at,
    }


def table(rows):
    times = pa.array(rows[EVENT_AT], pa.timestamp("us", "UTC"))
    return pa.table({**{name: pa.array(rows[name]) for name in KINDS}, EVENT_AT: times})


BEFORE = pa.concat_tables([table(made_up(window)) for window in range(3)])
REFERENCE = prepare(TableColumns(BEFORE), SCHEMA, performance={})
ALL = Suspects(tuple(KINDS), clocks(REFERENCE))
TWICE = Suspects((), signs=(("", "repeated"),))


def looked(change, first=FIRST):
    rows = made_up(3)
    change(rows, np.arange(N_ROWS) >= first)
    return search(table(rows), [BEFORE], REFERENCE, ALL)


def scaled(name, factor, shift=0.0):
    return lambda rows, broken: rows.update(
        {name: np.where(broken, factor * rows[name] + shift, rows[name])}
    )


def put(name, values):
    return lambda rows, broken: rows[name].__setitem__(broken, values(rows, broken))


def turned(level):
    return f"code {LEVELS.index(level)}"


def swap(rows, broken):
    mine, theirs = rows["load"].copy(), rows["speed"].copy()
    rows["load"][broken], rows["speed"][broken] = theirs[broken], mine[broken]


BREAKS = {
    "scale": ("load", scaled("load", 1000.0), "times 1,000"),
    "divided": ("load", scaled("load", 0.01), "divided by 100"),
    "units": ("speed", scaled("speed", 57.29578), "degrees for radians"),
    "Fahrenheit": ("temp", scaled("temp", 1.8, 32.0), "Fahrenheit for Celsius"),
    "sign": ("load", scaled("load", -1.0), "the other sign"),
    "frozen": ("temp", put("temp", lambda rows, _: rows["temp"][FIRST]), "every value is "),
    "fill": ("load", put("load", lambda rows, is_it: np.where(np.arange(is_it.sum()) % 2, -1.0, rows["load"][is_it])), "50% of values are -1"),
    "collapse": ("load", put("load", lambda rows, is_it: np.round(rows["load"][is_it], -2)), "only "),
    "shift": ("hour", put("hour", lambda rows, is_it: (rows["hour"][is_it] + 5) % 24), "5 hours ahead"),
    "spelling": ("wind", put("wind", lambda rows, is_it: [f" {level.upper()}" for level in rows["wind"][is_it]]), "' CALM' for 'calm'"),
    "renamed": ("wind", put("wind", lambda rows, is_it: [turned(level) for level in rows["wind"][is_it]]), "'code 0' for 'north'"),
}  # fmt: skip
SIGN_OF = {"divided": "scale", "Fahrenheit": "units"}


@pytest.mark.parametrize("kind", BREAKS)
def test_each_break_is_named_with_its_column_and_its_beginning(kind):
    column, change, words = BREAKS[kind]
    (found,) = looked(change)
    assert (found.column, found.sign) == (column, SIGN_OF.get(kind, kind))
    assert found.name.startswith(words)
    assert abs(found.first - FIRST) <= 8
    assert found.n_rows == N_ROWS - found.first
    assert found.since == made_up(3)[EVENT_AT][found.first]


def test_columns_that_were_exchanged_name_each_other():
    found = looked(swap)
    assert {(one.column, one.name) for one in found} == {
        ("load", "the values of speed"),
        ("speed", "the values of load"),
    }


def test_a_window_that_is_broken_from_its_first_row_on_is_held_against_the_last_clean_one():
    (found,) = looked(scaled("load", 0.001), first=0)
    assert (found.name, found.first) == ("divided by 1,000", 0)


@pytest.mark.parametrize("kind", ["divided", "Fahrenheit", "sign"])
def test_an_evening_at_the_end_of_a_window_is_left_to_the_next(kind):
    column, change, words = BREAKS[kind]
    assert looked(change, first=N_ROWS - N_ROWS // 12) == []
    (found,) = looked(change, first=0)
    assert (found.column, found.first) == (column, 0)
    assert found.name.startswith(words)


def drifting(rows, broken):
    share = np.linspace(0, 1, N_ROWS)
    rows["temp"] = rows["temp"] + 12 * share
    rows["speed"] = rows["speed"] * (1 + share)
    rows["load"] = rows["load"] * (1 + 0.5 * share)
    del broken


@pytest.mark.parametrize(
    "change",
    [
        lambda _rows, _broken: None,
        drifting,
        scaled("load", 1.15),
        scaled("temp", 1.0, 8.0),
        put("wind", lambda _rows, is_it: ["north"] * is_it.sum()),
        put("wind", lambda rows, is_it: rows["wind"][is_it][np.argsort(rows["speed"][is_it])]),
        put(
            "wind",
            lambda rows, is_it: [LEVELS[4 - LEVELS.index(one)] for one in rows["wind"][is_it]],
        ),
    ],
    ids=[
        "nothing",
        "gradual",
        "a step of a sixth",
        "a step to warmer air",
        "only north wind",
        "another order",
        "other shares",
    ],
)
def test_drift_is_no_break(change):
    assert looked(change) == []


def test_one_hour_is_summer_time():
    assert looked(put("hour", lambda rows, is_it: (rows["hour"][is_it] + 1) % 24)) == []


def test_without_a_clean_window_the_reference_stands_for_it():
    rows = made_up(3)
    rows["load"] = 1000 * rows["load"]
    (found,) = search(table(rows), [], REFERENCE, ALL)
    assert (found.column, found.name, found.first) == ("load", "times 1,000", 0)


def test_rows_that_came_twice_are_told_from_the_first_of_them_on():
    rows = table(made_up(3))
    twice = pa.concat_tables([rows, rows.slice(FIRST, 60)])
    (found,) = search(twice, [BEFORE], REFERENCE, TWICE)
    assert (found.column, found.sign, found.name) == ("", "repeated", "")
    assert abs(found.first - FIRST) <= 1
    assert found.n_rows == len(twice) - found.first
    assert abs(found.since - rows[EVENT_AT][FIRST].as_py()) <= timedelta(minutes=15)
    # Rows without readings look alike from earlier on: they are not what came twice.
    lost = twice.set_column(
        0, "temp", pc.if_else(pa.array(np.arange(len(twice)) < 30), None, twice["temp"])
    )
    (again,) = search(lost, [BEFORE], REFERENCE, replace(TWICE, gaps=("temp",)))
    assert abs(again.first - FIRST) <= 1
