"""Labels of the log: found, waiting, sealed by their prediction's date, and what they touch."""

from datetime import datetime

import pytest

from monitor.adapters.log_retention import Keeping
from monitor.batch import LABEL, RowKind
from monitor.window import Counts, JudgedWindow, Seen, Window
from tests.logs import DAY, HOUR, LABELS, T0, WEEK, append, labels, predictions, read

NEXT = Window(WEEK.end, WEEK.end + 7 * DAY)
LATER = T0 + 40 * DAY


@pytest.fixture
def log(place):
    """A log that lives soon after the labels came."""
    with place.opened(keeping=Keeping(now=lambda: LATER + DAY)) as opened:
        yield opened


def joined(log, window=WEEK, horizon=90 * DAY):
    return read(log, (), window, horizon).column(LABEL).to_pylist()


def dates(place, kind="label"):
    return sorted(path.split("date=")[1][:10] for path in place.files.found() if kind in path)


def judged(log, *windows: Window):
    """Judge windows now, whatever they hold."""
    seen = Seen(log.extent("flights").n_rows, log.extent("flights", RowKind.LABEL).n_rows)
    return [JudgedWindow(window, 1, Counts(1, 0), seen=seen) for window in windows]


def touched(log, known):
    return [one.window for one in log.touched("flights", known)]


def test_labels_are_sealed_under_the_date_of_their_prediction(log, place):
    append(log, predictions("a", at=T0), predictions("b", at=T0 + 3 * DAY))
    log.seal()
    append(log, labels("1", {"a/0": 1, "b/0": 0}, at=LATER))
    log.seal()
    assert dates(place) == ["2026-01-05", "2026-01-08"]
    assert joined(log) == [1, 0]


def test_a_window_reads_the_label_files_of_its_own_dates_alone(log, place):
    append(log, predictions("a", at=T0), predictions("b", at=NEXT.start))
    append(log, labels("1", {"a/0": 1, "b/0": 0}, at=LATER))
    log.seal()
    for path in place.files.found():
        if "kind=label" in path and "2026-01-12" in path:
            place.files.remove(path)
    assert joined(log) == [1]


def test_a_label_waits_for_its_prediction_and_is_counted_until_it_comes(log, place):
    append(log, labels("1", {"late/0": 1, "stranger": 0}, at=LATER), predictions("other"))
    for _ in range(2):
        log.seal()
        assert (log.waiting_labels("flights"), dates(place)) == (2, [])
    append(log, predictions("late"))
    assert joined(log) == [None, 1]  # before it is looked for again
    log.seal()
    assert (log.waiting_labels("flights"), dates(place)) == (1, ["2026-01-05"])
    assert log.stats()[LABELS].n_waiting == log.stats()[LABELS].n_inbox_rows == 1
    assert joined(log) == [None, 1]


def test_labels_that_wait_since_the_same_day_wait_together_and_are_found_one_by_one(log, place):
    for i in range(6):
        append(log, labels(f"l{i}", {f"p{i}/0": i}, at=LATER + i * HOUR))
        log.touched("flights", [])
    waiting = "SELECT n_rows FROM log_inbox WHERE place = 'waiting'"
    assert place.execute(waiting) == [(6,)]
    for i in (4, 1):
        append(log, predictions(f"p{i}"))
        log.touched("flights", [])
    assert place.execute(waiting) == [(4,)]
    log.seal()
    assert joined(log) == [4, 1]


def test_a_label_that_waits_too_long_is_filed_under_its_date_of_receipt(place):
    now = [LATER]
    keeping = Keeping(horizon=lambda _model: 7 * DAY, now=lambda: now[0])
    with place.opened(keeping=keeping) as log:
        append(log, labels("1", {"stranger": 0}, at=LATER - DAY))
        assert log.seal() == 0
        now[0] += 7 * DAY
        assert log.seal() == 1
        assert (log.waiting_labels("flights"), dates(place)) == (0, ["2026-02-13"])


@pytest.mark.parametrize("sealed", [False, True])
def test_the_first_label_of_an_id_wins_wherever_the_others_are(log, sealed):
    append(log, labels("1", {"a/0": 1}, at=T0 + HOUR))
    if sealed:
        log.seal()
    append(log, labels("2", {"a/0": 2}, at=T0 + 2 * HOUR), predictions("a"))
    if sealed:
        log.seal()
    append(log, labels("3", {"a/0": 3}, at=T0 + 3 * HOUR))
    assert joined(log) == [1]


def test_a_repeated_id_in_one_window_has_its_label_whichever_day_it_was_repeated_on(log):
    append(log, predictions("1", ids=["a"]))
    append(log, predictions("2", ids=["a"], at=T0 + 2 * DAY))
    append(log, labels("l", {"a": 1}, at=LATER))
    before = joined(log)
    log.seal()
    assert joined(log) == before == [1]


def test_nothing_is_touched_until_rows_or_labels_come(log):
    append(log, predictions("a"), predictions("b", at=NEXT.start))
    known = judged(log, WEEK, NEXT)
    log.seal()
    assert touched(log, known) == []
    append(log, predictions("late", at=NEXT.start + DAY))
    assert touched(log, known) == [NEXT]
    append(log, labels("1", {"a/0": 1}, at=LATER))
    assert touched(log, known) == [WEEK, NEXT]
    again = judged(log, WEEK, NEXT)
    assert touched(log, again) == []
    log.seal()
    assert (touched(log, again), touched(log, known)) == ([], [WEEK, NEXT])


def test_a_label_without_a_value_or_a_prediction_touches_nothing(log):
    append(log, predictions("a"))
    known = judged(log, WEEK)
    append(log, labels("1", {"stranger": 1}, at=LATER))
    append(log, labels("2", {"a/0": None}, at=LATER))
    assert touched(log, known) == []


def test_a_label_that_came_before_its_prediction_touches_with_it(log):
    append(log, labels("1", {"a/0": 1}))
    known = judged(log, WEEK)
    assert touched(log, known) == []
    append(log, predictions("a"))
    assert touched(log, known) == [WEEK]


def test_windows_of_rows_are_touched_by_labels_alone(log):
    append(log, predictions("a", 5_000))
    windows = [log.locate("flights", rows) for rows in ((0, 4_096), (4_096, 5_000))]
    known = judged(log, *windows)
    append(log, predictions("late", 10))
    assert touched(log, known) == []
    append(log, labels("1", {"a/4999": 1}))
    assert touched(log, known) == windows[1:]


def test_two_logs_look_for_the_same_labels_and_each_is_found_once(log, place):
    append(log, predictions("a", 50))
    with place.opened() as other:
        for i in range(50):
            append(log, labels(f"l{i}", {f"a/{i}": i}))
            assert log.touched("flights", []) == other.touched("flights", []) == []
    log.seal()
    assert joined(log) == list(range(50))
    assert log.stats()[LABELS].n_inbox_rows == 0


def test_a_clock_that_is_set_back_loses_nothing(log):
    append(log, predictions("a", at=T0 + 3 * DAY))
    back: datetime = T0 + 2 * DAY
    append(log, predictions("b", at=back), labels("l", {"a/0": 1, "b/0": 0}, at=back))
    for _ in range(2):
        assert joined(log) == [1, 0]
        log.seal()
    assert log.locate("flights", (0, 2)).start > log.locate("flights", (0, 2)).end
