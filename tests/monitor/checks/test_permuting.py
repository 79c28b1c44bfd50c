"""Levels under each other's names: told by what comes with them, and by nothing that passes."""

from datetime import timedelta

import numpy as np
import pyarrow as pa

from monitor.batch import EVENT_AT
from monitor.checks.feed import Suspects, search
from monitor.columns import TableColumns
from monitor.reference import prepare
from monitor.schema import Kind, Schema, Task
from monitor.window import MONDAY

N_ROWS, FIRST = 600, 200
KINDS = {
    "cold": Kind.NUMERIC,
    "dry": Kind.NUMERIC,
    "wind": Kind.CATEGORICAL,
    "sky": Kind.CATEGORICAL,
    "site": Kind.CATEGORICAL,
}
SCHEMA = Schema(Task.REGRESSION, KINDS, "y")
WINDS, SKIES = np.array(["north", "east", "south"]), np.array(["clear", "cloud", "rain"])
AT = np.arange(N_ROWS)


def drawn(rng, first, second):
    """Draw one of three, by how much speaks for the first and the second of them."""
    weights = np.exp(np.stack([first, second, np.zeros(N_ROWS)], axis=1))
    edges = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    return (rng.uniform(size=N_ROWS)[:, None] > edges).sum(axis=1).clip(0, 2)


def made_up(window, strength=1.0):
    """Make rows in which the wind goes a little with the numbers, and the sky much with all."""
    rng = np.random.default_rng(window)
    cold, dry = strength * rng.gamma(1, size=N_ROWS), strength * rng.normal(size=N_ROWS)
    wind = drawn(rng, 3 * (cold - 1), 2 * dry - 1)
    sky = drawn(rng, dry + 5 * (wind == 0), cold + 5 * (wind == 1))
    return {
        "cold": cold,
        "dry": dry,
        "wind": WINDS[wind].astype(object),
        "sky": SKIES[sky].astype(object),
        "site": rng.choice(["1", "2", "3"], N_ROWS).astype(object),
    }


def table(rows, window, names=tuple(KINDS)):
    at = [MONDAY + timedelta(minutes=15 * (N_ROWS * window + n)) for n in range(N_ROWS)]
    columns = {name: pa.array(rows[name]) for name in names}
    return pa.table({**columns, EVENT_AT: pa.array(at, pa.timestamp("us", "UTC"))})


def looked(rows, *, names=tuple(KINDS)):
    """Search a window for what was done to its columns."""
    clean = [table(made_up(window), window, names) for window in range(4)]
    schema = Schema(Task.REGRESSION, {name: KINDS[name] for name in names}, "y")
    reference = prepare(TableColumns(pa.concat_tables(clean)), schema, performance={})
    return search(table(rows, 4, names), clean, reference, Suspects(()))


def rolled(levels, column, where):
    """Give each level the next one's name in some rows."""
    given = dict(zip(levels, np.roll(levels, 1), strict=True))
    return np.where(where, [given[one] for one in column], column)


FEW = ("cold", "dry", "wind", "site")
"""Without the sky little is known of the wind: less than the half that is believed at once."""


def test_names_of_which_little_is_told_are_found_where_it_goes_on():
    rows = made_up(4)
    rows["wind"] = rolled(WINDS, rows["wind"], AT >= FIRST)
    (found,) = looked(rows, names=FEW)
    assert (found.column, found.sign) == ("wind", "renamed")
    assert found.name == "'east' for 'south', 'north' for 'east', 'south' for 'north'"
    assert abs(found.first - FIRST) <= 10


def test_a_storm_before_a_calm_is_weather():
    storm, calm = (AT >= 0.6 * N_ROWS) & (AT < 0.8 * N_ROWS), AT >= 0.8 * N_ROWS
    rows = made_up(4, strength=np.select([storm, calm], [2.0, 0.05], 1.0))
    rows["wind"] = rolled(WINDS, rows["wind"], storm)
    assert looked(rows, names=FEW) == []


def test_an_evening_at_the_end_of_a_window_is_left_to_the_next():
    rows = made_up(4)
    rows["sky"] = rolled(SKIES, rows["sky"], AT >= 0.92 * N_ROWS)
    assert looked(rows) == []


def test_what_goes_with_names_that_changed_places_is_not_told_to_have_changed_too():
    rows = made_up(4)
    rows["sky"] = rolled(SKIES, rows["sky"], AT >= FIRST)
    assert [(one.column, one.sign) for one in looked(rows)] == [("sky", "renamed")]
