"""Ledger: what was decided about a model and what came of it, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.checks.score import Status
from monitor.decision import Action, Reason

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


def ledger(windows: Sequence[Document], runs: Sequence[Document]) -> list[Entry]:
    """List the decisions that led to something or could have, with the runs they led to.

    A run keeps the words of the decision that asked for it, and starts after it.

    Parameters
    ----------
    windows, runs : sequence of mapping
        Those of one model, oldest first.

    Examples
    --------
    >>> window = {"id": "a", "judged_at": 1, "decision": "retrain", "status": "BREACH",
    ...           "reason": "drift breach", "sentence": "temp moved"}
    >>> run = {"id": 1, "started_at": 2, "trigger": "drift breach", "why": "temp moved"}
    >>> hand = {"id": 2, "started_at": 3, "trigger": "by hand", "why": "new prices"}
    >>> [(entry.reason, entry.run["id"]) for entry in ledger([window], [run, hand])]
    [('by hand', 2), ('drift breach', 1)]
    """
    free = list(runs)
    entries: list[Entry] = []
    for window in filter(_matters, windows):
        run = _following(window, free)
        if run is not None:
            free.remove(run)
        decided = (window["decision"], window["reason"], window["sentence"])
        entries.append(Entry(window["judged_at"], window, *decided, run))
    for run in free:
        asked = (Action.RETRAIN, run["trigger"], run["why"])
        entries.append(Entry(run["started_at"], None, *asked, run))
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _matters(window: Document) -> bool:
    acted = window["decision"] != Action.NONE or window["reason"] == Reason.NOT_ASKED
    return acted or window["status"] in (Status.BREACH, Status.ERROR)


def _following(window: Document, runs: Sequence[Document]) -> Document | None:
    if window["decision"] != Action.RETRAIN:
        return None
    asked = (window["reason"], window["sentence"])
    after = (run for run in runs if run["started_at"] >= window["judged_at"])
    return next((run for run in after if (run["trigger"], run["why"]) == asked), None)
