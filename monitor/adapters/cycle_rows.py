"""The rows that one cycle leaves behind, written in one transaction, and what they answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from monitor.action import GATE, Action, Ask, Reason
from monitor.adapters import tables as t
from monitor.adapters.database import insert_row, put_rows
from monitor.adapters.probation_rows import end_trial, write_trial
from monitor.adapters.profile_rows import encode_profile
from monitor.alert import ENDS, Alert
from monitor.change import Change
from monitor.decision import ASKED
from monitor.diagnosis import DiagnosisKind, Finding
from monitor.probation import TrialStatus
from monitor.record import CycleRecord
from monitor.window import Counts, JudgedWindow, Seen, Window

CYCLE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, float("inf"))
"""Upper bounds of ``leeway_cycle_duration_seconds``, in seconds."""


_OWN_WORDS = {
    Ask.TRIAL: ("gain", "a window's labels are there: would a run pay?"),
    Ask.LOOK: (GATE, "a window's labels are there: the next look at the challenger"),
}


def write_cycle(connection: Connection, record: CycleRecord, channels: Sequence[str]) -> None:
    """Write verdict, alerts, messages and request of a cycle.

    The first insert fails when another process has judged this revision; the caller then rolls
    everything back.
    """
    revision_id = _insert_revision(connection, record)
    _insert_scores(connection, revision_id, record)
    _put_window(connection, record)
    _put_profile(connection, record)
    _record_alerts(connection, record, channels)
    _record_trial(connection, record)
    ask = ASKED.get(record.decision.action, record.decision.ask)
    if ask is not None:
        _ask(connection, record, ask)
    _observe_seconds(connection, record.duration_seconds)
    connection.execute(
        update(t.models)
        .where(t.models.c.name == record.model)
        .values(last_success_at=record.at, last_error=None, n_judged=t.models.c.n_judged + 1)
    )


def _insert_revision(connection: Connection, record: CycleRecord) -> int:
    judged, decision = record.judged, record.decision
    verdict, diagnosis = judged.verdict, judged.diagnosis
    return insert_row(
        connection,
        t.revisions,
        model=record.model,
        window_key=judged.window.key,
        revision=judged.revision,
        judged_at=record.at,
        champion=judged.champion,
        status=verdict.status,
        checks={str(check): str(status) for check, status in verdict.checks.items()},
        share_drifted=verdict.share_drifted,
        provisional=verdict.provisional,
        n_rows=record.counts.n_rows,
        n_labels=record.counts.n_labels,
        diagnosis=diagnosis.kind,
        findings=[_encode(finding) for finding in diagnosis.findings],
        diagnosis_sentence=diagnosis.sentence,
        change=_parts(diagnosis.change) if diagnosis.change else None,
        action=decision.action,
        reason=decision.reason,
        sentence=decision.sentence,
    )


def _encode(finding: Finding) -> dict[str, Any]:
    since = finding.since.isoformat() if finding.since else None
    return {**vars(finding), "since": since}


def _parts(change: Change) -> dict[str, Any]:
    return {**vars(change), "is_concept": change.is_concept}


def _insert_scores(connection: Connection, revision_id: int, record: CycleRecord) -> None:
    rows = [
        {
            "revision_id": revision_id,
            **{key: value for key, value in vars(score).items() if key != "failed"},
        }
        for score in record.judged.verdict.scores
    ]
    if rows:
        connection.execute(insert(t.scores), rows)


def _put_window(connection: Connection, record: CycleRecord) -> None:
    judged, window = record.judged, record.judged.window
    values = {
        "revision": judged.revision,
        **vars(record.counts),
        "provisional": judged.verdict.provisional,
        "incident": judged.diagnosis.kind is DiagnosisKind.INCIDENT,
        "seen_rows": record.seen.n_rows,
        "seen_labels": record.seen.n_labels,
    }
    if judged.revision > 1:
        at = (t.windows.c.model == record.model, t.windows.c.key == window.key)
        connection.execute(update(t.windows).where(*at).values(**values))
        return
    first_row, end_row = window.rows or (None, None)
    connection.execute(
        insert(t.windows).values(
            model=record.model,
            key=window.key,
            start_at=window.start,
            end_at=window.end,
            first_row=first_row,
            end_row=end_row,
            **values,
        )
    )


def _put_profile(connection: Connection, record: CycleRecord) -> None:
    """Keep what was counted of the window; a new revision takes the place of the one before."""
    if record.profile is None:
        return
    body = {"version": record.judged.champion, "body": encode_profile(record.profile)}
    row = {"model": record.model, "window_key": record.judged.window.key, **body}
    put_rows(connection, t.profiles, [row], body)


def _record_alerts(connection: Connection, record: CycleRecord, channels: Sequence[str]) -> None:
    ids = {alert: _put_alert(connection, record, alert) for alert in record.decision.alerts}
    rows = [
        {
            **_about(record, ids, message.alert),
            "channel": channel,
            "title": message.title,
            "body": message.body,
            "created_at": record.at,
            "next_attempt_at": record.at,
            "attempts": 0,
        }
        for message in record.messages
        for channel in channels
    ]
    if rows:
        connection.execute(insert(t.outbox), rows)


def _about(record: CycleRecord, ids: Mapping[Alert, int], alert: Alert | None) -> dict[str, Any]:
    if alert is None:
        return {"alert_id": None, "model": record.model, "change": "rolled_back"}
    return {"alert_id": ids[alert], "model": None, "change": alert.change}


def _put_alert(connection: Connection, record: CycleRecord, alert: Alert) -> int:
    if alert.opening is None:
        window = record.judged.window
        return insert_row(
            connection,
            t.alerts,
            model=record.model,
            check=alert.check,
            window_key=window.key,
            window_start=window.start,
            opened_at=record.at,
            sentence=alert.sentence,
        )
    if alert.change in ENDS:
        connection.execute(
            update(t.alerts)
            .where(t.alerts.c.id == alert.opening)
            .values(ended_at=record.at, ended_how=alert.change)
        )
    return alert.opening


def _record_trial(connection: Connection, record: CycleRecord) -> None:
    judgement = record.judgement
    if judgement is None:
        return
    write_trial(connection, record.model, record.judged.window.key, judgement, record.at)
    held = judgement.status is TrialStatus.BREACHED and record.decision.action is Action.HOLD
    if judgement.status is not TrialStatus.OPEN and not held:
        end_trial(connection, judgement.trial.probation, judgement.status, record.at)


def _ask(connection: Connection, record: CycleRecord, ask: Ask) -> None:
    trigger, why = _OWN_WORDS.get(ask, (record.decision.reason, record.decision.sentence))
    judgement = record.judgement
    connection.execute(
        insert(t.requests).values(
            model=record.model,
            kind=ask,
            version=judgement.trial.probation.version if judgement else None,
            trigger=trigger,
            why=why,
            window_key=record.judged.window.key,
            asked_at=record.at,
        )
    )


def _observe_seconds(connection: Connection, seconds: float) -> None:
    c = t.cycle_seconds.c
    edge = next(bound for bound in CYCLE_BUCKETS if seconds <= bound)
    stored = min(edge, 1e308)  # JSON-free databases have no infinity in common
    more = {"n": c.n + 1, "seconds": c.seconds + seconds}
    put_rows(connection, t.cycle_seconds, [{"le": stored, "n": 1, "seconds": seconds}], more)


def has_answered(connection: Connection, model: str, version: int) -> bool:
    """Say whether a fall of performance has opened a run under a champion."""
    c = t.revisions.c
    query = select(c.id).where(
        c.model == model,
        c.champion == version,
        c.action == Action.RETRAIN,
        c.reason == Reason.PERFORMANCE,
    )
    return connection.execute(query.limit(1)).first() is not None


def judged_window(row: RowMapping) -> JudgedWindow:
    """Read a window with what its verdict rested on."""
    rows = None if row["first_row"] is None else (row["first_row"], row["end_row"])
    window = Window(row["start_at"], row["end_at"], rows)
    counts = Counts(row["n_rows"], row["n_labels"], row["n_repeated"])
    seen = Seen(row["seen_rows"], row["seen_labels"])
    flags = row["incident"], seen, row["provisional"]
    return JudgedWindow(window, row["revision"], counts, *flags)
