"""Kills, outages, full disks, wrong clocks: what was acknowledged is there once, and whole."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest

from leeway.client import Client
from leeway.client.outbox import Buffering
from leeway.demo.run import free_port
from monitor.batch import LABEL, PREDICTION_ID, ROW
from monitor.window import Window
from tests.watched import PATH, WATCHED, as_rows, need

ARROW = "application/vnd.apache.arrow.stream"
KILLS = 20

NURSERY = """
import os, signal, sys
from pathlib import Path
import leeway.app, uvicorn.loops.auto, uvicorn.protocols.http.auto
from leeway.serve import run_server
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        config, port = line.split()
        run_server(Path(config), "127.0.0.1", int(port), "api")
        os._exit(0)
    print(pid, flush=True)
"""
"""A process that has imported all and opened nothing: a server forked from it is there at once."""


@pytest.fixture
def forked(watched):
    """Start servers, each a process of its own that can be killed."""
    environment = watched.environment(PYTHONPATH=str(Path(__file__).parents[2]))
    command = [sys.executable, "-c", NURSERY]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running: list[int] = []
    with (watched.folder / "server.log").open("ab") as log:
        nursery = subprocess.Popen(command, env=environment, stderr=log, **pipes)

    def start() -> tuple[str, int]:
        port = free_port()
        nursery.stdin.write(f"{watched.config} {port}\n")
        nursery.stdin.flush()
        running.append(int(nursery.stdout.readline()))
        return f"http://127.0.0.1:{port}", running[-1]

    with closing(nursery.stdin), closing(nursery.stdout):
        yield start
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert nursery.wait(60) == 0


def arrow_of(frame):
    """Return rows as an Arrow stream."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def stored(home, week_start):
    """Return the rows of the log, repeated ids and all."""
    with home.opened() as opened:
        log = opened.deployment.log
        assert log.verify() == []
        kept = log.read("late", Window(week_start(0), week_start(1)), ["x", "y", "g", "p"])
        return kept.to_pandas().set_index(PREDICTION_ID), log.extent("late").n_rows


@dataclass
class Sender:
    """Sends one row after the other, each until it is acknowledged."""

    rows: list[dict[str, object]]
    url: list[str]
    name: str
    acknowledged: set[str] = field(default_factory=set)
    n_retries: int = 0
    n_told_to_wait: int = 0
    stopped: bool = False

    def run(self) -> None:
        number = 0
        with httpx.Client(timeout=10) as http:
            while not self.stopped:
                row = {**self.rows[number % len(self.rows)], "id": f"{self.name}-{number}"}
                if self._send(http, row):
                    self.acknowledged.add(str(row["id"]))
                    number += 1
                else:
                    self.n_retries += 1
                    time.sleep(0.02)

    def _send(self, http: httpx.Client, row: dict[str, object]) -> bool:
        try:
            key = {"Idempotency-Key": str(row["id"])}
            answer = http.post(self.url[0] + PATH, json=[row], headers=key)
        except httpx.HTTPError:
            return False
        assert answer.status_code in (202, 503), answer.text
        self.n_told_to_wait += int(answer.headers.get("Retry-After", 0)) > 0
        return answer.status_code == 202


@dataclass
class Load:
    """Senders that are at work."""

    senders: list[Sender]
    url: list[str]

    def n_acknowledged(self) -> int:
        return sum(len(one.acknowledged) for one in self.senders)

    def check(self, home, rows, week_start) -> None:
        """Look whether each acknowledged row is there once, as it was sent."""
        kept, n_rows = stored(home, week_start)
        acknowledged = set.union(*(one.acknowledged for one in self.senders))
        assert acknowledged <= set(kept.index)
        # What the log counts is what it has: no row twice; at most one a sender was not answered.
        assert n_rows == len(kept) <= len(acknowledged) + len(self.senders)
        sent = rows.reset_index(drop=True)
        place = kept.index.str.partition("-").get_level_values(2).astype(int) % len(sent)
        np.testing.assert_allclose(kept["x"], sent["x"].to_numpy()[place])
        assert (kept["g"].to_numpy() == sent["g"].to_numpy()[place]).all()


