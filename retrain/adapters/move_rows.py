"""Move rows: who is champion, who was, and what follows from it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from monitor.errors import NotFoundError
from monitor.probation import Probation
from retrain.adapters import tables as t

CHAMPION, PREVIOUS = "champion", "previous"


def alias(connection: Connection, model: str, alias: str) -> int | None:
    """Return the version that has an alias."""
    c = t.aliases.c
    query = select(c.version).where(c.model == model, c.alias == alias)
    return connection.execute(query).scalar()


def last_move(
    connection: Connection, model: str, before: datetime | None = None
) -> Mapping[str, Any]:
    """Return the newest move before an instant, else the first one."""
    c = t.moves.c
    mine = select(t.moves).where(c.model == model)
    earlier = mine if before is None else mine.where(c.at < before)
    for query in (earlier.order_by(c.id.desc()), mine.order_by(c.id)):
        row = connection.execute(query.limit(1)).mappings().first()
        if row is not None:
            return dict(row)
    raise NotFoundError("model", model)


def probation_of(connection: Connection, move: Mapping[str, Any]) -> Probation | None:
    """Return what a promotion opens, where both versions can predict."""
    if move["kind"] != "promote" or move["previous"] is None:
        return None
    c = t.versions.c
    both = c.number.in_([move["version"], move["previous"]])
    can = select(c.has_model).where(c.model == move["model"], both)
    if not all(connection.execute(can).scalars()):
        return None
    return Probation(move["id"], move["version"], move["previous"], move["at"])


def used_until(
    connection: Connection, model: str, champion: int, before: datetime | None = None
) -> datetime | None:
    """Return the newest event time that trained the champion, or a version rolled back by then."""
    m, v = t.moves.c, t.versions.c
    undone = select(m.previous).where(m.model == model, m.kind == "roll_back")
    if before is not None:
        undone = undone.where(m.at < before)
    spent = or_(v.number == champion, v.number.in_(undone))
    newest = select(func.max(v.trained_until)).where(v.model == model, spent)
    return connection.execute(newest).scalar()


def replaced_by(connection: Connection, model: str, version: int) -> int | None:
    """Return the version that was champion when another one was first promoted."""
    c = t.moves.c
    query = select(c.previous).where(c.model == model, c.version == version, c.kind == "promote")
    return connection.execute(query.order_by(c.id).limit(1)).scalar()


def set_alias(connection: Connection, model: str, alias: str, version: int | None) -> None:
    """Give an alias to a version, or to none."""
    c = t.aliases.c
    mine = (c.model == model, c.alias == alias)
    if version is None:
        connection.execute(delete(t.aliases).where(*mine))
        return
    known = update(t.aliases).where(*mine)
    if not connection.execute(known.values(version=version)).rowcount:
        connection.execute(insert(t.aliases).values(model=model, alias=alias, version=version))
