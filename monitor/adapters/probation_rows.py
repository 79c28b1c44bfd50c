"""Probation rows: the evidence for or against a champion, as the state database keeps it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select, update

from monitor.adapters import tables as t
from monitor.adapters.database import exclusive, put_rows
from monitor.probation import Evidence, Judgement, Probation, Trial, TrialStatus


def read_trial(connection: Connection, probation: Probation) -> Trial | None:
    """Return a probation with its evidence so far; None when it has ended."""
    ended = select(t.probations.c.ended_at).where(t.probations.c.id == probation.id)
    if connection.execute(ended).scalar() is not None:
        return None
    w = t.probation_windows.c
    rows = connection.execute(select(t.probation_windows).where(w.probation_id == probation.id))
    return Trial(probation, {row["window_key"]: _evidence(row) for row in rows.mappings()})


def write_trial(
    connection: Connection, model: str, window_key: str, judgement: Judgement, at: datetime
) -> None:
    """Write what one window says of a champion, and how it stands with all of them.

    Another window may have been written since the trial was read: what it says stays.
    """
    probation = judgement.trial.probation
    exclusive(connection, "probation", probation.id)
    values = _summary(judgement, at)
    fixed = {
        "id": probation.id,
        "model": model,
        "version": probation.version,
        "predecessor": probation.predecessor,
        "since": probation.since,
    }
    put_rows(connection, t.probations, [{**fixed, **values}])
    p, w = t.probations.c, t.probation_windows.c
    connection.execute(update(t.probations).where(p.id == probation.id).values(**values))
    mine = (w.probation_id == probation.id, w.window_key == window_key)
    connection.execute(delete(t.probation_windows).where(*mine))
    found = judgement.trial.windows.get(window_key)
    if found is not None:
        row = {"probation_id": probation.id, "window_key": window_key, **vars(found)}
        put_rows(connection, t.probation_windows, [{**row, "log_wealth": list(found.log_wealth)}])


def end_trial(connection: Connection, probation: Probation, how: TrialStatus, at: datetime) -> None:
    """Note that a probation has ended."""
    mine = t.probations.c.id == probation.id
    connection.execute(update(t.probations).where(mine).values(ended_at=at, ended_how=how))


def _summary(judgement: Judgement, at: datetime) -> dict[str, Any]:
    trial = judgement.trial
    return {
        "n_rows": trial.n_rows,
        "n_windows": len(trial.windows),
        "harm": trial.harm,
        "gain": trial.gain,
        "e_value": trial.e_value,
        "sentence": judgement.sentence,
        "judged_at": at,
    }


def _evidence(row: RowMapping) -> Evidence:
    return Evidence(row["n_rows"], row["harm"], row["gain"], tuple(row["log_wealth"]))