@contextmanager
def load_on(address, rows):
    """Send rows from four threads."""
    url = [address]
    senders = [Sender(as_rows(rows), url, f"s{n}") for n in range(4)]
    threads = [threading.Thread(target=one.run, daemon=True) for one in senders]
    for thread in threads:
        thread.start()
    yield Load(senders, url)
    for one in senders:
        one.stopped = True
    for thread in threads:
        thread.join(20)


@pytest.fixture(params=["sqlite", "postgres"])
def stored_in(request, watched):
    """Keep everything in SQLite, then in PostgreSQL."""
    if request.param == "postgres":
        url = request.getfixturevalue("own_postgres").url("leeway")
        watched.config.write_text(WATCHED + f"database: {url}\n")
    return watched


@pytest.mark.timeout(240)
def test_killed_twenty_times_under_load_every_acknowledged_row_is_there_once(
    stored_in, rows, forked, eventually, week_start
):
    url, pid = forked()
    with load_on(url, rows) as load:
        for _ in range(KILLS):
            enough = load.n_acknowledged() + 50
            eventually(lambda n=enough: load.n_acknowledged() >= n, "rows are taken")
            os.kill(pid, signal.SIGKILL)
            load.url[0], pid = forked()
        enough = load.n_acknowledged() + 1
        eventually(lambda: load.n_acknowledged() >= enough, "rows are taken")
    os.kill(pid, signal.SIGKILL)
    assert sum(one.n_retries for one in load.senders) >= KILLS
    load.check(stored_in, rows, week_start)


def test_a_database_that_is_stopped_under_a_running_server_is_a_503_until_it_is_back(
    watched, rows, serve_in, own_postgres, eventually, week_start
):
    watched.config.write_text(WATCHED + f"database: {own_postgres.url('leeway')}\n")
    server = serve_in(watched, "--role", "api")
    with load_on(server.url, rows) as load:
        for how in (signal.SIGINT, signal.SIGKILL):
            enough = load.n_acknowledged() + 50
            eventually(lambda n=enough: load.n_acknowledged() >= n, "rows are taken")
            own_postgres.stop(how)
            told = sum(one.n_told_to_wait for one in load.senders)
            eventually(
                lambda n=told: sum(one.n_told_to_wait for one in load.senders) > n + 4,
                "clients are told to wait",
            )
            own_postgres.start()
        enough = load.n_acknowledged() + 50
        eventually(lambda: load.n_acknowledged() >= enough, "rows are taken again")
    assert server.process.poll() is None
    server.kill()
    load.check(watched, rows, week_start)


@pytest.fixture
def in_bucket(watched, bucket):
    """Keep the files in an object store."""
    watched.config.write_text(WATCHED + f"log: {bucket}\n")
    return watched


def test_an_object_store_out_of_reach_is_a_503_for_large_bodies_and_for_no_others(
    in_bucket, rows, serve_in, object_store, eventually, week_start
):
    server = serve_in(in_bucket, "--role", "api")
    large = rows.iloc[np.arange(20_000) % len(rows)].assign(id=[f"l{i}" for i in range(20_000)])
    body = {"content": arrow_of(large), "headers": {"Content-Type": ARROW}}
    with httpx.Client(base_url=server.url, timeout=60) as http:
        object_store.shut = True
        answer = http.post(PATH, **body)
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert http.post(PATH, json=as_rows(rows[:10])).status_code == 202
        object_store.shut = False
        eventually(lambda: http.post(PATH, **body).status_code == 202, "large bodies are taken")
    server.kill()
    kept, n_rows = stored(in_bucket, week_start)
    assert sorted(kept.index) == sorted([*large["id"], *rows["id"][:10]])
    assert n_rows == len(kept)


