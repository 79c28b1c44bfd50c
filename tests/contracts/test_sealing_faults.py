"""The log when things break: killed at any step, the database stopped, the bucket out of reach.

Run as a program it is the process that seals and is killed.
"""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from monitor.adapters import log_merging
from monitor.adapters.database import open_database
from monitor.adapters.log_retention import Keeping
from monitor.batch import LABEL, ROW
from monitor.errors import StorageError
from tests.logs import DAY, LABELS, PREDICTIONS, T0, WEEK, Place, append, labels, predictions, read

N_KILLS = 24
SMALL_FILES = 2
WITH_MERGING = SMALL_FILES + 1
"""Sealings until a date has so many small files that they are merged."""
ROOT = Path(__file__).parents[2]
KEEPING = Keeping(now=lambda: T0 + 10 * DAY)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """A log in a folder, then in PostgreSQL, where what is acknowledged is on disk."""
    if request.param == "sqlite":
        return Place(tmp_path)
    return Place(tmp_path, request.getfixturevalue("own_postgres").url("leeway"))


class Sealer:
    """A process that seals, each time in a child that is killed at a step."""

    def __init__(self, place: Place) -> None:
        command = [sys.executable, __file__, str(place.folder), place.url]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seal(self, step: int) -> tuple[str, int]:
        """Seal until a step; says how it ended, and the steps it took."""
        self.process.stdin.write(f"{step}\n")
        self.process.stdin.flush()
        how, n_steps = self.process.stdout.readline().split()
        return how, int(n_steps)

    def close(self) -> None:
        """End the process."""
        with closing(self.process.stdin), closing(self.process.stdout):
            pass
        assert self.process.wait(60) == 0


PAD = ["x" * 400_000] * 3
"""With this a body is large, and goes past the inbox."""


def send(log, number, pad=PAD):
    """Log predictions of two days, of one in a large body, with labels: one early, one in vain."""
    append(log, predictions(f"r{number}-0", 3))
    large = {"x": [0.0, 1.0, 2.0], "pad": list(pad)}
    append(log, predictions(f"r{number}-1", 3, at=T0 + DAY, columns=large))
    given = {f"r{number}-0/0": number, f"r{number}-1/2": number, f"r{number + 1}-0/1": number}
    append(log, labels(f"l{number}", {**given, f"stranger-{number}": number}))


def check(log, n_sent):
    """Look whether everything is there, once."""
    rows = read(log, ["x"], WEEK, 90 * DAY)
    assert rows.column(ROW).to_pylist() == list(range(6 * n_sent))
    given = [None] * (6 * n_sent)
    for number in range(n_sent):
        given[6 * number] = given[6 * number + 5] = number
        if number:
            given[6 * number + 1] = number - 1
    assert rows.column(LABEL).to_pylist() == given
    assert log.verify() == []


def test_killed_at_any_step_of_sealing_no_row_is_lost_or_doubled(place):
    with closing(Sealer(place)) as sealer, place.opened(keeping=KEEPING) as log:
        n_steps = 0
        for number in range(WITH_MERGING):
            send(log, number)
            how, n_now = sealer.seal(0)
            n_steps = max(n_steps, n_now)
            assert (how, n_now > 50) == ("done", True)
            check(log, number + 1)
        killed = []
        for number in range(1, N_KILLS + 1):
            send(log, WITH_MERGING - 1 + number)
            killed.append(sealer.seal(number * n_steps // N_KILLS)[0])
            check(log, WITH_MERGING + number)
        assert killed.count("killed") > N_KILLS // 2
        log.seal()
        check(log, WITH_MERGING + N_KILLS)
        stats = log.stats()
        assert stats[PREDICTIONS].n_inbox_rows == 0
        assert stats[LABELS].n_inbox_rows == stats[LABELS].n_waiting == (WITH_MERGING + N_KILLS + 1)
        assert max(one.n_files for one in stats.values()) < N_KILLS
        log.seal()  # removes what nothing knows
        assert len(place.files.found()) == sum(one.n_files for one in log.stats().values())


def test_a_database_that_is_stopped_and_started_takes_rows_again_and_has_lost_none(
    own_postgres, tmp_path
):
    place = Place(tmp_path, own_postgres.url("leeway"))
    with place.opened(keeping=KEEPING) as log:
        for number, how in enumerate((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)):
            send(log, number)
            own_postgres.stop(how)
            with pytest.raises(StorageError, match="nothing was written"):
                append(log, predictions("unlucky", 3))
            for ask in (log.seal, log.totals, lambda: read(log)):
                with pytest.raises(StorageError, match="prediction log could not"):
                    ask()
            own_postgres.start()
            check(log, number + 1)
            log.seal()
            check(log, number + 1)


def test_a_statement_says_that_the_database_does_not_answer_and_the_next_one_is_fine(own_postgres):
    engine = open_database(own_postgres.url("leeway"))
    for _ in range(2):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        own_postgres.stop()
        with pytest.raises(StorageError, match="does not answer"), engine.connect():
            pass
        own_postgres.start()
    engine.dispose()


def test_a_bucket_out_of_reach_fails_what_needs_it_and_nothing_is_lost(
    tmp_path, bucket, object_store
):
    place = Place(tmp_path, bucket=bucket)
    with place.opened(keeping=KEEPING) as log:
        send(log, 0, "xyz")
        object_store.shut = True
        with pytest.raises(StorageError, match="could not seal"):
            log.seal()
        with pytest.raises(StorageError, match="nothing was written"):
            append(log, predictions("large", 100_000, at=T0 + 8 * DAY))
        send(log, 1, "xyz")
        assert log.stats()[PREDICTIONS].n_inbox_rows == 12
        object_store.shut = False
        assert log.seal() == 12 + 5
        check(log, 2)
        assert append(log, predictions("large", 100_000, at=T0 + 8 * DAY)).n_rows == 100_000
        log.seal()  # makes the large body Parquet
        assert len(place.files.found()) == sum(one.n_files for one in log.stats().values())


def seal_until(place, step):
    """Seal in a child, which is killed at its step-th call into the log; says what came of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        n_steps = 0

        def count(frame, event, _argument) -> None:
            nonlocal n_steps
            if event in ("call", "return") and "/monitor/adapters/" in frame.f_code.co_filename:
                n_steps += 1
                if n_steps == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        with place.opened(keeping=KEEPING) as log:
            sys.setprofile(count)
            log.seal()
            sys.setprofile(None)
        os.write(writer, str(n_steps).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with open(reader) as said:  # noqa: PTH123 - a pipe
        n_steps = int(said.read() or step)
    return ("killed" if os.WIFSIGNALED(status) else "done"), n_steps


if __name__ == "__main__":
    own = Place(Path(sys.argv[1]), sys.argv[2])
    log_merging.SMALL_FILES = SMALL_FILES
    for line in sys.stdin:
        print(*seal_until(own, int(line)), flush=True)  # noqa: T201 - the test reads it
