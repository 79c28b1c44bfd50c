"""Log reading: rows of a stretch, whatever is sealed or merged meanwhile."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import sqlalchemy as sa

from monitor.adapters.database import reading
from monitor.adapters.log_files import find
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import Stretch, bounds
from monitor.adapters.log_tables import Stream
from monitor.batch import EVENT_AT, RowKind

T = TypeVar("T")

ATTEMPTS = 5
"""A file that is missing from the disk, and not merged, fails the last one."""


@dataclass(frozen=True)
class LogReader:
    """Reads a log.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The log's database.
    folder : LogFolder
        Where its files are.
    """

    engine: sa.Engine
    folder: LogFolder

    def read(
        self,
        stream: Stream,
        stretch: Stretch,
        columns: Sequence[str],
        also: Stretch | None = None,
    ) -> pa.Table:
        """Read some columns of a stretch in the order of acknowledgement, as `find` and `read`."""

        def once() -> pa.Table:
            with reading(self.engine) as connection:
                source = find(connection, self.folder, stream, stretch, also)
            return source.read(columns)

        return though_merged(once)

    def labels(self, model: str, rows: pa.Table, came: Stretch, columns: Sequence[str]) -> pa.Table:
        """Read what may be labels of rows: files under their event dates, and the inbox."""
        first, last = bounds(rows.column(EVENT_AT)) if rows.num_rows else (0, -1)
        dates = Stretch(EVENT_AT, first, last + 1)
        return self.read((model, RowKind.LABEL), came, columns, dates)


def though_merged(task: Callable[[], T]) -> T:
    """Do it again when a file it has found was merged into another before it was read."""
    for _ in range(ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            return task()
    return task()