def test_a_clock_that_is_set_back_loses_and_doubles_nothing(watched, made_up, week_start):
    frame = made_up(0).assign(p=0.5)
    halves = frame.iloc[:140], frame.iloc[140:]
    with watched.opened() as opened, opened.http() as http:
        log = opened.deployment.log
        # Five days fast while the second half comes, then right again.
        for days, half in ((5, halves[1]), (0, halves[0])):
            watched.clock.set(week_start(1) + timedelta(days=days))
            assert http.post(PATH, json=as_rows(half.drop(columns="late"))).status_code == 202
            log.seal()
            labels = as_rows(half[["id", "late"]])
            key = {"Idempotency-Key": f"labels-{days}"}
            for _ in range(2):
                answer = http.post(PATH.replace("predictions", "labels"), json=labels, headers=key)
                assert answer.status_code == 202
            log.retire()
        log.seal()
        week = Window(week_start(0), week_start(1))
        kept = log.read("late", week, [], horizon=timedelta(days=90)).to_pandas()
        found = kept.set_index(PREDICTION_ID)[LABEL].astype(int)
        assert found.to_dict() == frame.set_index("id")["late"].to_dict()
        assert kept[ROW].tolist() == list(range(len(frame)))
        assert log.verify() == []


def test_a_client_with_a_spool_loses_and_doubles_nothing_across_an_outage(
    watched, rows, serve_in, eventually, week_start, tmp_path
):
    server = serve_in(watched, "--role", "api")
    waiting = Buffering(rows=20, seconds=0.05, max_rows=60, spool=tmp_path / "spool")
    parts = [rows.iloc[start : start + 14] for start in range(0, 280, 14)]
    with Client(server.url, timeout_seconds=20, buffering=waiting) as client:
        for part in parts[:7]:
            client.log_predictions("late", part, id="id")
        eventually(lambda: client.get("/v1/models"), "the server answers")
        server.kill()
        for part in parts[7:]:
            client.log_predictions("late", part, id="id")
    assert list((tmp_path / "spool").glob("*.parcel"))
    server = serve_in(watched, "--role", "api")
    with Client(server.url, buffering=waiting):  # as the next process would
        eventually(lambda: not list((tmp_path / "spool").glob("*.parcel")), "the spool is empty")
    server.kill()
    kept, n_rows = stored(watched, week_start)
    assert sorted(kept.index) == sorted(rows["id"])
    assert n_rows == len(rows)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few megabytes."""
    need(os.geteuid() == 0, "mounting a small disk needs root")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_is_a_503_and_space_that_is_freed_is_used(
    watched, rows, serve_in, small_disk, eventually, week_start
):
    watched.config.write_text(WATCHED + f"data: {small_disk}/data\n")
    server = serve_in(watched, "--role", "api")
    with httpx.Client(base_url=server.url) as http:
        assert http.post(PATH, json=as_rows(rows[:10])).status_code == 202
        filler = small_disk / "filler"
        fill(filler)
        answers = [http.post(PATH, json=as_rows(rows[10:140])) for _ in range(3)]
        for answer in answers:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["Content-Type"] == "application/problem+json"
        filler.unlink()
        eventually(
            lambda: http.post(PATH, json=as_rows(rows[10:140])).status_code == 202,
            "rows are taken again",
        )
    server.kill()
    kept, n_rows = stored(watched, week_start)
    assert sorted(kept.index) == sorted(rows["id"][:140])
    assert n_rows == 140


def test_the_same_request_id_from_many_threads_is_logged_once(http, rows):
    body, key = json.dumps(as_rows(rows[:5])), {"Idempotency-Key": "one"}
    answers = []

    def send() -> None:
        answers.append(http.post(PATH, content=body, headers=key))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [202] * 8
    assert Counter(a.json()["repeated"] for a in answers) == {False: 1, True: 7}
    assert http.log.extent("late").n_rows == 5
