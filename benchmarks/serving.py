"""What predicting costs beside a bare FastAPI endpoint with the same pipeline; what swaps cost.

Real servers on loopback, 20 columns, logistic regression and gradient-boosted trees. Every answer
of Leeway's is also logged, off the way of the answer. The loads of the two servers alternate.
Prints Markdown tables; `load.py` makes the requests.
"""

import argparse
import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI
from ingest import as_json, server

from leeway.config import Environment
from leeway.deployment import ensure_first_versions, opened

MODEL = "wide"
PATH = f"/v1/models/{MODEL}/predict"
ALGORITHMS = ("logistic", "hist_gradient_boosting")
N_NUMERIC, N_CATEGORICAL = 14, 6
N_SWAPS, ANSWERS_A_SWAP = 100, 20
PATIENCE_SECONDS = 60
YAML = """\
models:
  wide:
    reference: reference.parquet
    columns: {target: y, time: at, id: id}
    retrain: {candidates: [ALGORITHM], budget: PT30S}
"""


@dataclass(frozen=True)
class Load:
    """Requests that are sent over and over."""

    name: str
    n_rows: int
    connections: int
    bodies: Sequence[bytes]


def rows(n_rows: int, seed: int) -> pd.DataFrame:
    """Make up rows of 20 features."""
    draw = np.random.default_rng(seed)
    columns = {f"n{i:02}": draw.normal(size=n_rows) for i in range(N_NUMERIC)}
    for i in range(N_CATEGORICAL):
        columns[f"c{i}"] = draw.choice(["red", "green", "blue", "black"], n_rows)
    day = pd.Timestamp.now("UTC").floor("D")
    at = (day + pd.to_timedelta(draw.uniform(0, 1, n_rows), "s")).as_unit("us")
    return pd.DataFrame({"at": at, "id": [f"{seed}-{i}" for i in range(n_rows)], **columns})


