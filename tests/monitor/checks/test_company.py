"""What a column's distribution hides, and its values or what comes with them tell."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from monitor.batch import EVENT_AT
from monitor.checks.feed import Suspects, search
from monitor.columns import TableColumns
from monitor.reference import prepare
from monitor.schema import Kind, Schema, Task
from monitor.window import MONDAY

N_ROWS, FIRST = 400, 150
KINDS = {
    "inlet": Kind.NUMERIC,
    "outlet": Kind.NUMERIC,
    "east": Kind.NUMERIC,
    "west": Kind.NUMERIC,
    "degrees": Kind.NUMERIC,
    "mode": Kind.CATEGORICAL,
    "site": Kind.CATEGORICAL,
}
SCHEMA = Schema(Task.REGRESSION, KINDS, "y")
MODES = np.array(["idle", "low", "full"])
AFTER = np.arange(N_ROWS) >= FIRST


def made_up(window):
    """Make rows in which inlet and outlet go together, east and west turn, and modes follow."""
    rng = np.random.default_rng(window)
    heat, wind = rng.gamma(3.0, 10.0, N_ROWS), rng.normal(0, 1, N_ROWS)
    return {
        "inlet": heat + rng.normal(0, 0.5, N_ROWS),
        "outlet": 0.8 * heat + rng.normal(0, 0.5, N_ROWS),
        "east": wind + rng.normal(0, 0.1, N_ROWS),
        "west": -wind + rng.normal(0, 0.1, N_ROWS),
        "degrees": np.round(rng.normal(18, 6, N_ROWS)),
        "mode": MODES[np.digitize(heat, [20, 35])].astype(object),
        "site": rng.choice(["1", "2", "3"], N_ROWS).astype(object),
    }


def table(rows, window):
    at = [MONDAY + timedelta(minutes=15 * (N_ROWS * window + n)) for n in range(N_ROWS)]
    columns = {name: pa.array(rows[name]) for name in KINDS}
    return pa.table({**columns, EVENT_AT: pa.array(at, pa.timestamp("us", "UTC"))})


BEFORE = pa.concat_tables([table(made_up(window), window) for window in range(4)])
REFERENCE = prepare(TableColumns(BEFORE), SCHEMA, performance={})


def looked(changed, alarming=()):
    """Search a window of which columns are changed from a row on; none alarms by itself."""
    rows = made_up(4)
    for name, values in changed(rows).items():
        rows[name] = np.where(AFTER, values, rows[name])
    return search(table(rows, 4), [BEFORE], REFERENCE, Suspects(tuple(alarming)))


def told(found):
    return {(one.column, one.sign, one.name) for one in found}


def at_the_cut(found):
    return all(abs(one.first - FIRST) <= 3 for one in found)


def test_a_small_unit_is_told_by_what_the_column_goes_with_though_it_does_not_alarm():
    found = looked(lambda rows: {"inlet": rows["inlet"] / 1.609344})
    assert told(found) == {("inlet", "units", "miles for kilometres")}
    assert at_the_cut(found)


def test_the_sign_of_a_symmetric_column_is_told_by_what_it_goes_with():
    found = looked(lambda rows: {"east": -rows["east"]})
    assert {("east", "sign", "the other sign")} <= told(found)


def test_columns_that_are_spread_alike_are_told_to_be_exchanged():
    found = looked(lambda rows: {"inlet": rows["west"], "west": rows["inlet"]})
    assert {(one.column, one.sign) for one in found} == {("inlet", "swap"), ("west", "swap")}
    assert at_the_cut(found)


def test_levels_that_changed_places_are_told_by_what_comes_with_them():
    given = dict(zip(MODES, np.roll(MODES, 1), strict=True))
    (found,) = looked(lambda rows: {"mode": [given[one] for one in rows["mode"]]})
    assert (found.column, found.sign) == ("mode", "renamed")
    assert found.name == "'full' for 'idle', 'idle' for 'low', 'low' for 'full'"
    assert at_the_cut([found])


def test_whole_degrees_that_are_whole_no_more_tell_their_unit():
    found = looked(lambda rows: {"degrees": rows["degrees"] * 1.609344}, ["degrees"])
    assert told(found) == {("degrees", "units", "kilometres for miles")}
    assert at_the_cut(found)


def test_a_value_among_the_others_that_comes_out_of_anywhere_is_filled_in():
    coin = np.random.default_rng(9).integers(0, 2, N_ROWS) == 0
    found = looked(lambda rows: {"degrees": np.where(coin, 3.0, rows["degrees"])}, ["degrees"])
    assert [(one.column, one.sign) for one in found] == [("degrees", "fill")]


def test_names_of_another_form_are_new_names_whatever_their_shares():
    found = looked(lambda _: {"site": np.full(N_ROWS, "site-7")}, ["site"])
    assert told(found) == {("site", "renamed", "only names that are new: 'site-7'")}


def warmer(rows):
    return {"degrees": rows["degrees"] + 5}


def stays(rows):
    """Let it be three degrees for twenty hours."""
    at = np.arange(N_ROWS)
    return {"degrees": np.where((at > 200) & (at < 280), 3.0, rows["degrees"])}


def step(rows):
    return {"east": rows["east"] + 1.5}


def another_site(_):
    return {"site": np.full(N_ROWS, "4")}


def other_modes(_):
    """Let modes be chosen otherwise, by nothing that is known."""
    return {"mode": np.random.default_rng(3).choice(MODES, N_ROWS, p=[0.7, 0.2, 0.1])}


@pytest.mark.parametrize("drift", [warmer, stays, step, another_site, other_modes])
def test_what_the_world_does_is_no_break(drift):
    assert looked(drift, KINDS) == []


ODD = {
    Kind.NUMERIC: [
        lambda _, n: [None] * n,
        lambda _, n: [3.0] * n,
        lambda rng, n: rng.normal(size=n) * 1e300,
        lambda rng, n: np.where(rng.integers(0, 2, n) == 0, np.nan, rng.normal(size=n)),
        lambda rng, n: np.where(rng.integers(0, 9, n) == 0, np.inf, np.round(rng.normal(size=n))),
    ],
    Kind.CATEGORICAL: [
        lambda _, n: [None] * n,
        lambda _, n: ["x"] * n,
        lambda _, n: [f"level {one}" for one in range(n)],
        lambda rng, n: rng.choice(["a", "b", None], n).tolist(),
    ],
}
TYPES = {Kind.NUMERIC: pa.float64(), Kind.CATEGORICAL: pa.string()}


def odd(rng, n_rows, start):
    """Make rows whose columns are empty, constant, huge, full of holes or all unlike."""
    columns = {
        name: pa.array(ODD[kind][rng.integers(len(ODD[kind]))](rng, n_rows), TYPES[kind])
        for name, kind in KINDS.items()
    }
    at = [MONDAY + timedelta(minutes=start + n) for n in range(n_rows)]
    return pa.table({**columns, EVENT_AT: pa.array(at, pa.timestamp("us", "UTC"))})


@pytest.mark.parametrize("seed", range(20))
def test_columns_of_any_kind_are_searched_without_a_crash(seed):
    rng = np.random.default_rng(seed)
    reference = prepare(TableColumns(odd(rng, 150, 0)), SCHEMA, performance={})
    windows = [odd(rng, int(rng.choice([1, 29, 130, 400])), 1000)] if seed % 5 else []
    for n_rows in (1, 30, 31, 200):
        search(odd(rng, n_rows, 5000), windows, reference, Suspects(tuple(KINDS)))
