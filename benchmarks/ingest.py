"""What taking rows in costs: a real server on loopback, every answer durable, 50 columns.

Prints Markdown tables; each figure stands beside what it is measured against in the same run.
"""

import argparse
import base64
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import uvicorn
from fastapi import FastAPI, Request

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.postgres import running_postgres

N_NUMERIC, N_CATEGORICAL = 40, 10
WARMUP_SECONDS = 1.0
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


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Return the CPU time it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Return the memory it has."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def server(*command: str) -> Iterator[Server]:
    """Run a server, which is given a port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, *command, str(port)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not is_ready(port):
            if time.monotonic() > deadline:
                raise SystemExit(f"{command} does not answer")
            time.sleep(0.1)
        yield Server(port, process)
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
    """Put a load on a server; returns what came of it."""
    plan = {
        "port": port,
        "path": PATH,
        "content_type": load.content_type,
        "bodies": [base64.b64encode(body).decode() for body in load.bodies],
        "connections": load.connections,
        "seconds": seconds,
        "warmup_seconds": WARMUP_SECONDS,
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("load.py"))],
        input=json.dumps(plan).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(done.stdout))


@contextmanager
def leeway(folder: Path, role: str, more: str = "") -> Iterator[Server]:
    """Run Leeway in a folder of its own."""
    folder.mkdir()
    reference = rows(2_000, 99).assign(y=lambda frame: frame["p"].round().astype(int))
    reference.to_parquet(folder / "reference.parquet")
    (folder / "leeway.yaml").write_text(YAML + more)
    config = ("--config", str(folder / "leeway.yaml"))
    with server("-m", "leeway", "serve", "--role", role, *config, "--port") as running:
        yield running


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, Server]]:
    """Run all that are compared."""
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(durable=True))
        database = f"database: {postgres.create('leeway')}\n"
        yield {
            "bare FastAPI": stack.enter_context(server(__file__, "--bare")),
            "Leeway, SQLite": stack.enter_context(leeway(folder / "sqlite", "api")),
            "Leeway, PostgreSQL": stack.enter_context(leeway(folder / "postgres", "api", database)),
        }


def measured(name: str, load: Load, running: Server, seconds: float) -> dict[str, Any]:
    """Put a load on a server; returns what it did, and what of the machine it took."""
    before = running.cpu_seconds()
    found = loaded(running.port, load, seconds)
    taken = running.cpu_seconds() - before
    n_all = found["n_requests"] * (seconds + WARMUP_SECONDS) / seconds
    rate = found["n_requests"] / found["seconds"]
    p50, p99 = (found["latencies_ms"][q] for q in ("0.5", "0.99"))
    return {"name": name, "rate": rate, "p50": p50, "p99": p99, "cpu": taken / n_all}


def compare(seconds: float, rounds: int) -> None:
    """Measure every load on every server, in turn, and print a table of each one's best round."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}\n")
    print("| load | server | requests/s | rows/s | of bare | median ms | p99 ms | CPU us/row |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as running:
        for name, load in loads().items():
            found = [
                measured(who, load, one, seconds)
                for _ in range(rounds)
                for who, one in running.items()
                if load.content_type == JSON or not who.startswith("bare")
            ]
            print_best(name, load, found)


def print_best(name: str, load: Load, found: Sequence[dict[str, Any]]) -> None:
    """Print a line for each server."""
    best: dict[str, dict[str, Any]] = {}
    for one in sorted(found, key=lambda one: one["rate"]):
        best[one["name"]] = one
    bare_rate = best.get("bare FastAPI", {"rate": 0.0})["rate"]
    for who in dict.fromkeys(one["name"] for one in found):
        one = best[who]
        share = f"{one['rate'] / bare_rate:.0%}" if bare_rate else ""
        print(
            f"| {name} | {who} | {one['rate']:,.0f} | {one['rate'] * load.n_rows:,.0f} | {share} | "
            f"{one['p50']:.1f} | {one['p99']:.1f} | {1e6 * one['cpu'] / load.n_rows:.1f} |",
            flush=True,
        )


def loads() -> dict[str, Load]:
    """Return what is sent."""
    return {
        "1 row, 32 connections": Load(JSON, 1, 32, [as_json(rows(1, i)) for i in range(256)]),
        "100 rows, 8 connections": Load(JSON, 100, 8, [as_json(rows(100, i)) for i in range(8)]),
        "Arrow, 10 000 rows, 4 connections": Load(
            ARROW, 10_000, 4, [as_arrow(rows(10_000, i)) for i in (1, 2)]
        ),
    }


def soak(minutes: int) -> None:
    """Keep a whole server busy, and print each minute what might grow."""
    load = loads()["100 rows, 8 connections"]
    print(
        "| minute | rows/s | p99 ms | memory MiB | disk MiB | bytes/row | unsealed rows | files |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        home, n_rows = Path(name) / "soak", 0
        with leeway(home, "all") as running:
            for minute in range(1, minutes + 1):
                found = loaded(running.port, load, 60 - WARMUP_SECONDS)
                data = [one.stat().st_size for one in home.rglob("*") if one.is_file()]
                shown = httpx.get(f"http://127.0.0.1:{running.port}/metrics", timeout=30).text
                n_rows = int(sample(shown, "leeway_predictions_logged_total"))
                print(
                    f"| {minute} | {found['n_requests'] * load.n_rows / found['seconds']:,.0f} | "
                    f"{found['latencies_ms']['0.99']:.0f} | {running.memory_mib():.0f} | "
                    f"{sum(data) / 2**20:,.0f} | {sum(data) / n_rows:.0f} | "
                    f"{sample(shown, 'leeway_log_inbox_rows'):,.0f} | {len(data)} |",
                    flush=True,
                )


def sample(shown: str, name: str) -> float:
    """Return the value of a metric of the only model."""
    (line,) = (line for line in shown.splitlines() if line.startswith(f'{name}{{model="wide"'))
    return float(line.rpartition(" ")[2])


def main() -> None:
    """Compare, or soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", type=int, metavar="PORT", help="be the server to compare with")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    parser.add_argument("--minutes", type=int, help="keep one server busy for so long instead")
    arguments = parser.parse_args()
    if arguments.bare:
        bare(arguments.bare)
    elif arguments.minutes:
        soak(arguments.minutes)
    else:
        compare(arguments.seconds, arguments.rounds)


if __name__ == "__main__":
    main()
