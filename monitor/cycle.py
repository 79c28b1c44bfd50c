"""The cycle: one window from load to delivery."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from monitor.alert import Judged
from monitor.batch import CHANCES, EXTRA, LABEL, RowKind
from monitor.change import change_of
from monitor.checks.beyond import beyond_wobble
from monitor.checks.columns import column_scores
from monitor.checks.labelled import measured_scores
from monitor.checks.multivariate import multivariate_scores
from monitor.checks.quality import (
    REPEATED_JUMP,
    change_scores,
    date_scores,
    gaps,
    refusal_scores,
    repeated_score,
)
from monitor.checks.score import Score
from monitor.checks.slow_fall import slow_fall_scores
from monitor.checks.steadiness import spare_newcomers
from monitor.checks.unlabelled import estimate_score
from monitor.columns import Columns, TableColumns
from monitor.decision import decide
from monitor.diagnosis import DiagnosisKind, diagnose
from monitor.duplicates import repeated_ratio
from monitor.errors import LeewayError
from monitor.incident import Scored, Searched, search_feed, staleness
from monitor.maturity import Maturity, to_revise
from monitor.message import Telling, messages
from monitor.model_state import ModelState
from monitor.ports import Champion, Log, Store
from monitor.profile import Profile
from monitor.ranking import ranked
from monitor.record import CycleRecord, Standing
from monitor.reference import Reference
from monitor.schema import Schema, Task
from monitor.trial import Tested, Tried, try_champion
from monitor.verdict import Basis, judge, min_rows
from monitor.window import (
    Counts,
    JudgedWindow,
    Seen,
    Window,
    check_kind,
    due_row_ranges,
    due_time_windows,
)
from monitor.world import Watched, World, known_maturity


def run_cycle(watched: Watched, window: Window, revision: int, world: World) -> Judged | None:
    """Judge one window and record what follows; None when another process was first."""
    began, now = world.monotonic(), world.clock.now()
    champion = world.references.at(watched.name, window.end)
    schema, policy = champion.reference.schema, watched.verdict
    seen = _seen(watched.name, world.log)

    names = [*schema.features, schema.prediction, EXTRA]
    names += [CHANCES] if schema.task is Task.MULTICLASS else []
    rows = world.log.read(watched.name, window, names, horizon=policy.labels.horizon)
    counts = _counted(watched, window, rows, world.log)
    basis = _basis(watched, window, champion, counts, world)

    searched, profile = _scored(watched, window, champion, rows, world)
    scores = list(searched.scores)
    if not basis.provisional:
        scores += _slow_fall(watched, window, champion, scores, world.store)
    verdict = judge(scores, basis, policy, target=schema.target)
    verdict = ranked(verdict, champion.reference, rows)
    change = change_of(verdict, champion.reference, policy.performance)
    diagnosis = diagnose(verdict, searched.breaks, change)
    judged = Judged(window, revision, champion.version, verdict, diagnosis, counts.n_labels)
    state = _state(watched, world, Tested(window, diagnosis.kind is DiagnosisKind.INCIDENT, now))
    decision = decide(judged, state, watched.retrain, now)
    record = CycleRecord(
        model=watched.name,
        judged=judged,
        counts=counts,
        decision=decision,
        messages=messages(watched.name, judged, decision, _telling(world, state, now)),
        at=now,
        duration_seconds=world.monotonic() - began,
        seen=seen,
        judgement=state.judgement,
        profile=profile,
    )
    first = world.store.record(record, [notifier.channel for notifier in world.notifiers])
    return judged if first else None


def _counted(watched: Watched, window: Window, rows: pa.Table, log: Log) -> Counts:
    """Count a window's rows and labels, and when those came."""
    (counted,) = log.count(watched.name, [window], watched.verdict.labels.horizon)
    # Rows may have come between the two reads: the verdict rests on those that were scored.
    n_labels = rows.num_rows - rows.column(LABEL).null_count
    return replace(counted, n_rows=rows.num_rows, n_labels=n_labels)


