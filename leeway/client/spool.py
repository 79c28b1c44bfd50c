"""Spool: requests on disk that a server has not acknowledged yet, oldest first."""

import hashlib
import io
import json
import logging
import os
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
from filelock import FileLock, Timeout

from monitor.errors import StorageError

_log = logging.getLogger("leeway.client")


@dataclass(frozen=True)
class Parcel:
    """One request with rows, sent until it is acknowledged.

    Parameters
    ----------
    path : str
        Where it is posted.
    key : str
        Its Idempotency-Key, the same each time it is sent.
    n_rows : int
        Its rows.
    body : bytes
        An Arrow IPC stream.
    """

    path: str
    key: str
    n_rows: int
    body: bytes


class Spool:
    """Parcels in a folder, which outlive the process.

    A parcel has a name when all of it is on disk, so that a kill leaves whole parcels and remains
    that were never promised. Files that cannot be read stay, under another name, and are logged.

    Parameters
    ----------
    folder : Path
        Made where it is missing; one process at a time uses it.
    max_bytes : int
        Beyond this size `append` says no.

    Raises
    ------
    StorageError
        If another process uses the folder.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = FileLock(folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StorageError(
                f"{folder} is used by another process; give each process a spool of its own"
            ) from None
        self.n_damaged = 0
        self._set_aside()
        found = sorted(folder.glob("*.parcel"))
        self._sizes = OrderedDict((path.name, path.stat().st_size) for path in found)

    def __len__(self) -> int:
        return len(self._sizes)

    def close(self) -> None:
        """Leave the folder to another process."""
        self._lock.release()

    def append(self, parcel: Parcel) -> bool:
        """Put a parcel on disk; False when there is no room for it.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        head = {**asdict(parcel), "body": hashlib.sha256(parcel.body).hexdigest()}
        content = json.dumps(head).encode() + b"\n" + parcel.body
        if self._sizes and sum(self._sizes.values()) + len(content) > self._max_bytes:
            return False
        name = self._next_name()
        unfinished = self._folder / f"{name}.unfinished"
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self._folder / name)
        _sync(self._folder)
        self._sizes[name] = len(content)
        return True

    def first(self) -> Parcel | None:
        """Return the oldest parcel that can be read; None when there is none."""
        while self._sizes:
            path = self._oldest()
            try:
                return _read(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self._damaged(path, str(error))
                self._sizes.popitem(last=False)
        return None

    def remove_first(self) -> None:
        """Drop the oldest parcel: it is acknowledged."""
        self._oldest().unlink(missing_ok=True)
        self._sizes.popitem(last=False)

    def refuse_first(self) -> None:
        """Keep the oldest parcel, which the server will never take, for a person to look at."""
        path = self._oldest()
        path.rename(path.with_suffix(".refused"))
        self._sizes.popitem(last=False)

    def _oldest(self) -> Path:
        return self._folder / next(iter(self._sizes))

    def _next_name(self) -> str:
        """Return a name behind all others, even when the clock was set back."""
        last = int(next(reversed(self._sizes)).partition(".")[0]) if self._sizes else 0
        return f"{max(time.time_ns(), last + 1):020d}.parcel"

    def _set_aside(self) -> None:
        for path in sorted(self._folder.glob("*.unfinished")):
            self._damaged(path, "it was being written when the process ended")

    def _damaged(self, path: Path, why: str) -> None:
        self.n_damaged += 1
        _log.error("%s is skipped and kept as .damaged: %s", path, why)
        if path.exists():
            path.rename(path.with_suffix(".damaged"))


def stream(table: pa.Table) -> bytes:
    """Return rows as a parcel's body: an Arrow IPC stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _read(path: Path) -> Parcel:
    head, _, body = path.read_bytes().partition(b"\n")
    document = json.loads(head)
    if hashlib.sha256(body).hexdigest() != document["body"]:
        raise ValueError("its rows are not those that were written")
    return Parcel(**{**document, "body": body})


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
