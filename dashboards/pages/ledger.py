"""Ledger: what was decided about a model and what came of it, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.pages.record import Record, decides
from monitor.action import GATE, Action, Ask
from monitor.checks.score import Status

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One decision, or one run that no window's newest decision tells of.

    Parameters
    ----------
    at : datetime
        When it was made.
    window : mapping or None
        The window it is about; None for a run asked for by a person, or by an earlier revision.
    action, reason, sentence : str
        What was decided, and why: in a word and in plain words.
    run : mapping or None
        The retrain run that followed.
    """

    at: datetime
    window: Document | None
    action: str
    reason: str
    sentence: str
    run: Document | None


def ledger(record: Record) -> list[Entry]:
    """List the decisions that led to something or could have, with the runs they led to.

    A run keeps the words of the decision that asked for it, and starts after it. A window that
    was judged again counts with the revision that decided something, where that was read.
    """
    free = list(record.runs)
    entries: list[Entry] = []
    for window in record.windows:
        revision = record.decided(window)
        if not _matters(revision):
            continue
        run = _following(window, revision, free)
        if run is not None:
            free.remove(run)
        decided = (revision["decision"], revision["reason"], revision["sentence"])
        entries.append(Entry(revision["judged_at"], window, *decided, run))
    for run in free:
        action = Ask.LOOK if run["trigger"] == GATE else Action.RETRAIN
        asked = (action, run["trigger"], run["why"])
        entries.append(Entry(run["started_at"], None, *asked, run))
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _matters(revision: Document) -> bool:
    # What a later revision did not do says nothing of what the first one did.
    first = revision["revision"] == 1
    return decides(revision) or (first and revision["status"] in (Status.BREACH, Status.ERROR))


def _following(window: Document, revision: Document, runs: Sequence[Document]) -> Document | None:
    if revision["decision"] != Action.RETRAIN:
        return None
    asked = (revision["reason"], revision["sentence"])
    # Late labels judge a window again after its run: what it followed is the end of the window.
    after = (run for run in runs if run["started_at"] >= window["end"])
    return next((run for run in after if (run["trigger"], run["why"]) == asked), None)
