"""PostgreSQL for tests: a real server in a temporary folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE_SECONDS = 60.0

PROGRAMS = Path("/usr/lib/postgresql")
"""Where Debian puts PostgreSQL's programs, by version."""


@dataclass
class Postgres:
    """A PostgreSQL server in a folder of its own, on a socket in it."""

    folder: Path
    durable: bool = False
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def make(self) -> None:
        """Make its files."""
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")

    def start(self) -> None:
        """Start it and wait until it answers."""
        sync = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": sync,
            "synchronous_commit": sync,
            "full_page_writes": sync,
            "max_connections": "100",
            "shared_buffers": "32MB",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._program("postgres"), "-D", str(self.folder / "data"), *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                **self._user(),
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it; SIGINT ends all connections, SIGQUIT does not even tidy up."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE_SECONDS)
            self.process = None

    def create(self, database: str, template: str = "template1") -> str:
        """Create a database, as a copy of another; returns its address."""
        self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute one statement on a connection of its own."""
        import psycopg  # noqa: PLC0415 - only where there is a server

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            found = connection.execute(statement)  # type: ignore[call-overload]
            return found.fetchall() if found.description else []

    def _answers(self) -> bool:
        import psycopg  # noqa: PLC0415

        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        try:
            return bool(self.execute("SELECT 1"))
        except psycopg.OperationalError:
            return False

    def _run(self, name: str, *arguments: str) -> None:
        command = [self._program(name), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, cwd=self.folder, capture_output=True, check=True, **self._user())

    def _program(self, name: str) -> str:
        return str(max(PROGRAMS.glob(f"*/bin/{name}")))

    def _user(self) -> dict[str, str]:
        # PostgreSQL refuses to run as root.
        return {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}


@contextmanager
def running_postgres(*, durable: bool) -> Iterator[Postgres]:
    """Run a PostgreSQL server; without its programs the test is skipped, in CI it fails."""
    if not list(PROGRAMS.glob("*/bin/postgres")):
        missing = "PostgreSQL is not installed; run tests/stack/install.sh"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with tempfile.TemporaryDirectory(prefix="leeway-pg-") as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        server = Postgres(folder, durable)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
