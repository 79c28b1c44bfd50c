"""SQL source: the rows of a query, from a cursor on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from monitor.body import from_rows
from monitor.errors import SourceError
from monitor.piece import NOWHERE, Piece, Row, digest_of, unseen

MAX_TIES = 100_000
"""Rows with one value of the cursor; they are remembered, so that none of them is taken twice."""


@dataclass(frozen=True)
class SqlSource:
    """The rows of a query, in the order of a column that grows; implements `Source`.

    A piece ends where the column's value changes, so rows with one value are never parted. The
    rows with the last value are remembered: a query may ask for ``>= :cursor`` and finds those
    that have come since.

    Parameters
    ----------
    url : sqlalchemy.URL
        The database.
    query : str
        Selects rows beyond ``:cursor``, ordered by the cursor's column.
    column : str
        The cursor's column.
    start : datetime, int, float or str
        The cursor before anything has been read.
    batch_rows : int
        Rows of a piece, at least, as long as there are so many.
    """

    url: sa.URL
    query: str
    column: str
    start: datetime | float | str
    batch_rows: int = 10_000

    def pieces(self, cursors: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield what is new; the query is asked anew for each piece, so nothing is held open."""
        cursor = cursors.get(NOWHERE) or {"after": _stored(self.start), "seen": {}}
        try:
            engine = sa.create_engine(self._checked_url(), poolclass=sa.NullPool)
            while rows := self._read(engine, cursor):
                cursor = self._after(cursor, rows)
                digest = digest_of([mark for mark, _ in rows])
                body = from_rows([_plain(row) for _, row in rows])
                yield Piece(NOWHERE, cursor, body, digest)
        except ImportError as error:
            raise SourceError(f"{self._name}: {error}; install the database's driver") from None
        except SQLAlchemyError as error:
            # Without the statement, and without its parameters.
            cause = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise SourceError(f"{self._name}: {cause}") from None

    @property
    def _name(self) -> str:
        place = self.url.host or self.url.database or ""
        return f"{self.url.get_backend_name()} database {place}".rstrip()

    def _checked_url(self) -> sa.URL:
        """Return the URL; SQLite would make an empty database of any name."""
        path = self.url.database
        embedded = self.url.get_backend_name() == "sqlite" and path
        if embedded and path and not path.startswith("file:") and not Path(path).is_file():
            raise SourceError(f"{self._name}: there is no such file")
        return self.url

    def _read(self, engine: sa.Engine, cursor: Mapping[str, Any]) -> list[tuple[str, Row]]:
        """Read the next rows with their fingerprints, to where the cursor's value changes."""
        query = sa.text(self.query).bindparams(cursor=_restored(cursor["after"]))
        rows: list[Row] = []
        n_wanted = self.batch_rows + sum(cursor["seen"].values())
        with (
            engine.connect().execution_options(stream_results=True) as connection,
            connection.execute(query) as result,
        ):
            names = list(result.keys())
            if self.column not in names:
                raise SourceError(
                    f"{self._name}: the query has no column {self.column!r}, which is its cursor"
                )
            for values in result:
                row = dict(zip(names, values, strict=True))
                ended = self._is_next(rows[-1], row) if rows else False
                if ended and len(rows) >= n_wanted:
                    break
                rows.append(row)
        return unseen(rows, cursor["seen"])

    def _is_next(self, row: Row, following: Row) -> bool:
        """Say whether the cursor has moved between two rows."""
        before, after = row[self.column], following[self.column]
        try:
            if before <= after:
                return bool(before != after)
        except TypeError:
            pass  # null, or text among numbers
        raise SourceError(
            f"{self._name}: {self.column!r} must grow from row to row and is {after!r} after "
            f"{before!r}; end the query with `order by {self.column}`"
        )

    def _after(self, cursor: Mapping[str, Any], rows: Sequence[tuple[str, Row]]) -> dict[str, Any]:
        """Return the cursor after some rows."""
        last = rows[-1][1][self.column]
        after = _stored(last)
        seen = Counter(cursor["seen"] if after == cursor["after"] else ())
        seen.update(mark for mark, row in rows if row[self.column] == last)
        if seen.total() > MAX_TIES:
            raise SourceError(
                f"{self._name}: more than {MAX_TIES} rows have {self.column!r} {last}; take a "
                "finer column for the cursor, as a number that counts up"
            )
        return {"after": after, "seen": dict(seen)}


def _plain(row: Row) -> dict[str, Any]:
    """Return a row with values as JSON would bring them; times stay times."""
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
        return int(value) if whole else float(value)
    if isinstance(value, datetime):
        return value
    return str(value) if isinstance(value, date | time | timedelta | UUID) else value


def _stored(value: Any) -> Any:
    """Return a value of the cursor as JSON."""
    for name, dtype in (("time", datetime), ("date", date)):
        if isinstance(value, dtype):
            return {name: value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, int | float | str):
        return value
    raise SourceError(f"a cursor must be a time, a number or text, not {type(value).__name__}")


def _restored(stored: Any) -> Any:
    """Return what `_stored` was given, a time with a zone as UTC."""
    if not isinstance(stored, dict):
        return stored
    ((name, text),) = stored.items()
    if name == "decimal":
        return Decimal(text)
    if name == "date":
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment
