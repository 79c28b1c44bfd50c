"""Log folder: where the log's files are, a local folder or a bucket."""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

from monitor.errors import ConfigError

ROWS = "rows"
"""What the paths of sealed files begin with."""


@dataclass(frozen=True)
class LogFolder:
    """A place for files that are written once, whole, and never changed.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
        What the files are on.
    base : str
        What the paths of the catalog are relative to.
    """

    system: pafs.FileSystem
    base: str

    @property
    def is_local(self) -> bool:
        """Say whether it is on this machine's disk."""
        return isinstance(self.system, pafs.LocalFileSystem)

    def full(self, path: str) -> str:
        """Return a path of the catalog as the file system knows it."""
        return f"{self.base}/{path}"

    def put(self, path: str, content: pa.Buffer) -> str:
        """Store a file durably and return its SHA-256; it is there whole or not at all."""
        if self.is_local:
            _put_locally(Path(self.full(path)), content)
        else:  # an object appears when it is complete
            with self.system.open_output_stream(self.full(path)) as stream:
                stream.write(content)
        return hashlib.sha256(content).hexdigest()

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of a file as it is now; None when it is missing."""
        found = hashlib.sha256()
        try:
            with self.system.open_input_stream(self.full(path)) as stream:
                while block := stream.read(1 << 20):
                    found.update(block)
        except FileNotFoundError:
            return None
        return found.hexdigest()

    def has(self, path: str) -> bool:
        """Say whether a file is there."""
        return bool(self.system.get_file_info(self.full(path)).is_file)

    def found(self, where: str = ROWS, *, older_than: timedelta = timedelta(0)) -> set[str]:
        """Return the paths of all files that are there, and have been for some time."""
        selector = pafs.FileSelector(self.full(where), allow_not_found=True, recursive=True)
        before = datetime.now(UTC) - older_than
        skipped = len(self.base) + 1
        return {
            info.path[skipped:]
            for info in self.system.get_file_info(selector)
            if info.is_file and (not older_than or info.mtime <= before)
        }

    def remove(self, path: str) -> None:
        """Remove a file; one that is gone already is fine."""
        if self.is_local:
            Path(self.full(path)).unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):
                self.system.delete_file(self.full(path))


def log_folder(place: Path | str) -> LogFolder:
    """Return the folder at a path, or under an address as ``s3://bucket/prefix``.

    Raises
    ------
    ConfigError
        When the address is not of an object store that Arrow knows.
    """
    if isinstance(place, Path):
        return LogFolder(pafs.LocalFileSystem(), place.absolute().as_posix())
    try:
        system, base = pafs.FileSystem.from_uri(place)
    except (pa.ArrowException, ValueError) as error:
        raise ConfigError("leeway.yaml", "log", f"cannot be used: {error}") from error
    return LogFolder(system, base.rstrip("/"))


def _put_locally(path: Path, content: pa.Buffer) -> None:
    unfinished = path.with_suffix(".tmp")
    changed = _make_folder(path.parent)
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    for place in (path.parent, *changed):
        _sync(place)


def _make_folder(place: Path) -> list[Path]:
    """Make a folder with those above it; returns the ones that have a new name in them."""
    changed = [above.parent for above in (place, *place.parents) if not above.is_dir()]
    place.mkdir(parents=True, exist_ok=True)
    return changed


def _sync(place: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
