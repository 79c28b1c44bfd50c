"""Rows on their way: batched, bounded, repeated under one key, never dropped in silence."""

import threading
import time

import pyarrow as pa
import pytest

from leeway.client.outbox import Buffering, Outbox, OutboxError, UnreachableError
from monitor.errors import LeewayError

PATH = "/v1/models/m/predictions"
SOON = 10.0


class Receiver:
    """The far end: takes rows, or fails as it is told."""

    def __init__(self) -> None:
        self.rows, self.keys, self.attempts = [], [], []
        self.error = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, parcel) -> None:
        self.gate.wait(SOON)
        self.attempts.append((parcel.key, time.monotonic()))
        if self.error is not None:
            raise self.error
        self.keys.append(parcel.key)
        self.rows += pa.ipc.open_stream(parcel.body).read_all().column("x").to_pylist()


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def outbox(receiver):
    """Make outboxes that are closed in the end."""
    made = []

    def make(timeout_seconds: float = SOON, **buffering: object) -> Outbox:
        made.append(Outbox(receiver, Buffering(**buffering), timeout_seconds))
        return made[-1]

    yield make
    receiver.error = None
    receiver.gate.set()
    for one in made:
        one.close()


def rows(*values: object):
    return pa.table({"x": list(values)})


def test_rows_are_sent_together_when_they_are_enough(outbox, receiver, eventually):
    box = outbox(rows=3, seconds=60)
    for x in range(3):
        box.put(PATH, rows(x))
    eventually(lambda: receiver.rows == [0, 1, 2], "the batch is sent")
    assert len(receiver.keys) == 1


def test_a_few_rows_are_sent_when_they_have_waited(outbox, receiver, eventually):
    outbox(rows=1_000, seconds=0.05).put(PATH, rows(1))
    eventually(lambda: receiver.rows == [1], "the row is sent")


def test_rows_of_other_types_or_another_path_are_not_mixed(outbox, receiver):
    box = outbox(seconds=60)
    for path, table in ((PATH, rows(1)), (PATH, rows("a")), ("/labels", rows("b"))):
        box.put(path, table)
    box.flush()
    assert (receiver.rows, len(receiver.keys)) == ([1, "a", "b"], 3)


def test_closing_sends_what_waits(outbox, receiver):
    box = outbox(seconds=60)
    box.put(PATH, rows(1, 2))
    box.close()
    assert receiver.rows == [1, 2]
    with pytest.raises(OutboxError, match="closed"):
        box.put(PATH, rows(3))


def test_a_batch_is_repeated_under_its_key_and_ever_more_rarely(outbox, receiver, eventually):
    receiver.error = UnreachableError("away")
    box = outbox(seconds=0)
    box.put(PATH, rows(1))
    eventually(lambda: len(receiver.attempts) >= 4, "it is tried again")
    receiver.error = None
    box.flush()
    keys, times = zip(*receiver.attempts, strict=True)
    assert set(keys) == set(receiver.keys)
    assert times[3] - times[2] > times[1] - times[0]
    assert receiver.rows == [1]


def test_the_server_says_when_it_wants_to_be_asked_again(outbox, receiver):
    receiver.error = UnreachableError("busy", retry_after_seconds=0.8)
    box = outbox(seconds=0)
    box.put(PATH, rows(1))
    while not receiver.attempts:
        time.sleep(0.01)
    receiver.error = None
    box.flush()
    (_, first), (_, second) = receiver.attempts
    assert second - first >= 0.8


def test_memory_is_bounded_and_the_caller_is_told(outbox, receiver):
    receiver.gate.clear()
    box = outbox(timeout_seconds=0.2, rows=1, max_rows=3)
    for x in range(3):
        box.put(PATH, rows(x))
    with pytest.raises(OutboxError, match="3 rows wait for the server already"):
        box.put(PATH, rows(3))
    receiver.gate.set()


def test_what_is_refused_is_raised_once_and_does_not_hold_up_the_rest(outbox, receiver):
    receiver.error = LeewayError("row 0: a time is needed")
    box = outbox(seconds=0)
    box.put(PATH, rows(1))
    with pytest.raises(OutboxError, match="1 batches were refused; the first: row 0"):
        box.flush()
    receiver.error = None
    box.put(PATH, rows(2))
    box.flush()
    assert receiver.rows == [2]


def test_rows_that_cannot_be_sent_in_time_are_no_silent_loss(outbox, receiver):
    receiver.error = UnreachableError("away")
    box = outbox(timeout_seconds=0.3)
    box.put(PATH, rows(1, 2))
    with pytest.raises(OutboxError, match="2 rows are not sent"):
        box.close()


def test_with_a_spool_rows_leave_memory_and_are_sent_in_order_later(outbox, receiver, tmp_path):
    receiver.error = UnreachableError("away")
    box = outbox(rows=1, max_rows=2, spool=tmp_path)
    for x in range(10):
        box.put(PATH, rows(x))
    box.close()
    assert receiver.rows == []
    receiver.error = None
    again = outbox(spool=tmp_path)
    deadline = time.monotonic() + SOON
    while len(receiver.rows) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert receiver.rows == list(range(10))
    again.close()
    assert list(tmp_path.glob("*.parcel")) == []


def test_a_full_spool_holds_rows_in_memory(outbox, receiver, tmp_path):
    receiver.error = UnreachableError("away")
    box = outbox(timeout_seconds=0.3, rows=1, max_rows=2, spool=tmp_path, spool_bytes=1)

    def fill() -> None:
        for x in range(10):
            box.put(PATH, rows(x))

    with pytest.raises(OutboxError, match="wait for the server already"):
        fill()
    receiver.error = None
    time.sleep(0.2)
    box.close()
    assert receiver.rows == list(range(len(receiver.rows)))


def test_many_threads_put_rows_in_and_each_arrives_once(outbox, receiver):
    box = outbox(rows=50, seconds=0.01)

    def work(start: int) -> None:
        for x in range(start, start + 200):
            box.put(PATH, rows(x))

    threads = [threading.Thread(target=work, args=(1_000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    box.flush()
    assert sorted(receiver.rows) == [1_000 * n + x for n in range(4) for x in range(200)]
