"""Run: the whole story, from a reference file to a recovered model, on a running server."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from leeway.client import Client, ClientError
from leeway.config import Environment
from leeway.demo.flights import (
    BROKEN_COLUMN,
    BROKEN_WEEK,
    CATEGORICAL,
    ID,
    NUMERIC,
    REFERENCE_END,
    REPLAY_END,
    TARGET,
    TIME,
    load_flights,
)
from leeway.demo.story import Story, show_story, story_document
from leeway.deployment import opened
from monitor.adapters.clocks import FileClock
from monitor.checks.performance import performance
from monitor.errors import ConfigError, StorageError
from retrain.serving import Served

MODEL = "flights_late"
WEEK = timedelta(days=7)
MOMENT = timedelta(seconds=1)
LAST_LABELS = timedelta(days=6)
"""The last week's labels come before the next week, in which nothing flies, would be judged."""

LOG_WIDTH = 120
"""Width of the story where there is no terminal to say."""

START_SECONDS = 120.0

LEEWAY_YAML = f"""\
# The demo's model: does a flight arrive more than 15 minutes late?
models:
  {MODEL}:
    task: binary
    reference: reference.parquet
    columns:
      time: {TIME}
      target: {TARGET}
      id: {ID}
      numeric: [{", ".join(NUMERIC)}]
      categorical: [{", ".join(CATEGORICAL)}]
    window: {{every: P7D}}
    labels: {{horizon: P28D}}
    retrain: {{budget: PT20S, cooldown: P42D, every: P56D}}
series_per_model: 300
url: {{url}}
"""


@dataclass(frozen=True)
class Server:
    """The demo's server process, and what sets its clock."""

    url: str
    clock: FileClock
    folder: Path


def run_demo(*, stay: bool, json_file: Path | None, folder: Path | None, port: int) -> None:
    """Tell the whole story, from a reference file to a recovered model.

    Parameters
    ----------
    stay : bool
        Leave the server up in the end, until it is interrupted.
    json_file : Path or None
        Where the facts are written.
    folder : Path or None
        New folder for the demo's data; a temporary one that is removed by default.
    port : int
        Port of the server; 0 takes a free one.
    """
    began = time.monotonic()
    # Whoever ends the demo ends its server: by SIGTERM as by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    flights = load_flights()
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise ConfigError("command line", "--folder", f"{folder} is not empty; name a new folder")
    with tempfile.TemporaryDirectory(prefix="leeway-demo-") as temporary:
        home = folder or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        prepare_folder(home, flights, port or free_port())
        with (
            progress_bar(console) as tell,
            running_server(home) as server,
            ThreadPoolExecutor(1) as beside,
        ):
            # Version 1 is there as soon as the server is: its score does not wait for the end.
            never = beside.submit(never_retrained, flights, home)
            replay(flights, server, tell)
            story = read_story(server, never.result())
            seconds = time.monotonic() - began
            document = story_document(story, seconds)
            if json_file is not None:
                json_file.write_text(json.dumps(document, indent=1, default=str))
            tell(1.0, "")
            show_story(console, story, document, server.url)
            if stay:
                _wait_for_interrupt(console, server.url)


def prepare_folder(home: Path, flights: pd.DataFrame, port: int) -> None:
    """Write what the server starts from: reference, configuration and clock."""
    reference = flights[flights[TIME] < REFERENCE_END]
    reference.dropna(subset=[TARGET]).to_parquet(home / "reference.parquet", index=False)
    yaml = LEEWAY_YAML.replace("{url}", f"http://127.0.0.1:{port}")
    (home / "leeway.yaml").write_text(yaml)
    FileClock(home / "clock").set(REFERENCE_END)


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(home: Path) -> Iterator[Server]:
    """Run `leeway serve` on a prepared folder, with a clock that the demo sets."""
    url = next(
        line.split(maxsplit=1)[1]
        for line in (home / "leeway.yaml").read_text().splitlines()
        if line.startswith("url:")
    )
    clock = FileClock(home / "clock")
    command = [sys.executable, "-m", "leeway", "serve", "--config", str(home / "leeway.yaml")]
    with (home / "server.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--port", url.rpartition(":")[2]],
            env={**os.environ, "LEEWAY_CLOCK_FILE": str(home / "clock")},
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(url, process, home)
        yield Server(url, clock, home)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with _client(url) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                client.get("/readyz")
            except ClientError:
                time.sleep(0.1)
            else:
                return
    tail = (home / "server.log").read_text()[-2000:]
    raise StorageError(f"the demo's server did not start:\n{tail}")


