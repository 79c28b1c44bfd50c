"""Kills, outages, full disks and broken bodies: what was acknowledged is there once, and whole."""

import gzip
import json
import os
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.client import Client
from leeway.outbox import Buffering
from monitor.batch import PREDICTION_ID
from monitor.window import Window

PATH = "/v1/models/late/predictions"
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
WATCHED = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns: {time: at, target: late, id: id, prediction: p, numeric: [x, y], categorical: [g]}
"""


@pytest.fixture
def watched(new_home, made_up, week_start):
    """A model served elsewhere: the cheapest server there is."""
    reference = made_up(-4, 4).assign(p=lambda f: 1 / (1 + np.exp(-f["x"])))
    reference.to_parquet(new_home.folder / "reference.parquet")
    new_home.config.write_text(WATCHED)
    new_home.clock.set(week_start(1))
    return new_home


@pytest.fixture
def rows(made_up):
    """Rows of week 0 with predictions."""
    return made_up(0).drop(columns="late").assign(p=0.5)


def as_rows(frame):
    return json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))


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
        return answer.status_code == 202


@pytest.mark.timeout(240)
def test_killed_twenty_times_under_load_every_acknowledged_row_is_there_once(
    watched, rows, serve_in, eventually, week_start
):
    server = serve_in(watched, "--role", "api")
    url = [server.url]
    senders = [Sender(as_rows(rows), url, f"s{n}") for n in range(4)]
    threads = [threading.Thread(target=one.run, daemon=True) for one in senders]
    for thread in threads:
        thread.start()
    for _ in range(20):
        enough = sum(len(one.acknowledged) for one in senders) + 50
        eventually(
            lambda n=enough: sum(len(one.acknowledged) for one in senders) >= n, "rows are taken"
        )
        server.kill()
        server = serve_in(watched, "--role", "api")
        url[0] = server.url
    for one in senders:
        one.stopped = True
    for thread in threads:
        thread.join(20)
    server.kill()
    kept, n_rows = stored(watched, week_start)
    acknowledged = set.union(*(one.acknowledged for one in senders))
    assert sum(one.n_retries for one in senders) >= 20
    assert acknowledged <= set(kept.index)
    # What the log counts is what it has: no row twice; at most one a sender was not answered.
    assert n_rows == len(kept) <= len(acknowledged) + len(senders)
    sent = rows.reset_index(drop=True)
    place = kept.index.str.partition("-").get_level_values(2).astype(int) % len(sent)
    np.testing.assert_allclose(kept["x"], sent["x"].to_numpy()[place])
    assert (kept["g"].to_numpy() == sent["g"].to_numpy()[place]).all()


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
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
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


@pytest.fixture
def http(watched):
    """A client of the composed application, over a real log."""
    with watched.opened() as opened, opened.http() as client:
        client.log = opened.deployment.log
        client.raise_server_exceptions = False
        yield client


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


def valid_bodies(frame):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    arrow, parquet = pa.BufferOutputStream(), pa.BufferOutputStream()
    with pa.ipc.new_stream(arrow, table.schema) as stream:
        stream.write_table(table)
    pa.parquet.write_table(table, parquet)
    as_json = as_rows(frame)
    return [
        (JSON, json.dumps(as_json).encode()),
        (JSON, json.dumps({"columns": {k: [r[k] for r in as_json] for k in as_json[0]}}).encode()),
        (NDJSON, "\n".join(map(json.dumps, as_json)).encode()),
        (CSV, frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ").encode()),
        (PARQUET, parquet.getvalue().to_pybytes()),
        (ARROW, arrow.getvalue().to_pybytes()),
    ]


def compressed(body, encoding):
    if encoding == "gzip":
        return gzip.compress(body)
    return pa.compress(body, "zstd", asbytes=True) if encoding == "zstd" else body


def mutated(draw, body):
    """Cut, overwrite, repeat and insert bytes."""
    changed = bytearray(body)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(len(changed) - 1, 0)))
        piece = draw(
            st.binary(max_size=6) | st.sampled_from([b'"', b"}", b"null", b"1e999", b"\x00"])
        )
        length = draw(st.integers(0, 8))
        changed[at : at + length] = piece
    return bytes(changed)


@pytest.mark.timeout(300)
def test_ten_thousand_malformed_bodies_are_no_500_and_leave_nothing_torn(http, rows, week_start):
    valid = valid_bodies(rows[:3])
    seen: Counter[int] = Counter()

    @settings(max_examples=10_000, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def send(data: st.DataObject) -> None:
        content_type, body = data.draw(st.sampled_from(valid))
        encoding = data.draw(st.sampled_from(["", "", "gzip", "zstd", "br"]))
        path = data.draw(st.sampled_from([PATH, PATH, "/v1/models/late/labels"]))
        damage_within = data.draw(st.booleans())
        body = mutated(data.draw, body) if damage_within else body
        body = compressed(body, encoding)
        body = body if damage_within else mutated(data.draw, body)
        headers = {"Content-Type": content_type, "Content-Encoding": encoding}
        answer = http.post(path, content=body, headers=headers)
        seen[answer.status_code] += 1
        assert answer.status_code in (202, 413, 422), (answer.status_code, answer.text)

    send()
    assert seen[202] > 100
    assert seen[422] > 1_000
    kept = http.log.read("late", Window(week_start(-52), week_start(52)), ["x", "y", "g", "p"])
    assert set(kept.column("g").to_pylist()) >= {*rows["g"][:3]}
    name = uuid.uuid4().hex
    assert http.post(PATH, json=as_rows(rows[:1].assign(id=name))).status_code == 202


def test_a_bomb_ends_in_a_413_and_not_in_memory(http):
    for encoding in ("gzip", "zstd"):
        bomb = compressed(bytes(200 << 20), encoding)
        headers = {"Content-Type": JSON, "Content-Encoding": encoding}
        answer = http.post(PATH, content=bomb, headers=headers)
        assert answer.status_code == 413, answer.text
    table = pa.table({"g": pa.array(["a" * 1000] * 100_000)})
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table, sink)
    body = sink.getvalue().to_pybytes()
    assert len(body) < 1 << 20
    assert http.post(PATH, content=body, headers={"Content-Type": PARQUET}).status_code == 413


def test_a_body_beyond_the_limit_is_refused_while_it_comes(watched):
    watched.config.write_text(WATCHED + "max_body_bytes: 65536\n")
    with watched.opened() as opened, opened.http() as http:
        assert http.post(PATH, content=b" " * 70_000).status_code == 413
        taken = []

        def pieces() -> Iterator[bytes]:
            for _ in range(1_000):
                taken.append(1)
                yield b" " * 1_000

        for path in (PATH, "/v1/models/late/predict"):
            answer = http.post(path, content=pieces())
            assert answer.status_code == 413
            assert answer.json()["status"] == 413