def _basis(
    watched: Watched, window: Window, champion: Champion, counts: Counts, world: World
) -> Basis:
    known, age = known_maturity(watched, world), world.clock.now() - window.end
    return Basis(
        counts.n_rows,
        enough_rows=min_rows(watched.verdict.window, champion.reference),
        provisional=not known.is_final(counts, age),
        moved_before=world.store.moved_before(watched.name, window, champion.version),
    )


def _scored(
    watched: Watched, window: Window, champion: Champion, rows: pa.Table, world: World
) -> tuple[Searched, Profile | None]:
    """Make every check of a window, and look for what broke."""
    reference, policy = champion.reference, watched.verdict
    current = TableColumns(_with_target(rows, reference.schema))
    scores = column_scores(reference, current, policy.drift, watched.quality)
    scores += date_scores(reference, rows, watched.quality)
    scores += _intake(watched, window, rows.num_rows, world)
    scores.append(_repeated(reference, current, scores))
    found = Scored(reference, champion.version, scores)
    scores += staleness(watched.name, window, rows, found, log=world.log, store=world.store)
    scores += measured_scores(rows, reference, champion.version, policy.performance)
    scores += multivariate_scores(rows, reference)
    scores.append(_estimated(watched, window, champion, rows, world.store))
    beyond = beyond_wobble(rows, window, reference, policy.window, policy.drift.budget)
    scores += beyond.scores
    spared = spare_newcomers(scores, reference, beyond.profile, window, policy.window)
    found = replace(found, scores=spared)
    searched = search_feed(watched.name, window, rows, found, log=world.log, store=world.store)
    return searched, beyond.profile


def _with_target(rows: pa.Table, schema: Schema) -> pa.Table:
    """Give the labels that came their column's name; without any there is no such column."""
    labels = rows.column(LABEL)
    features = rows.select([*schema.features, schema.prediction])
    if labels.null_count == len(labels):
        return features
    return features.append_column(schema.target, labels)


def _intake(watched: Watched, window: Window, n_rows: int, world: World) -> list[Score]:
    """Score what came otherwise than the schema says, and what was refused at the door."""
    changes = world.log.changes(watched.name, window)
    refused = world.store.refused(watched.name, window)
    scores = change_scores(changes, n_rows, watched.quality)
    return [*scores, *refusal_scores(refused, n_rows, watched.quality)]


def _repeated(reference: Reference, current: Columns, scores: Sequence[Score]) -> Score:
    """Score rows that came twice, among those that have all the values they used to have."""
    ratio = repeated_ratio(current, reference.schema.features, gaps=gaps(scores))
    return repeated_score(reference.repeated_ratio, ratio, current.n_rows, jump=REPEATED_JUMP)


def _estimated(
    watched: Watched, window: Window, champion: Champion, rows: pa.Table, store: Store
) -> Score:
    """Estimate performance, once for the same rows: labels change nothing of it."""
    version, policy = champion.version, watched.verdict.performance
    known = store.estimated(watched.name, window, version, rows.num_rows)
    return known or estimate_score(rows, champion.reference, version, policy)


def _slow_fall(
    watched: Watched, window: Window, champion: Champion, scores: Sequence[Score], store: Store
) -> list[Score]:
    """Add up what this window and those before it were worse than the reference."""
    policy = watched.verdict.performance
    before = store.measured(watched.name, window, champion.version, policy.metric)
    return slow_fall_scores(scores, before, champion.reference, policy)


def _state(watched: Watched, world: World, tested: Tested) -> ModelState:
    """Put together what the decision rests on besides the window."""
    champion = world.references.at(watched.name, tested.at)
    since = champion.trained_until or datetime.min.replace(tzinfo=tested.at.tzinfo)
    standing: Standing = world.store.standing(watched.name, since=since)
    tried = Tried(watched.name, watched.probation, watched.verdict)
    judgement = try_champion(tried, tested, champion, log=world.log, store=world.store)
    return ModelState(
        champion=champion.version,
        challenger=champion.challenger,
        waits_since=champion.waits_since,
        judgement=judgement,
        is_answered=world.store.has_answered(watched.name, champion.version),
        **vars(standing),
    )


