"""The same rows in a database, in files, behind an API and in a web page; and what collects them."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import yaml

from leeway.config import Environment
from leeway.deployment import Deployment, ensure_first_versions, opened
from leeway.sources import Builder, predictor_of
from monitor.adapters.clocks import FileClock
from monitor.adapters.cursors import SqlCursors
from monitor.batch import RowKind
from monitor.collection import Collected, World, collect
from monitor.sieve import Refusal
from monitor.window import Window
from retrain.serving import Serving

MODEL = "late"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
SECRET = "s3cr3t-of-the-test"
PAGE_ROWS = 7


class Feed(Protocol):
    """Rows somewhere, and the `source` section that collects them."""

    config: dict[str, Any]

    def add(self, frame: pd.DataFrame) -> None:
        """Let rows come."""

    def leave(self) -> None:
        """Be away."""

    def come_back(self) -> None:
        """Be there again."""


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {name: value.isoformat() if name == "at" else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


@dataclass
class SqlFeed:
    """A table in a SQL database; away when the table has another name."""

    url: str
    operator: str = ">"

    def __post_init__(self) -> None:
        query = f"select * from flights where at {self.operator} :cursor order by at"
        self.config = {
            "sql": {
                "url": self.url,
                "predictions": query,
                "cursor": "at",
                "start": NOW - timedelta(days=400) if self.on_server else "2020-01-01",
                "batch_rows": PAGE_ROWS,
            }
        }
        with self._connected() as connection:
            connection.execute(
                sa.text(
                    f"create table flights (at {self.time_type}, x float, g text, p float, late int)"
                )
            )

    @property
    def on_server(self) -> bool:
        return self.url.startswith("postgresql")

    @property
    def time_type(self) -> str:
        return "timestamptz" if self.on_server else "text"

    def _connected(self) -> AbstractContextManager[sa.Connection]:
        url = self.url.replace("postgresql://", "postgresql+psycopg://")
        return sa.create_engine(url, poolclass=sa.NullPool).begin()

    def add(self, frame: pd.DataFrame) -> None:
        at = f"cast(:at as {self.time_type})"
        insert = sa.text(f"insert into flights values ({at}, :x, :g, :p, :late)")
        with self._connected() as connection:
            connection.execute(insert, as_rows(frame))

    def leave(self) -> None:
        with self._connected() as connection:
            connection.execute(sa.text("alter table flights rename to gone"))

    def come_back(self) -> None:
        with self._connected() as connection:
            connection.execute(sa.text("alter table gone rename to flights"))


@dataclass
class FilesFeed:
    """Files in a folder; away when the folder has another name."""

    folder: Path
    ending: str
    n_files: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.config = {
            "files": {"predictions": f"{self.folder}/*.{self.ending}", "settled": "PT0S"}
        }

    def add(self, frame: pd.DataFrame) -> None:
        path = self.folder / f"{self.n_files:03}.{self.ending}"
        self.n_files += 1
        frame.to_csv(path, index=False) if self.ending == "csv" else frame.to_parquet(
            path, index=False
        )

    def leave(self) -> None:
        self.folder.rename(self.folder.with_name("gone"))

    def come_back(self) -> None:
        self.folder.with_name("gone").rename(self.folder)


@dataclass
class Site:
    """A web server that has rows, as an API of several styles and as a page."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    away: bool = False
    robots: str | None = None
    token: str | None = None
    retry_after: str | None = None
    n_failures: int = 0
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    pages: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, target: str, headers: Any) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body."""
        self.asked.append(target)
        self.agents.add(headers["User-Agent"])
        parts = urlsplit(target)
        if self.away or self.n_failures > 0:
            self.n_failures -= 1
            return (
                503,
                {"Retry-After": self.retry_after} if self.retry_after else {},
                f"no {SECRET}",
            )
        if parts.path in self.pages:
            return self.pages[parts.path]
        if parts.path == "/robots.txt":
            return (404, {}, "") if self.robots is None else (200, {}, self.robots)
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {}, f"not you: {headers.get('Authorization')}"
        if parts.path == "/table.html":
            return 200, {"Content-Type": "text/html; charset=utf-8"}, self.table()
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return 200, {"Content-Type": "application/json"}, json.dumps(self.page(parts.path, asked))

    def page(self, path: str, asked: dict[str, str]) -> Any:
        if path == "/all":
            return self.rows
        after = int(asked.get("after") or (int(asked.get("page", 1)) - 1) * PAGE_ROWS)
        end = min(after + PAGE_ROWS, len(self.rows))
        document: dict[str, Any] = {"data": {"items": self.rows[after:end]}}
        if path == "/cursors":
            document["meta"] = {"next_cursor": str(end)}
        elif end < len(self.rows):
            document["links"] = {"next": f"/links?after={end}"}
        return document

    def table(self) -> str:
        names = list(self.rows[0]) if self.rows else ["at"]
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            f"<tr>{''.join(f'<td> {row[name]}</td>' for name in names)}</tr>" for row in self.rows
        )
        return (
            "<html><table><tr><td>menu</td></tr></table><table id='prices'><thead><tr>"
            f"{head}</tr></thead><tbody>{body}</tbody></table></html>"
        )


@dataclass
class SiteFeed:
    """Rows at a site."""

    site: Site
    config: dict[str, Any]

    def add(self, frame: pd.DataFrame) -> None:
        self.site.rows += as_rows(frame)

    def leave(self) -> None:
        self.site.away = True

    def come_back(self) -> None:
        self.site.away = False


def served(site: Site) -> ThreadingHTTPServer:
    """Start a server of a site; shut it down in the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = site.answer(self.path, self.headers)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def api(site: Site, path: str, **paging: Any) -> SiteFeed:
    """Return a feed of a site's API, which is open to those who know the secret."""
    site.token = SECRET
    rows = {"url": f"{site.url}/{path}?key={SECRET}", **paging}
    if path != "all":
        rows["rows"] = "data.items"
    return SiteFeed(
        site, {"http": {"predictions": rows, "headers": {"Authorization": "Bearer ${FEED_SECRET}"}}}
    )


