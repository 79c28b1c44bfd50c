"""Leadership: a locked file, and an advisory lock of PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from monitor.adapters.database import open_database
from monitor.adapters.locks import leader
from monitor.errors import StorageError
from monitor.ports import Leader

HOLD = """
import sys, time
from pathlib import Path
from monitor.adapters.database import open_database
from monitor.adapters.locks import leader
where, folder = sys.argv[1:]
engine = open_database(Path(where) if where.startswith("/") else where)
candidate = leader(engine, Path(folder))
print(candidate.hold(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def candidate(where, tmp_path):
    """Return another candidate, with connections of its own."""
    opened = []

    def stand() -> Leader:
        engine = open_database(where)
        opened.append((leader(engine, tmp_path), engine))
        return opened[-1][0]

    yield stand
    for one, engine in opened:
        one.release()
        engine.dispose()


@contextmanager
def another_process(where, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process lead, until it is killed."""
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(where), str(folder)],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    with closing(process.stdout):
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()
        process.wait()


def test_one_leads_at_a_time_and_goes_on_leading(candidate):
    first, second = candidate(), candidate()
    assert [first.hold(), second.hold(), first.hold(), second.hold()] == [True, False, True, False]


def test_leadership_that_is_let_go_is_free(candidate):
    first, second = candidate(), candidate()
    assert first.hold()
    first.release()
    assert second.hold()
    assert not first.hold()


def test_a_leader_that_is_killed_is_followed(candidate, where, tmp_path, eventually):
    follower = candidate()
    with another_process(where, tmp_path) as process:
        assert not follower.hold()
        process.kill()
        process.wait()
        eventually(follower.hold, "the follower leads")


def test_a_leader_whose_connection_is_cut_leads_no_longer(postgres, postgres_url, tmp_path):
    engines = [open_database(postgres_url) for _ in range(2)]
    first, second = (leader(engine, tmp_path) for engine in engines)
    assert first.hold()
    database = engines[0].url.database
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database "
        f"WHERE locktype = 'advisory' AND datname = '{database}'"
    )
    assert second.hold()
    assert not first.hold()
    second.release()
    assert first.hold()
    first.release()
    for engine in engines:
        engine.dispose()


def test_nobody_leads_while_the_database_is_away(own_postgres, tmp_path):
    engine = open_database(own_postgres.url("leeway"))
    candidate = leader(engine, tmp_path)
    assert candidate.hold()
    own_postgres.stop()
    with pytest.raises(StorageError, match="does not answer"):
        candidate.hold()
    own_postgres.start()
    assert candidate.hold()
    candidate.release()
    engine.dispose()
