"""Small made-up rows, a deployment that learned from them, real servers and a real webhook."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import Engine

from leeway.app import api
from leeway.client import Client, ClientError
from leeway.config import Environment
from leeway.database import upgrade
from leeway.demo.run import free_port
from leeway.deployment import Deployment, ensure_first_versions, opened
from monitor import intake
from monitor.adapters.clocks import FileClock
from monitor.adapters.database import open_database
from monitor.batch import Receipt
from monitor.body import Body
from retrain.serving import Serving
from tests.buckets import ObjectStore, running_store
from tests.patience import PATIENCE_SECONDS, eventually
from tests.postgres import Postgres, running_postgres

with warnings.catch_warnings():
    # Starlette would rather have httpx2; nothing else we use knows it.
    warnings.filterwarnings("ignore", "Using `httpx` with `starlette.testclient`")
    from fastapi.testclient import TestClient

    # Apprise takes it where there is one, and Python 3.12 is the last that has it.
    warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
    with suppress(ImportError):
        import imghdr  # noqa: F401

MODEL = "late"
START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday; the reference is the four weeks from here, and week 0 comes after them."""

WEEK = timedelta(days=7)
REFERENCE_WEEKS = 4
ROWS_A_WEEK = 280
"""Forty a day: enough for a gate that compares day by day."""

LEEWAY_YAML = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns: {time: at, target: late, id: id, numeric: [x, y], categorical: [g]}
    window: {every: P7D}
    retrain: {budget: PT20S, candidates: [logistic], cooldown: P1D}
tick: PT0.2S
"""


def week_start(number: int) -> datetime:
    """Return the start of a week; the reference's weeks have negative numbers."""
    return START + (REFERENCE_WEEKS + number) * WEEK


def made_up(number: int, n_weeks: int = 1, *, by_x: float = 3.0, by_y: float = 0.0) -> pd.DataFrame:
    """Make labelled rows of some weeks; `by_x` and `by_y` say what the label follows."""
    rng = np.random.default_rng(100 + number)
    n_rows = n_weeks * ROWS_A_WEEK
    seconds = np.sort(rng.uniform(0, n_weeks * WEEK.total_seconds(), n_rows))
    x, y = rng.normal(size=n_rows), rng.normal(size=n_rows)
    likely = 1 / (1 + np.exp(-by_x * x - by_y * y))
    return pd.DataFrame(
        {
            "id": [f"w{number}-{i}" for i in range(n_rows)],
            "at": (pd.Timestamp(week_start(number)) + pd.to_timedelta(seconds, unit="s")).as_unit(
                "us"
            ),
            "x": x,
            "y": y,
            "g": rng.choice(["a", "b", "c"], n_rows),
            "late": (rng.uniform(size=n_rows) < likely).astype(int),
        }
    )


@dataclass(frozen=True)
class Home:
    """A folder that a deployment lives in."""

    folder: Path

    @property
    def config(self) -> Path:
        """leeway.yaml."""
        return self.folder / "leeway.yaml"

    @property
    def clock(self) -> FileClock:
        """The clock of whatever is opened here."""
        return FileClock(self.folder / "clock")

    def configure(self, old: str, new: str) -> None:
        """Change leeway.yaml."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    @contextmanager
    def opened(self) -> Iterator["Opened"]:
        """Open the deployment in this process."""
        environment = Environment(api_key=None, clock_file=self.folder / "clock")
        with opened(self.config, environment) as deployment:
            ensure_first_versions(deployment, lambda _share, _text: None)
            yield Opened(deployment, self.clock, Serving(deployment.registry))

    def cli(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command line on this folder to its end."""
        return subprocess.run(
            [sys.executable, "-m", "leeway", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a child process."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LEEWAY_")}
        return {**kept, "LEEWAY_CLOCK_FILE": str(self.folder / "clock"), **more}