def features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what the model takes."""
    return frame[
        [*(f"n{i:02}" for i in range(N_NUMERIC)), *(f"c{i}" for i in range(N_CATEGORICAL))]
    ]


def prepare(home: Path, algorithm: str) -> None:
    """Train version 1, and register a second, different one."""
    draw = np.random.default_rng(1)
    reference = rows(4_000, 0)
    reference["at"] -= pd.Timedelta(days=30)
    reference["y"] = (reference["n00"] + draw.normal(size=len(reference)) > 0).astype(int)
    reference.to_parquet(home / "reference.parquet")
    (home / "leeway.yaml").write_text(YAML.replace("ALGORITHM", algorithm))
    with opened(home / "leeway.yaml", Environment()) as deployment:
        ensure_first_versions(deployment, lambda _share, _text: None)
        registry = deployment.registry
        bundle = registry.load(MODEL, 1)
        pipeline = bundle.pipeline.fit(features(reference), (1 - reference["y"]).astype(str))
        registry.register(replace(bundle, pipeline=pipeline), deployment.clock.now())


def bare(home: Path, port: int) -> None:
    """Serve an endpoint that parses rows, predicts them and does nothing else."""
    with opened(home / "leeway.yaml", Environment()) as deployment:
        pipeline = deployment.registry.load(MODEL, 1).pipeline
    app, names = FastAPI(), list(features(rows(1, 0)))

    @app.post(PATH)
    def predict(sent: list[dict[str, Any]]) -> dict[str, Any]:
        made = pipeline.predict_proba(pd.DataFrame(sent)[names])[:, 1]
        return {"predictions": made.tolist()}

    @app.get("/readyz")
    def ready() -> None:
        return None

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def loaded(port: int, load: Load, seconds: float) -> dict[str, Any]:
    """Put a load on a server; gives what came of it."""
    plan = {
        "port": port,
        "path": PATH,
        "content_type": "application/json",
        "bodies": [base64.b64encode(body).decode() for body in load.bodies],
        "connections": load.connections,
        "seconds": seconds,
        "warmup_seconds": 1.0,
    }
    script = str(Path(__file__).with_name("load.py"))
    done = subprocess.run(
        [sys.executable, script],
        input=json.dumps(plan).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(done.stdout))


def compared(load: Load, ports: tuple[int, int], rounds: int, seconds: float) -> str:
    """Return a line of the table: medians over rounds in which both took their turn."""
    found: list[list[dict[str, Any]]] = [[], []]
    for _ in range(rounds):
        for one, port in zip(found, ports, strict=True):
            one.append(loaded(port, load, seconds))
    p99 = [statistics.median(o["latencies_ms"]["0.99"] for o in one) for one in found]
    p50 = [statistics.median(o["latencies_ms"]["0.5"] for o in one) for one in found]
    rate = [statistics.median(o["n_requests"] / o["seconds"] for o in one) for one in found]
    return (
        f"{load.name} | {rate[0] * load.n_rows:,.0f} | {rate[1] * load.n_rows:,.0f} | "
        f"{rate[1] / rate[0]:.2f} | {p50[0]:.1f} | {p50[1]:.1f} | {p99[0]:.1f} | {p99[1]:.1f} | "
        f"{p99[1] / p99[0]:.2f} |"
    )


def swaps(port: int) -> str:
    """Swap the champion while four clients ask; count answers, failures and mixed answers.

    Each champion gives some answers before the next one comes: swaps as fast as they can be made
    would be over before many had asked.
    """
    body, done = as_json(rows(20, 5)), threading.Event()
    url = f"http://127.0.0.1:{port}"
    headers = {"Content-Type": "application/json"}
    known: dict[int, list[float]] = {}
    answered = threading.Semaphore(0)

    def ask() -> tuple[int, int, int]:
        n_answers = n_failed = n_mixed = 0
        with httpx.Client(timeout=30) as client:
            while not done.is_set():
                answer = client.post(url + PATH, content=body, headers=headers)
                n_answers += 1
                answered.release()
                if not answer.is_success:
                    n_failed += 1
                    continue
                made = answer.json()
                expected = known.setdefault(made["version"], made["predictions"])
                n_mixed += not np.allclose(expected, made["predictions"], atol=1e-12)
        return n_answers, n_failed, n_mixed

    with httpx.Client(timeout=30) as client, ThreadPoolExecutor(4) as pool:
        champion = client.post(url + PATH, content=body, headers=headers).json()["version"]
        asking = [pool.submit(ask) for _ in range(4)]
        for _ in range(N_SWAPS):
            champion = 3 - champion
            path = f"{url}/v1/models/{MODEL}/versions/{champion}/promote"
            client.post(path).raise_for_status()
            for _ in range(ANSWERS_A_SWAP):
                assert answered.acquire(timeout=PATIENCE_SECONDS), "nobody is answered any more"
        done.set()
        found = np.sum([one.result() for one in asking], axis=0)
    assert len(known) == 2, "both versions must have answered"  # noqa: PLR2004
    return f"{N_SWAPS} | {found[0]:,} | {found[1]} | {found[2]} |"


def main() -> None:
    """Measure every load on both servers and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", nargs=2, metavar=("HOME", "PORT"), help="be the other server")
    arguments = parser.parse_args()
    if arguments.bare:
        bare(Path(arguments.bare[0]), int(arguments.bare[1]))
        return
    loads = [
        Load("1 row, 1 connection", 1, 1, [as_json(rows(1, i)) for i in range(256)]),
        Load("1 row, 4 connections", 1, 4, [as_json(rows(1, i)) for i in range(256)]),
        Load("1 000 rows, 2 connections", 1_000, 2, [as_json(rows(1_000, i)) for i in range(8)]),
    ]
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}; "
        f"{arguments.rounds} rounds of {arguments.seconds:g} s\n\n"
        "| model | load | rows/s bare | rows/s Leeway | ratio | median ms bare | Leeway | "
        "p99 ms bare | Leeway | ratio |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    swapped = []
    for algorithm in ALGORITHMS:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            prepare(home, algorithm)
            serve = ("-m", "leeway", "serve", "--role", "api", "--config", f"{home}/leeway.yaml")
            other = (__file__, "--bare", folder)
            with server(*other) as first, server(*serve, "--port") as second:
                ports = first.port, second.port
                for port in ports:  # Leeway opens its champion for the first request
                    httpx.post(
                        f"http://127.0.0.1:{port}{PATH}", content=loads[0].bodies[0], timeout=60
                    )
                for load in loads:
                    line = compared(load, ports, arguments.rounds, arguments.seconds)
                    print(f"| {algorithm} | {line}", flush=True)
                swapped.append(f"| {algorithm} | {swaps(second.port)}")
    print("\n| model | swaps | answers | failed | mixed |\n|---|---|---|---|---|")
    print("\n".join(swapped))


if __name__ == "__main__":
    main()
