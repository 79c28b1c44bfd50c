"""Which windows the reference of a new version spans."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from monitor.window import WindowPolicy
from retrain.dataset import Dataset
from retrain.version import _newest_windows

WEEKLY = WindowPolicy(every=timedelta(days=7))
MONDAY = np.datetime64("2026-01-05", "us")


def rows(weeks):
    """Make a row for every day of some weeks."""
    days = np.concatenate([7 * week + np.arange(7) for week in weeks]).astype("timedelta64[D]")
    return Dataset(pd.DataFrame({"x": days.astype(float)}), np.zeros(days.size), MONDAY + days)


@pytest.mark.parametrize(
    ("weeks", "n_windows", "first"),
    [([0, 1, 2, 3], 2, 2), ([0, 1, 3, 4], 3, 1), ([0, 1], 13, 0)],
    ids=["the newest", "an incident has no rows and is no window", "all there are"],
)
def test_a_reference_spans_the_newest_windows_that_have_rows(weeks, n_windows, first):
    found = _newest_windows(rows(weeks), n_windows, WEEKLY)
    assert found.event_at[0] == MONDAY + np.timedelta64(7 * first, "D")
    assert len(found) == 7 * min(n_windows, len(weeks))


def test_windows_by_count_are_counted_back_from_the_newest_row():
    found = _newest_windows(rows([0, 1, 2]), 2, WindowPolicy(rows=5))
    assert len(found) == 10
