"""Files source: new and changed Parquet and CSV files, in a folder or an object store."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from pyarrow import fs

from monitor.body import Body, read_body
from monitor.errors import BatchRefusedError, SourceError
from monitor.piece import Piece
from monitor.sieve import rows_of

TYPES = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}
"""Content types by the end of a file's name."""

PIECE_ROWS = 10_000
"""Rows taken in at once, at most."""

SETTLED_SECONDS = 5.0
"""A file is read when it has not changed for so long: it may be being written."""

_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
_READ_BYTES = 1 << 20


@dataclass
class FilesSource:
    """The files that a pattern matches, each once, by name; implements `Source`.

    A file that has changed is read again from its beginning. Names that begin with a dot or an
    underscore, or end as unfinished files do, are left out.

    Parameters
    ----------
    pattern : str
        Path with ``*`` and ``?`` within a name, and ``**`` for any folders; or a URL as
        ``s3://bucket/rows/*.parquet``.
    settled_seconds : float
        A file is read when it has not changed for so long.
    """

    pattern: str
    settled_seconds: float = SETTLED_SECONDS
    wall_clock: Callable[[], float] = time.time
    """Modification times are the machine's, whatever clock Leeway goes by."""
    _looks: dict[str, tuple[tuple[int, int], float]] = field(default_factory=dict)

    def pieces(self, cursors: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield the rows of new and changed files."""
        try:
            files, found = self._find()
            for place, info in found.items():
                known = cursors.get(place) or {}
                file = _File(files, info, place)
                if known.get("read") and file.stamp.items() <= known.items():
                    continue
                if self._is_settled(info):
                    yield from file.pieces(known)
        except OSError as error:
            raise SourceError(f"{self.pattern}: {str(error).partition(chr(10))[0]}") from None

    def _find(self) -> tuple[fs.FileSystem, dict[str, fs.FileInfo]]:
        """Return the file system, and its files that match, by their path in the folder."""
        files, path = _opened(self.pattern)
        parts = PurePosixPath(path).parts
        wild = next((i for i, part in enumerate(parts) if _is_wild(part)), len(parts) - 1)
        folder = str(PurePosixPath(*parts[:wild]))
        listing = files.get_file_info(
            fs.FileSelector(folder, allow_not_found=False, recursive=len(parts) > wild + 1)
        )
        matching = {
            str(PurePosixPath(info.path).relative_to(folder)): info
            for info in listing
            if info.type == fs.FileType.File
            and not _is_unfinished(info.base_name)
            and _matches(PurePosixPath(info.path).parts, parts)
        }
        return files, dict(sorted(matching.items()))

    def _is_settled(self, info: fs.FileInfo) -> bool:
        """Say whether a file has been left alone: by its time, or since it was first seen so."""
        state, now = (info.size, info.mtime_ns or 0), self.wall_clock()
        before, since = self._looks.get(info.path, (None, now))
        if before != state:
            since = now
        self._looks[info.path] = (state, since)
        # The second way is for a store whose clock is ahead of ours.
        return now - state[1] / 1e9 >= self.settled_seconds or now - since >= self.settled_seconds


def _opened(pattern: str) -> tuple[fs.FileSystem, str]:
    scheme, separator, path = pattern.partition("://")
    if not separator:
        return fs.LocalFileSystem(), pattern
    try:
        # Wild cards are not for URLs: the bucket alone says which file system it is.
        files, bucket = fs.FileSystem.from_uri(f"{scheme}://{path.partition('/')[0]}")
    except pa.ArrowInvalid:
        return _opened_by_fsspec(scheme), path
    return files, f"{bucket}/{path.partition('/')[2]}"


def _opened_by_fsspec(scheme: str) -> fs.FileSystem:
    try:
        import fsspec  # noqa: PLC0415 - only where Arrow has no file system of its own

        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme)))
    except (ImportError, ValueError) as error:
        raise SourceError(f"{scheme}://: {error}; install what fsspec needs for it") from None


def _is_wild(part: str) -> bool:
    return any(character in part for character in "*?[")


def _is_unfinished(name: str) -> bool:
    return name.startswith((".", "_")) or name.lower().endswith(_UNFINISHED)


def _matches(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Match a path part by part; ``**`` stands for any number of folders.

    Examples
    --------
    >>> _matches(("in", "a.csv"), ("in", "**", "*.csv")), _matches(("in", "x", "a"), ("in", "*"))
    (True, False)
    """
    if not pattern:
        return not path
    if pattern[0] == "**":
        return _matches(path, pattern[1:]) or (bool(path) and _matches(path[1:], pattern))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


@dataclass(frozen=True)
class _File:
    """One file, as it was when it was looked at."""

    files: fs.FileSystem
    info: fs.FileInfo
    place: str

    @property
    def stamp(self) -> dict[str, int]:
        """What tells that it has changed, without reading it."""
        return {"bytes": self.info.size, "modified_ns": self.info.mtime_ns or 0}

    def pieces(self, known: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield its rows, from where an earlier reading of the same bytes ended."""
        sha256 = self._sha256()
        if replace(self, info=self.files.get_file_info(self.info.path)).stamp != self.stamp:
            return  # written to meanwhile; a later look takes it
        cursor: dict[str, Any] = {**self.stamp, "sha256": sha256, "rows": 0, "read": False}
        if known.get("sha256") == sha256:
            cursor |= {"rows": known["rows"], "read": known["read"]}
        try:
            for body in () if cursor["read"] else self._bodies(cursor["rows"]):
                cursor = {**cursor, "rows": cursor["rows"] + body.n_rows}
                digest = hashlib.sha256(f"{sha256} {cursor['rows']}".encode()).hexdigest()
                yield Piece(self.place, cursor, body, digest)
            yield Piece(self.place, {**cursor, "read": True})
        except BatchRefusedError as error:
            refused = BatchRefusedError(f"{self.place}: {error.problem}", row=error.row)
            yield Piece(self.place, {**cursor, "read": True}, refused=refused)

    def _sha256(self) -> str:
        digest = hashlib.sha256()
        with self.files.open_input_stream(self.info.path) as stream:
            while chunk := stream.read(_READ_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def _bodies(self, n_taken: int) -> Iterator[Body]:
        """Read the rows beyond those taken already."""
        suffix = PurePosixPath(self.place).suffix.lower()
        if suffix not in TYPES:
            raise BatchRefusedError(f"a file's name must end in {' or '.join(TYPES)}")
        bodies = self._parquet() if suffix == ".parquet" else self._whole(TYPES[suffix])
        for body in bodies:
            n_left_out = min(n_taken, body.n_rows)
            n_taken -= n_left_out
            if n_left_out < body.n_rows:
                yield rows_of(body, n_left_out, body.n_rows)

    def _whole(self, content_type: str) -> Iterator[Body]:
        """Read a file at once, as a request's body is read."""
        with self.files.open_input_stream(self.info.path) as stream:
            whole = read_body(stream.read(), content_type)
        for start in range(0, whole.n_rows, PIECE_ROWS):
            yield rows_of(whole, start, min(start + PIECE_ROWS, whole.n_rows))

    def _parquet(self) -> Iterator[Body]:
        """Read Parquet bit by bit, whatever its size."""
        with self.files.open_input_file(self.info.path) as file:
            try:
                for batch in pa.parquet.ParquetFile(file).iter_batches(PIECE_ROWS):
                    table = pa.Table.from_batches([batch])
                    columns = {name: table.column(name) for name in table.column_names}
                    yield Body(columns, table.num_rows)
            except (pa.ArrowException, OSError) as error:
                # Arrow has an OSError for bad bytes, too: those can still be read as bytes.
                self._sha256()
                raise BatchRefusedError(f"not valid Parquet: {error}") from None