def page(site: Site, **table: Any) -> SiteFeed:
    """Return a feed of a site's web page."""
    rows = {"url": f"{site.url}/table.html?key={SECRET}", **table}
    return SiteFeed(site, {"web": {"predictions": rows, "delay": "PT0S"}})


def flights(start: int, n_rows: int) -> pd.DataFrame:
    """Make rows, one a minute, some of them quite alike but for their time."""
    rng = np.random.default_rng(abs(start))
    minutes = pd.Timestamp(NOW - timedelta(days=1)) + pd.to_timedelta(
        np.arange(start, start + n_rows), "min"
    )
    return pd.DataFrame(
        {
            "at": minutes.as_unit("us"),
            "x": rng.normal(size=n_rows).round(3),
            "g": rng.choice(["a", "b"], n_rows),
            "p": rng.uniform(size=n_rows).round(3),
            "late": rng.integers(0, 2, n_rows),
        }
    )


@dataclass
class Deployed:
    """A model that is watched only and whose rows have no id: nothing but the cursor tells them apart."""

    folder: Path

    def configure(self, source: dict[str, Any], **more: Any) -> None:
        """Write leeway.yaml."""
        model = {
            "reference": "reference.parquet",
            "task": "binary",
            "columns": {
                "time": "at",
                "target": "late",
                "prediction": "p",
                "numeric": ["x"],
                "categorical": ["g"],
            },
            "source": {"every": "PT0.1S", **source},
            "retrain": {"when": []},
            **more,
        }
        text = yaml.safe_dump({"models": {MODEL: model}, "tick": "PT0.1S"})
        (self.folder / "leeway.yaml").write_text(text)

    @contextmanager
    def opened(self) -> Iterator["Collecting"]:
        """Open the deployment in this process."""
        environment = Environment(clock_file=self.folder / "clock")
        with opened(self.folder / "leeway.yaml", environment) as deployment:
            ensure_first_versions(deployment, lambda _share, _text: None)
            yield Collecting(deployment)