def _client(url: str) -> Client:
    return Client(url, os.environ.get("LEEWAY_API_KEY"))


def weeks() -> list[datetime]:
    """Return the starts of the weeks that are replayed."""
    n_weeks = int((REPLAY_END - REFERENCE_END) / WEEK)
    return [REFERENCE_END + i * WEEK for i in range(n_weeks)]


def replay(flights: pd.DataFrame, server: Server, tell: Callable[[float, str], None]) -> None:
    """Send each week's flights day by day, and each week's labels a week late."""
    starts = weeks()
    with _client(server.url) as client:
        for index, start in enumerate(starts):
            tell(index / len(starts), f"week of {start:%d %b}")
            replay_week(flights, start, client, server.clock)
        server.clock.set(REPLAY_END + LAST_LABELS)
        send_labels(flights, starts[-1], client)
        judge(client)


def replay_week(flights: pd.DataFrame, start: datetime, client: Client, clock: FileClock) -> None:
    """Send one week's flights and the labels of the week before, and let Leeway act."""
    for day in range(7):
        first = start + timedelta(days=day)
        # A moment before midnight: the server ticks by itself, and would judge a week that is over
        # before its last rows and labels have come.
        clock.set(first + timedelta(days=1) - MOMENT)
        rows = as_sent(between(flights, first, first + timedelta(days=1)))
        client.predict(MODEL, rows, request_id=f"flights-{first:%Y-%m-%d}", durable=True)
    if start > REFERENCE_END:
        send_labels(flights, start - WEEK, client)
    clock.set(start + WEEK)
    judge(client)


def between(flights: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    """Return the flights scheduled in [start, end)."""
    first, last = flights[TIME].searchsorted([pd.Timestamp(start), pd.Timestamp(end)])
    return flights.iloc[first:last]


def as_sent(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows as the feed sends them: without labels, and broken in the broken week."""
    sent = rows.drop(columns=TARGET)
    in_broken_week = (sent[TIME] >= BROKEN_WEEK) & (sent[TIME] < BROKEN_WEEK + WEEK)
    return sent.assign(**{BROKEN_COLUMN: sent[BROKEN_COLUMN].where(~in_broken_week)})


def send_labels(flights: pd.DataFrame, start: datetime, client: Client) -> None:
    """Send the labels of a week; flights that never arrived have none."""
    rows = between(flights, start, start + WEEK)[[ID, TARGET]].dropna()
    client.log_labels(MODEL, rows, request_id=f"labels-{start:%Y-%m-%d}")


def judge(client: Client) -> None:
    """Have the due windows judged, and wait for the retrain run that may follow."""
    client.post(f"/v1/models/{MODEL}/checks")
    while client.get(f"/v1/models/{MODEL}/requests"):
        time.sleep(0.1)


def read_story(server: Server, never: Mapping[datetime, float]) -> Story:
    """Read from the server what happened, beside what version 1 would have reached."""
    base = f"/v1/models/{MODEL}"
    with _client(server.url) as client:
        kinds = ("windows", "alerts", "runs", "trials", "versions", "probations")
        read = {kind: client.get(f"{base}/{kind}") for kind in kinds}
    return Story(**read, never=never)


def never_retrained(flights: pd.DataFrame, home: Path) -> dict[datetime, float]:
    """Return the ROC AUC of version 1 in each week, on the rows as they were sent."""
    with opened(home / "leeway.yaml", Environment()) as deployment:
        first = Served(1, deployment.registry.load(MODEL, 1))
    reached: dict[datetime, float] = {}
    for start in weeks():
        rows = between(flights, start, start + WEEK).dropna(subset=[TARGET])
        made = first.predict(pa.Table.from_pandas(as_sent(rows), preserve_index=False))
        labels = rows[TARGET].astype(str).to_numpy()
        reached[start] = performance(labels, made.to_numpy(), first.schema)["roc_auc"].value
    return reached


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[float, str], None]]:
    """Show progress: a bar on a terminal, a line now and then elsewhere."""
    if not console.is_terminal:
        yield lambda share, text: console.print(f"{share:4.0%}  {text}") if text else None
        return
    columns = (TextColumn("{task.description:<22}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting the server", total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=text)


def _wait_for_interrupt(console: Console, url: str) -> None:
    console.print(f"\nThe server stays up at {url} until you press Ctrl-C.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("stopped")
