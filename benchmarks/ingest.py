"""What taking rows in costs: a real server on loopback, every answer durable, 50 columns.

Prints Markdown tables; each figure stands beside what it is measured against in the same run.
"""

import argparse
import base64
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import uvicorn
from fastapi import FastAPI, Request

N_NUMERIC, N_CATEGORICAL = 40, 10
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
PATH = "/v1/models/wide/predictions"
YAML = """\
models:
  wide:
    reference: reference.parquet
    columns: {target: y, prediction: p, time: at, id: id}
tick: PT10S
"""


@dataclass(frozen=True)
class Load:
    """Requests that are sent over and over."""

    content_type: str
    n_rows: int
    connections: int
    bodies: Sequence[bytes]


def rows(n_rows: int, seed: int = 0) -> pd.DataFrame:
    """Make up rows of 50 features."""
    draw = np.random.default_rng(seed)
    columns = {f"n{i:02}": draw.normal(size=n_rows) for i in range(N_NUMERIC)}
    for i in range(N_CATEGORICAL):
        columns[f"c{i}"] = draw.choice(["red", "green", "blue", "black"], n_rows)
    day = pd.Timestamp.now("UTC").floor("D")
    return pd.DataFrame(
        {
            "at": (day + pd.to_timedelta(draw.uniform(0, 1, n_rows), "s")).as_unit("us"),
            "id": [f"{seed}-{i}" for i in range(n_rows)],
            "p": draw.uniform(size=n_rows),
            **columns,
        }
    )


def as_json(frame: pd.DataFrame) -> bytes:
    """Return rows as a JSON body."""
    return frame.to_json(orient="records", date_format="iso", date_unit="us").encode()


def as_arrow(frame: pd.DataFrame) -> bytes:
    """Return rows as an Arrow stream."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def bare(port: int) -> None:
    """Serve an endpoint that parses the body and does nothing else."""
    app = FastAPI()

    @app.post(PATH, status_code=202)
    async def parse(request: Request) -> dict[str, int]:
        return {"acknowledged": len(await request.json())}

    @app.get("/readyz")
    def ready() -> None:
        return None

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def server(*command: str) -> Iterator[int]:
    """Run a server; gives its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, *command, str(port)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not is_ready(port):
            if time.monotonic() > deadline:
                raise SystemExit(f"{command} does not answer")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def is_ready(port: int) -> bool:
    """Say whether a server answers."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
    except httpx.HTTPError:
        return False


def loaded(port: int, load: Load, seconds: float) -> dict[str, Any]:
    """Put a load on a server; gives what came of it."""
    plan = {
        "port": port,
        "path": PATH,
        "content_type": load.content_type,
        "bodies": [base64.b64encode(body).decode() for body in load.bodies],
        "connections": load.connections,
        "seconds": seconds,
        "warmup_seconds": 1.0,
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("load.py"))],
        input=json.dumps(plan).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(done.stdout))


def row_of(name: str, load: Load, found: dict[str, Any]) -> str:
    """Return a line of the table."""
    rate = found["n_requests"] / found["seconds"]
    latencies = found["latencies_ms"]
    return (
        f"| {name} | {rate:,.0f} | {rate * load.n_rows:,.0f} | "
        f"{latencies['0.5']:.1f} | {latencies['0.99']:.1f} |"
    )


def main() -> None:
    """Measure every load on both servers, one after the other, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", type=int, metavar="PORT", help="be the server to compare with")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.bare:
        bare(arguments.bare)
        return
    loads = {
        "1 row": Load(JSON, 1, 32, [as_json(rows(1, i)) for i in range(256)]),
        "100 rows": Load(JSON, 100, 8, [as_json(rows(100, i)) for i in range(8)]),
        "10 000 rows, Arrow": Load(ARROW, 10_000, 4, [as_arrow(rows(10_000, i)) for i in (1, 2)]),
    }
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        reference = rows(2_000, 99).assign(y=lambda f: f["p"].round().astype(int))
        reference.to_parquet(home / "reference.parquet")
        (home / "leeway.yaml").write_text(YAML)
        serve = ("-m", "leeway", "serve", "--role", "api", "--config", str(home / "leeway.yaml"))
        print("| load | requests/s | rows/s | median ms | p99 ms |\n|---|---|---|---|---|")
        with server(*serve, "--port") as leeway, server(__file__, "--bare") as other:
            for name, load in loads.items():
                for _ in range(arguments.rounds):
                    if load.content_type == JSON:
                        found = loaded(other, load, arguments.seconds)
                        print(row_of(f"{name}, bare endpoint", load, found), flush=True)
                    found = loaded(leeway, load, arguments.seconds)
                    print(row_of(f"{name}, Leeway", load, found), flush=True)


if __name__ == "__main__":
    main()
