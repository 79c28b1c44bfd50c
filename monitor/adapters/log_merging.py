"""Log merging: arrivals become Parquet, and a day's small files become few."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import sqlalchemy as sa

from monitor.adapters.database import exclusive, reading
from monitor.adapters.log_arrivals import is_arrival
from monitor.adapters.log_files import File, cataloged, in_order, read_file, write_files
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import Stretch, unify
from monitor.adapters.log_tables import Stream, files
from monitor.batch import ROW, RowKind
from monitor.errors import StorageError

MERGED_BYTES = 128 << 20
"""Files of this size are put into one, so that a long day does not have to fit in memory."""

SMALL_BYTES = MERGED_BYTES // 2
"""A smaller file may be merged with others of its date."""

SMALL_FILES = 16
"""So many small files a date may have; with one more they are merged. Sealed every minute, a row
is written again about four times an hour until its file is no longer small."""

_ALL = Stretch(ROW, 0, 2**62)


def merge_files(connection: sa.Connection, folder: LogFolder) -> None:
    """Seal what arrived past the inbox, and merge the small files of each date.

    Killed at any moment, each row is in the old files or in the new ones: the catalog changes in
    one transaction. A file that cannot be read is left as it is, for `leeway log verify` to name.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        It has the lock by which nobody else seals.
    folder : LogFolder
        Where the files are.
    """
    for stream in _streams(connection.engine):
        engine = connection.engine
        for group in chain(_arrived(engine, stream), _small(engine, stream)):
            _merge(connection, folder, stream, group)


def _streams(engine: sa.Engine) -> list[Stream]:
    with reading(engine) as connection:
        found = connection.execute(sa.select(files.c.model, files.c.kind).distinct())
        return [(model, RowKind(kind)) for model, kind in found]


def _arrived(engine: sa.Engine, stream: Stream) -> Iterator[list[File]]:
    """Yield the arrivals of a model and kind, about `MERGED_BYTES` at a time."""
    yield from _portions(file for file in _files(engine, stream) if is_arrival(file.path))


def _small(engine: sa.Engine, stream: Stream) -> Iterator[list[File]]:
    """Yield the small files of each date that has too many."""
    dates: dict[str, list[File]] = defaultdict(list)
    for file in _files(engine, stream):
        if file.n_bytes < SMALL_BYTES and not is_arrival(file.path):
            dates[file.path.rpartition("/")[0]].append(file)
    for small in dates.values():
        if len(small) > SMALL_FILES:
            yield from (portion for portion in _portions(small) if len(portion) > 1)


def _files(engine: sa.Engine, stream: Stream) -> list[File]:
    with reading(engine) as connection:
        return sorted(cataloged(connection, stream, _ALL), key=lambda file: file.first_row)


def _portions(found: Iterable[File]) -> Iterator[list[File]]:
    portion: list[File] = []
    for file in found:
        if portion and sum(one.n_bytes for one in portion) + file.n_bytes > MERGED_BYTES:
            yield portion
            portion = []
        portion.append(file)
    if portion:
        yield portion


def _merge(
    connection: sa.Connection, folder: LogFolder, stream: Stream, group: Sequence[File]
) -> None:
    """Write the rows of files into new ones, one for each date, in their place."""
    # What was altered must not become a file with a checksum that is right.
    intact = [file for file in group if folder.digest(file.path) == file.sha256]
    if len(intact) < (1 if is_arrival(group[0].path) else 2):
        return
    rows = in_order(unify([read_file(folder, file) for file in intact]))
    written = write_files(folder, stream, rows)
    paths = [file.path for file in intact]
    with connection.begin():
        exclusive(connection, "log", *stream)
        gone = connection.execute(sa.delete(files).where(files.c.path.in_(paths))).rowcount
        if gone != len(paths):
            raise StorageError("another process has merged the same files; nothing is lost")
        connection.execute(sa.insert(files), written)
    for path in paths:
        folder.remove(path)