def _telling(world: World, state: ModelState, now: datetime) -> Telling:
    return Telling(world.url, now, world.repeat, state.open_alerts)


def reopened(watched: Watched, world: World) -> Iterator[tuple[Window, int]]:
    """Yield the judged windows whose rows or labels have moved, or whose labels are mature by now.

    Each comes with the revision to make.
    """
    name, labels, now = watched.name, watched.verdict.labels, world.clock.now()
    judged = world.store.judged(name).values()
    still_open = [one for one in judged if one.window.end + labels.horizon >= now]
    known, seen = known_maturity(watched, world), _seen(name, world.log)
    touched = world.log.touched(name, still_open)
    counted = world.log.count(name, [one.window for one in touched], labels.horizon)
    for one, counts in zip(touched, counted, strict=True):
        if to_revise(one, counts, known, now - one.window.end):
            yield one.window, one.revision + 1
        else:
            world.store.counted(name, one.window, seen, counts)
    # Nothing has come to these since they were counted; time alone may have made them final.
    moved = {one.window.key for one in touched}
    ripe = [one for one in still_open if one.provisional and one.window.key not in moved]
    yield from _matured(watched, world, known, ripe)


def _matured(
    watched: Watched, world: World, known: Maturity, waiting: Sequence[JudgedWindow]
) -> Iterator[tuple[Window, int]]:
    now, after = world.clock.now(), known.after
    if after is None:
        return
    aged = [one for one in waiting if one.window.end + after <= now]
    came = {
        one.window.key: one.counts
        for one in world.store.arrivals(watched.name, [one.window for one in aged])
    }
    for one in aged:
        counts = came.get(one.window.key, one.counts)
        if known.is_final(counts, now - one.window.end):
            yield one.window, one.revision + 1


def _seen(model: str, log: Log) -> Seen:
    """Return how much of a model's log there is; what is read later may hold more, not less."""
    return Seen(log.extent(model).n_rows, log.extent(model, RowKind.LABEL).n_rows)


def due(watched: Watched, world: World) -> Iterator[tuple[Window, int]]:
    """Yield the windows that have ended and have no verdict yet, as revision 1."""
    policy, name = watched.verdict, watched.name
    judged = [one.window for one in world.store.judged(name).values()]
    extent = world.log.extent(name)
    check_kind(policy.window, judged)
    for window in due_time_windows(
        policy.window,
        extent=extent,
        judged=judged,
        now=world.clock.now(),
        horizon=policy.labels.horizon,
    ):
        yield window, 1
    for rows in due_row_ranges(policy.window, extent=extent, judged=judged):
        yield world.log.locate(name, rows), 1


def watch(watched: Watched, world: World) -> list[Judged]:
    """Judge everything that is due for one model, older windows' late news first.

    A cycle that cannot be run is noted on the model, where status and metrics show it.
    """
    done: list[Judged] = []
    try:
        for find in (reopened, due):  # late news come in, though nothing new could be cut
            for window, revision in [*find(watched, world)]:
                judged = run_cycle(watched, window, revision, world)
                done += [judged] if judged else []
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        world.store.fail(watched.name, message, world.clock.now())
        raise
    return done


def deliver(world: World) -> int:
    """Send what is in the outbox and due; returns the number of messages taken."""
    by_channel = {one.channel: one for one in (*world.notifiers, *world.hooks)}
    n_taken, refusing = 0, set[str]()
    for delivery in world.store.undelivered(world.clock.now()):
        if delivery.channel in refusing:
            continue  # one attempt a pass: an address that does not answer must not hold up checks
        error: str | None = None
        try:
            if delivery.channel not in by_channel:
                error = f"channel {delivery.channel!r} is no longer configured"
            else:
                by_channel[delivery.channel].notify(delivery.title, delivery.body)
        except LeewayError as failure:
            error = str(failure)
        world.store.delivered(delivery, world.clock.now(), error)
        n_taken += error is None
        refusing |= {delivery.channel} if error else set()
    return n_taken
