"""Retention of the log: what is dropped, what never is, and what is still known of it."""

from contextlib import AbstractContextManager
from typing import Any

import pytest

from monitor.adapters.log_retention import REPEATABLE_AFTER, Keeping
from monitor.adapters.prediction_log import PredictionLog
from monitor.batch import PREDICTION_ID, Receipt
from monitor.window import Window
from tests.logs import DAY, LABELS, PREDICTIONS, T0, append, labels, predictions, read

ALL = Window(T0, T0 + 100 * DAY)
NOW = T0 + 20 * DAY


@pytest.fixture
def kept(place):
    """Open the log with what is to be kept, after twenty days of a row and a label each."""

    def opened(**keep: Any) -> AbstractContextManager[PredictionLog]:
        keeping = Keeping(horizon=lambda _model: 5 * DAY, now=lambda: NOW, **keep)
        return place.opened(keeping=keeping)

    with opened() as log:
        for day in range(20):
            append(log, predictions(f"d{day}", at=T0 + day * DAY))
            append(log, labels(f"d{day}", {f"d{day}/0": day}, at=T0 + day * DAY))
            log.seal()
    return opened


def days(log):
    return [int(one[1:-2]) for one in read(log, (), ALL).column(PREDICTION_ID).to_pylist()]


def test_by_default_everything_is_kept(kept):
    with kept() as log:
        assert log.retire() == 0
        assert days(log) == list(range(20))


def test_rows_and_labels_older_than_an_age_go_and_the_counters_stay(kept, place):
    with kept(age=10 * DAY) as log:
        assert log.retire() == 2 * 10
        assert days(log) == list(range(10, 20))
        assert log.kept_since() == {"flights": T0 + 10 * DAY}
        stats = log.stats()
        assert [(one.n_rows, one.n_retired) for one in stats.values()] == [(20, 10)] * 2
        assert set(stats) == set(log.totals()) == {PREDICTIONS, LABELS}
        assert len(place.files.found()) == 40
        log.seal()
        assert len(place.files.found()) == 20
        assert log.verify() == []
        assert log.retire() == 0


def test_what_an_open_window_may_hold_is_kept_whatever_the_age(kept):
    with kept(age=DAY, n_bytes=1) as log:
        log.retire()
        assert days(log) == list(range(15, 20))


def test_beyond_a_size_the_oldest_go_first(kept):
    with kept() as log:
        size = sum(one.n_bytes for one in log.stats().values())
    with kept(n_bytes=size * 3 // 4) as log:
        log.retire()
        assert sum(one.n_bytes for one in log.stats().values()) <= size * 3 // 4
        assert days(log) == list(range(days(log)[0], 20))
        assert days(log)[0] <= 6


def test_a_request_id_is_known_for_the_horizon_and_a_week(kept):
    first = int((NOW - 5 * DAY - REPEATABLE_AFTER - T0) / DAY)
    with kept() as log:
        log.retire()
        again = [append(log, predictions(f"d{day}")) for day in (first - 1, first)]
        assert again == [Receipt(1, repeated=False), Receipt(1, repeated=True)]
