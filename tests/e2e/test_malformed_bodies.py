"""Broken bodies: never a 500, nothing torn, no more memory than is allowed."""

import asyncio
import gzip
import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator

import httpx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.app import api
from leeway.config import Environment
from monitor.window import Window
from tests.watched import PATH, WATCHED, as_rows

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"


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


PIECES = (b'"', b"}", b"null", b"1e999", b"\x00", b"", b"\xff\xfe", b",", b"[", b"-")


def mutated(draw, body):
    """Cut, overwrite, repeat and insert bytes."""
    changed = bytearray(body)
    for _ in range(draw.randint(0, 4)):
        at = draw.randrange(max(len(changed), 1))
        piece = draw.choice(PIECES) if draw.random() < 0.5 else draw.randbytes(draw.randint(0, 6))
        changed[at : at + draw.randint(0, 8)] = piece
    return bytes(changed)


def request_of(draw, valid):
    """Return a path, a body and its headers, damaged before or after it is compressed."""
    content_type, body = draw.choice(valid)
    encoding = draw.choice(["", "", "gzip", "zstd", "br"])
    damage_within = draw.random() < 0.5
    body = mutated(draw, body) if damage_within else body
    body = compressed(body, encoding)
    body = body if damage_within else mutated(draw, body)
    path = draw.choice([PATH, PATH, "/v1/models/late/labels"])
    return path, body, {"Content-Type": content_type, "Content-Encoding": encoding}


TOGETHER = 50
"""Sent at once, so that bad ones share their group with good ones."""


@pytest.mark.timeout(300)
def test_ten_thousand_malformed_bodies_are_no_500_and_leave_nothing_torn(watched, rows, week_start):
    valid = valid_bodies(rows[:3])
    seen: Counter[int] = Counter()
    with watched.opened() as opened, asyncio.Runner() as runner:
        app = api(opened.deployment, Environment(api_key=None), "api")
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://leeway")

        async def send(requests) -> None:
            async def one(path, body, headers) -> None:
                answer = await http.post(path, content=body, headers=headers)
                seen[answer.status_code] += 1
                what = (answer.status_code, answer.text, path, headers, body)
                assert answer.status_code in (202, 413, 422), what

            await asyncio.gather(*(one(*request) for request in requests))

        @settings(max_examples=10_000 // TOGETHER, deadline=None, derandomize=True, database=None)
        @given(st.integers(0, 2**64))
        def send_some(seed: int) -> None:
            draw = random.Random(seed)
            runner.run(send([request_of(draw, valid) for _ in range(TOGETHER)]))

        send_some()
        assert seen.total() >= 10_000
        assert seen[202] > 100
        assert seen[422] > 1_000
        log = opened.deployment.log
        kept = log.read("late", Window(week_start(-52), week_start(52)), ["x", "y", "g", "p"])
        assert set(kept.column("g").to_pylist()) >= {*rows["g"][:3]}
        fine = as_rows(rows[:1].assign(id=uuid.uuid4().hex))
        assert runner.run(http.post(PATH, json=fine)).status_code == 202


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
