"""Incident: the search for what broke a feed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from monitor.accepted import accept
from monitor.batch import Refused
from monitor.checks.broken import Break
from monitor.checks.clock import clocks
from monitor.checks.feed import Suspects, search
from monitor.checks.quality import REFUSED, gaps
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.checks.stale import STALE, stale_scores
from monitor.ports import Log, Store
from monitor.reference import Reference
from monitor.verdict import score_status
from monitor.window import JudgedWindow, Window

FEED = "feed"
"""Method of the score that says why nothing could be searched."""

CLEAN_WINDOWS, CLEAN_ROWS = 4, 20_000
"""The newest clean windows show what a column looks like: so many, or so many rows."""


@dataclass(frozen=True)
class Searched:
    """What was found, and as scores.

    Parameters
    ----------
    breaks : tuple of Break
        What was done to columns.
    scores : tuple of Score
        All there were, with one for each column that broke, or one that says why nothing could be
        searched. Not judged yet.
    """

    breaks: tuple[Break, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Scored:
    """The reference, the version that has it, and what the checks found beside it."""

    reference: Reference
    version: int
    scores: Sequence[Score]


def search_feed(
    model: str, window: Window, rows: pa.Table, scored: Scored, *, log: Log, store: Store
) -> Searched:
    """Look for what was done to columns, whether they alarm or not; a crash is a failed score.

    Parameters
    ----------
    model : str
        The model.
    window : Window
        The window.
    rows : pyarrow.Table, shape (n_rows, n_columns)
        Its rows.
    scored : Scored
        What the checks found.
    log, store : Log, Store
        Where clean rows are, and which windows were clean.
    """
    accepted = store.accepted(model, scored.version)
    scores = accept(scored.scores, accepted)
    try:
        # A column that has lost values has lost them, also where a person says that it is right.
        looked_at = replace(suspects(replace(scored, scores=scores)), gaps=gaps(scored.scores))
        turned_away = _refused(store.refused(model, window))
        judged = store.judged(model)
        known = judged.get(window.key)
        was_sound = known is not None and not known.incident and not looked_at.of_rows
        # Labels change nothing of what was found in the same rows.
        if not rows.num_rows or (was_sound and store.has_searched(model, window, rows.num_rows)):
            return Searched(turned_away, tuple(scores))
        clean = _clean_windows(window, judged, CLEAN_WINDOWS)
        before = _read(model, clean, scored.reference, log)
        found = tuple(search(rows, before, scored.reference, looked_at))
        of_breaks = accept(break_scores(found, rows.num_rows), accepted)
        return Searched((*found, *turned_away), (*scores, *of_breaks))
    except Exception as error:  # noqa: BLE001 - the other checks must not be lost with this one
        detail = f"the feed could not be searched: {type(error).__name__}: {error}"
        failed = _blank(None, FEED, rows.num_rows, detail, failed=True)
        return Searched((), (*scores, failed))


def staleness(
    model: str, window: Window, rows: pa.Table, scored: Scored, *, log: Log, store: Store
) -> list[Score]:
    """Score how much of a window is not new; a crash is a failed score.

    Parameters
    ----------
    model : str
        The model.
    window : Window
        The window.
    rows : pyarrow.Table, shape (n_rows, n_columns)
        Its rows.
    scored : Scored
        What the checks found of columns.
    log, store : Log, Store
        Where clean rows are, and which windows were clean.
    """
    try:
        clean = _clean_windows(window, store.judged(model), 1)
        before = _read(model, clean, scored.reference, log)
        newest = before[0] if before else None
        return stale_scores(rows, newest, scored.reference, gaps=gaps(scored.scores))
    except Exception as error:  # noqa: BLE001 - the other checks must not be lost with this one
        detail = f"whether rows are new could not be told: {type(error).__name__}: {error}"
        return [_blank(None, STALE, rows.num_rows, detail, failed=True)]


def suspects(scored: Scored) -> Suspects:
    """Return what alarms, and what may tell the time."""
    reference = scored.reference
    compared = reference.schema.features.keys() & reference.columns.keys()
    alarming = [
        one
        for one in scored.scores
        if one.check in (Check.DRIFT, Check.QUALITY) and score_status(one) is Status.BREACH
    ]
    moved = tuple(dict.fromkeys(one.column for one in alarming if one.column in compared))
    signs = tuple(
        (one.column or "", one.method)
        for one in alarming
        # What was refused is none of the rows.
        if one.check is Check.QUALITY and one.method != REFUSED
    )
    return Suspects(moved, clocks(reference), signs, gaps(scored.scores))


def _clean_windows(
    window: Window, judged: Mapping[str, JudgedWindow], at_most: int
) -> list[Window]:
    """Return the newest windows before this one that were no incidents, oldest first."""
    kept: list[Window] = []
    n_rows = 0
    for one in reversed(list(judged.values())):
        is_before = one.window.start < window.start and one.window.key != window.key
        if not is_before or one.incident or not one.counts.n_rows:
            continue
        if kept and (len(kept) == at_most or n_rows + one.counts.n_rows > CLEAN_ROWS):
            break
        kept.append(one.window)
        n_rows += one.counts.n_rows
    return kept[::-1]


def _read(model: str, windows: Sequence[Window], reference: Reference, log: Log) -> list[pa.Table]:
    """Read the features of windows."""
    return [log.read(model, one, [*reference.schema.features]) for one in windows]


def _refused(refused: Refused) -> tuple[Break, ...]:
    if refused.since is None:
        return ()
    return (Break("", REFUSED, "", 0, refused.n_rows, since=refused.since),)


def break_scores(breaks: Sequence[Break], n_rows: int) -> list[Score]:
    """Score each column that something was done to: the share of its rows. Not judged yet."""
    # What is missing, unseen or out of range has its score already.
    return [_score(one, n_rows) for one in breaks if one.name]


def _score(one: Break, n_rows: int) -> Score:
    blank = _blank(one.column, one.sign, n_rows, one.name, failed=False)
    return Score(**{**vars(blank), "value": one.n_rows / n_rows, "threshold": 0.0})


def _blank(column: str | None, method: str, n_rows: int, detail: str, *, failed: bool) -> Score:
    return Score(
        check=Check.QUALITY,
        column=column,
        method=method,
        value=None,
        threshold=None,
        breach_when=BreachWhen.ABOVE,
        n_reference=0,
        n_current=n_rows,
        detail=detail,
        failed=failed,
    )