class Collecting:
    """A deployment that is open, and its collections."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.closing = threading.Event()
        self.closing.set()  # nobody waits between two attempts
        self.cursors = SqlCursors(deployment.engine)
        sources = Builder(deployment.file, self.closing).sources(deployment.config)
        self.sources = sources[MODEL]

    @property
    def world(self) -> World:
        d = self.deployment
        predictor = predictor_of(d.config, Serving(d.registry))
        return World(d.log, d.store, d.registry, self.cursors, d.clock, predictor)

    def stream(self, kind: RowKind = RowKind.PREDICTION) -> Collected:
        (found,) = (one for one in self.sources.streams if one.stream.kind is kind)
        return found

    def collect(self, kind: RowKind = RowKind.PREDICTION) -> list[Refusal]:
        """Collect all there is; returns what was refused."""
        return [one for refusals in collect(self.stream(kind), self.world) for one in refusals]

    def logged(self) -> pd.DataFrame:
        """Return every logged row, the doubles too, in order."""
        n_rows = self.deployment.log.extent(MODEL).n_rows
        if not n_rows:
            return pd.DataFrame({"x": [], "at": [], "late": []})
        window = Window(NOW, NOW, (0, n_rows))
        table = self.deployment.log.read(MODEL, window, ["x", "g", "p"], horizon=timedelta(days=9))
        return pd.DataFrame(
            {
                "at": table.column("_event_at").to_pandas().dt.as_unit("us"),
                **{name: table.column(name).to_pandas() for name in ("x", "g", "p")},
                "late": table.column("_label").to_pandas().astype(float).astype(int),
            }
        )

    def n_logged(self) -> int:
        """Return how many rows have ever been appended."""
        return self.deployment.log.extent(MODEL).n_rows


@pytest.fixture(scope="session")
def first_deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a deployment that has a version 1; copied, never used."""
    folder = tmp_path_factory.mktemp("watched")
    flights(-3000, 600).to_parquet(folder / "reference.parquet")
    FileClock(folder / "clock").set(NOW)
    deployed = Deployed(folder)
    deployed.configure({"log": {}})
    with opened(folder / "leeway.yaml", Environment(clock_file=folder / "clock")) as deployment:
        ensure_first_versions(deployment, lambda _share, _text: None)
    return folder


@pytest.fixture
def deployed(first_deployed: Path, tmp_path: Path) -> Deployed:
    """A deployment of one model."""
    return Deployed(Path(shutil.copytree(first_deployed, tmp_path / "deployed")))


@pytest.fixture
def site() -> Iterator[Site]:
    """A real web server."""
    found = Site()
    server = served(found)
    yield found
    server.shutdown()
    server.server_close()


FEEDS: dict[str, Callable[[Path, Site], Feed]] = {
    "sql": lambda folder, _site: SqlFeed(f"sqlite:///{folder}/shop.db"),
    "sql from the cursor on": lambda folder, _site: SqlFeed(f"sqlite:///{folder}/shop.db", ">="),
    "parquet files": lambda folder, _site: FilesFeed(folder / "in", "parquet"),
    "csv files": lambda folder, _site: FilesFeed(folder / "in", "csv"),
    "api in one page": lambda _folder, site: api(site, "all"),
    "api of next links": lambda _folder, site: api(site, "links", next="links.next"),
    "api of pages": lambda _folder, site: api(
        site, "pages", page={"parameter": "page", "size": PAGE_ROWS}
    ),
    "api of pages without a size": lambda _folder, site: api(
        site, "pages", page={"parameter": "page"}
    ),
    "api of cursors": lambda _folder, site: api(
        site, "cursors", cursor={"parameter": "after", "field": "meta.next_cursor"}
    ),
    "web table by selector": lambda _folder, site: page(site, css="#prices"),
    "web table by number": lambda _folder, site: page(site, table=1),
}


@pytest.fixture(params=[*FEEDS, "sql on PostgreSQL"])
def feed(
    request: pytest.FixtureRequest, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> Feed:
    """Rows somewhere: every test of this runs on each kind of source."""
    monkeypatch.setenv("FEED_SECRET", SECRET)
    if request.param in FEEDS:
        return FEEDS[request.param](tmp_path, site)
    url = request.getfixturevalue("postgres_url")
    return SqlFeed(url.replace("postgres@", f"postgres:{SECRET}@"), ">=")


@pytest.fixture(name="flights")
def flights_fixture() -> Callable[[int, int], pd.DataFrame]:
    """Make rows."""
    return flights


@pytest.fixture
def secret() -> str:
    """What no message may show."""
    return SECRET