@dataclass(frozen=True)
class Opened:
    """A deployment that is open in this process."""

    deployment: Deployment
    clock: FileClock
    serving: Serving

    def predict(self, frame: pd.DataFrame, request_id: str, **fixed: object) -> Receipt:
        """Log rows with the champion's predictions, as `POST predict` does."""
        served = self.serving.champion(MODEL)
        body = Body({name: pa.chunked_array([pa.array(frame[name])]) for name in frame}, len(frame))
        request = intake.Request(
            MODEL, request_id, "digest", self.clock.now(), served.version, **fixed
        )
        batches = intake.predictions(body, served.schema, request, predict=served.columns)
        receipt = self.deployment.log.append(batches).result(PATIENCE_SECONDS)
        self.deployment.shadowing(self.serving).shadow(batches[:1])
        return receipt

    def label(self, frame: pd.DataFrame, request_id: str) -> Receipt:
        """Log the labels of rows."""
        schema = self.serving.champion(MODEL).schema
        body = Body({name: frame[name].tolist() for name in ("id", "late")}, len(frame))
        request = intake.Request(MODEL, request_id, "digest", self.clock.now(), 1)
        batch = intake.labels(body, schema, request)
        return self.deployment.log.append([batch]).result(PATIENCE_SECONDS)

    def live(self, number: int, *, labelled: bool = True, **concept: float) -> pd.DataFrame:
        """Live through a week: its rows come, it ends, its labels come."""
        frame = made_up(number, **concept)
        self.clock.set(week_start(number + 1))
        self.predict(frame.drop(columns="late"), f"week {number}")
        if labelled:
            self.label(frame, f"labels {number}")
        return frame

    def http(self, api_key: str | None = None) -> TestClient:
        """Return a client of the composed application."""
        return TestClient(api(self.deployment, Environment(api_key=api_key), "api"))


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A deployment whose version 1 is trained; copied, never used."""
    home = Home(tmp_path_factory.mktemp("learned"))
    made_up(-REFERENCE_WEEKS, REFERENCE_WEEKS).to_parquet(home.folder / "reference.parquet")
    home.config.write_text(LEEWAY_YAML)
    home.clock.set(week_start(0))
    with home.opened():
        pass
    return home


@pytest.fixture
def home(learned: Home, tmp_path: Path) -> Home:
    """A deployment of one model, at the start of week 0."""
    folder = tmp_path / "home"
    shutil.copytree(learned.folder, folder)
    return Home(folder)


@pytest.fixture
def app(home: Home) -> Iterator[Opened]:
    """The deployment, opened in this process."""
    with home.opened() as found:
        yield found


@dataclass
class Server:
    """A `leeway serve` process."""

    process: subprocess.Popen[bytes]
    url: str
    output: Path
    api_key: str | None = None

    def client(self) -> Client:
        """Return a client of it."""
        return Client(self.url, self.api_key)

    def wait(self) -> None:
        """Wait until it answers."""
        with self.client() as client:
            eventually(lambda: self._answers(client), f"the server at {self.url} answers")

    def _answers(self, client: Client) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        try:
            client.get("/readyz")
        except ClientError:
            return False
        return True

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve_in() -> Iterator[Callable[..., Server]]:
    """Start servers on a deployment's folder; what still runs in the end is stopped."""
    started: list[Server] = []

    def start(home: Home, *arguments: str, **environment: str) -> Server:
        port, output = free_port(), home.folder / "server.log"
        command = [sys.executable, "-m", "leeway", "serve", "--config", str(home.config)]
        with output.open("ab") as log:
            process = subprocess.Popen(
                [*command, "--port", str(port), *arguments],
                env=home.environment(**environment),
                stdout=log,
                stderr=log,
            )
        key = environment.get("LEEWAY_API_KEY")
        started.append(Server(process, f"http://127.0.0.1:{port}", output, key))
        started[-1].wait()
        return started[-1]

    yield start
    for server in started:
        server.process.terminate()
    for server in started:
        server.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def serve(home: Home, serve_in: Callable[..., Server]) -> Callable[..., Server]:
    """Start servers on the folder of the model that learned from made-up rows."""
    return partial(serve_in, home)


@pytest.fixture
def new_home(tmp_path: Path) -> Home:
    """A folder in which no deployment lives yet."""
    return Home(tmp_path)


@pytest.fixture(name="eventually", scope="session")
def eventually_fixture() -> Callable[..., None]:
    """Wait until something holds."""
    return eventually


@pytest.fixture(name="made_up", scope="session")
def made_up_fixture() -> Callable[..., pd.DataFrame]:
    """Make labelled rows of some weeks."""
    return made_up


@pytest.fixture(name="week_start", scope="session")
def week_start_fixture() -> Callable[[int], datetime]:
    """Say when a week starts."""
    return week_start


@dataclass
class Webhook:
    """An HTTP server that takes messages; `status` is what it answers."""

    port: int
    received: list[dict[str, object]] = field(default_factory=list)
    status: int = 200

    @property
    def address(self) -> str:
        """Where Apprise sends."""
        return f"json://127.0.0.1:{self.port}/alerts"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.received.append(json.loads(body))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield hook
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests, with the empty database `leeway`, brought up to date."""
    with running_postgres(durable=False) as server:
        engine = open_database(server.create("leeway"))
        upgrade(engine)
        engine.dispose()
        yield server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for one test, which it may stop; what is acknowledged is on disk."""
    with running_postgres(durable=True) as server:
        engine = open_database(server.create("leeway"))
        upgrade(engine)
        engine.dispose()
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres, tmp_path: Path) -> str:
    """The address of a database for one test, with all tables."""
    return postgres.create(f"{tmp_path.parent.name}-{tmp_path.name}"[-60:], "leeway")


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A state database with all tables: the SQLite file, then PostgreSQL's address."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    path = tmp_path / "state.db"
    engine = open_database(path)
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def engine(where: Path | str) -> Iterator[Engine]:
    """That database, opened."""
    opened = open_database(where)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def learned_on_postgres(
    learned: Home, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Home:
    """The same deployment as `learned` on PostgreSQL, in the database of this name."""
    home = Home(tmp_path_factory.mktemp("learned") / "home")
    shutil.copytree(learned.folder, home.folder, ignore=shutil.ignore_patterns("leeway-data"))
    url = postgres.create("learned_on_postgres", "leeway")
    home.config.write_text(f"{home.config.read_text()}database: {url}\n")
    with home.opened():
        pass
    return home


@pytest.fixture
def home_on_postgres(learned_on_postgres: Home, postgres: Postgres, tmp_path: Path) -> Home:
    """A deployment of one model on PostgreSQL, at the start of week 0."""
    home = Home(tmp_path / "home")
    shutil.copytree(learned_on_postgres.folder, home.folder)
    name = "learned_on_postgres"
    url = postgres.create(f"{tmp_path.parent.name}-{tmp_path.name}"[-60:], name)
    home.configure(postgres.url(name), url)
    return home


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An S3-compatible server for all tests."""
    with running_store(tmp_path_factory.mktemp("moto")) as store:
        yield store


@pytest.fixture
def bucket(object_store: ObjectStore, tmp_path: Path) -> Iterator[str]:
    """The address of an empty bucket for one test."""
    name = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]
    yield object_store.make(name)
    object_store.shut = False
