"""Challenger rows: who is in the gate, and who has passed it and waits for a person."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from retrain.adapters import tables as t
from retrain.adapters.news import Move
from retrain.record import Entry, Outcome
from retrain.waiting import WAITS, Waiting

CHALLENGER = "challenger"
"""The alias of who is in the gate, or has passed it and waits."""

needs_approval = t.runs.c.details["needs_approval"].as_boolean()
"""True for a run whose version waits, or has waited, for a person."""


def inside(connection: Connection, model: str) -> Entry | None:
    """Return who is in the gate."""
    g = t.gates.c
    query = select(g.version, g.champion, g.run, g.looks).where(g.model == model)
    row = connection.execute(query).first()
    return Entry(*row) if row else None


def let_in(connection: Connection, model: str, entry: Entry, at: datetime) -> None:
    """Let a challenger into an empty gate, or in again after another look at it."""
    connection.execute(insert(t.gates).values(model=model, entered_at=at, **vars(entry)))


def let_out(connection: Connection, model: str) -> None:
    """Let whoever is in the gate out."""
    connection.execute(delete(t.gates).where(t.gates.c.model == model))


def waiting(connection: Connection, model: str) -> Waiting | None:
    """Return the version that waits for a person; None where none does."""
    r = t.runs.c
    held = (r.model == model, r.outcome == Outcome.HELD, needs_approval)
    version = r.details["version"].as_integer().label("version")
    query = select(version, r.id, r.champion, r.ended_at).where(*held).order_by(r.id.desc())
    row = connection.execute(query.limit(1)).first()
    return Waiting(*row) if row else None


def challenger(
    connection: Connection, model: str, champion: int
) -> tuple[int | None, datetime | None]:
    """Return who stands against a champion, and since when it waits for a person, if it does."""
    waits = waiting(connection, model)
    if waits is not None and waits.champion == champion:
        return waits.version, waits.since
    g = t.gates.c
    inside = select(g.version).where(g.model == model, g.champion == champion)
    return connection.execute(inside).scalar(), None


def end_wait(connection: Connection, model: str, version: int, move: Move) -> None:
    """Put on record what a move means for the version that waits: promoted, or passed over."""
    waits = waiting(connection, model)
    if waits is None:
        return
    if waits.version == version:
        settle(connection, waits, Outcome.PROMOTED, f"promoted by a person: {move.why}")
    else:
        other = f"but version {version} has become the champion: {move.why}"
        settle(connection, waits, Outcome.CANCELLED, other)


def settle(connection: Connection, waits: Waiting, outcome: Outcome, why: str) -> None:
    """End a wait: what the run's reason says of it gives way to what became of it."""
    mine = (t.runs.c.id == waits.run, t.runs.c.outcome == Outcome.HELD)
    reason = connection.execute(select(t.runs.c.reason).where(*mine)).scalar()
    if reason is not None:  # else somebody else has ended it meanwhile
        ended = f"{reason.partition(WAITS)[0]}; {why}"
        connection.execute(update(t.runs).where(*mine).values(outcome=outcome, reason=ended))
