"""Buckets for tests: moto's server speaks S3, behind a door that can be shut."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pyarrow.fs as pafs

PATIENCE_SECONDS = 60.0


@dataclass
class ObjectStore:
    """An S3-compatible server; while it is shut, connections end before anything is said."""

    inner: int
    shut: bool = False
    door: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def make(self, name: str) -> str:
        """Make a bucket; returns the address of a folder in it."""
        port = self.door.getsockname()[1]
        server = f"endpoint_override=http%3A%2F%2F127.0.0.1%3A{port}&region=us-east-1"
        address = f"s3://key:secret@{name}/log?{server}"
        system, _ = pafs.FileSystem.from_uri(f"{address}&allow_bucket_creation=true")
        system.create_dir(name)
        return address

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.door.accept()
                threading.Thread(target=self._forward, args=[client], daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.shut:
                return
            with socket.create_connection(("127.0.0.1", self.inner)) as server:
                back = threading.Thread(target=self._copy, args=[server, client], daemon=True)
                back.start()
                self._copy(client, server)
                back.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while not self.shut and (data := source.recv(1 << 16)):
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_store(folder: Path) -> Iterator[ObjectStore]:
    """Run moto's server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
    with (folder / "moto.log").open("wb") as output:
        process = subprocess.Popen([*command, "-p", str(port)], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _answers(port):
            assert process.poll() is None, (folder / "moto.log").read_text()
            assert time.monotonic() < deadline, "moto's server did not start"
            time.sleep(0.05)
        store = ObjectStore(port)
        yield store
        store.close()
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/moto-api/").is_success
    except httpx.HTTPError:
        return False
