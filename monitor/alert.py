"""Alert: one opening of (model, check), and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from monitor.diagnosis import Diagnosis, DiagnosisKind
from monitor.verdict import Verdict, decides_by_wobble, is_calibrated
from monitor.window import Window

N_NAMED = 3
"""Columns an alert names; a person reads no more on a phone."""


@dataclass(frozen=True)
class Opening:
    """An alert that is open.

    Parameters
    ----------
    id : int
        The alert.
    window_key : str
        The window that opened it.
    window_start : datetime
        Where that window starts.
    told_at : datetime or None
        When people were last told of it.
    breaches : mapping of str to datetime
        The newest two windows that breach it now, by key: where they start. One of them may be the
        window that is judged again.
    """

    id: int
    window_key: str
    window_start: datetime
    told_at: datetime | None = None
    breaches: Mapping[str, datetime] = field(default_factory=dict)


class AlertChange(StrEnum):
    """What happens to an alert."""

    OPENED = "opened"
    CONTINUED = "continued"
    RESOLVED = "resolved"
    RETRACTED = "retracted"


ENDS = frozenset({AlertChange.RESOLVED, AlertChange.RETRACTED})
"""Changes with which an alert is over."""


@dataclass(frozen=True)
class Alert:
    """One change of an alert of (model, check).

    Parameters
    ----------
    check : Check
        What it is about.
    change : AlertChange
        Opened, continued, resolved, or retracted because the same window now looks different.
    sentence : str
        What happened, in plain words.
    opening : int or None
        Id of the alert that continues or ends.
    """

    check: Check
    change: AlertChange
    sentence: str
    opening: int | None = None


@dataclass(frozen=True)
class Judged:
    """One window as the decision sees it.

    Parameters
    ----------
    window : Window
        The window.
    revision : int
        1 for the first verdict.
    champion : int
        The version it was judged against.
    verdict : Verdict
        Its verdict.
    diagnosis : Diagnosis
        Its diagnosis.
    n_labels : int
        Its rows with a label.
    """

    window: Window
    revision: int
    champion: int
    verdict: Verdict
    diagnosis: Diagnosis
    n_labels: int = 0


def alerts(judged: Judged, openings: Mapping[Check, Opening]) -> tuple[Alert, ...]:
    """Say which alerts a verdict opens, continues or ends."""
    incident = judged.diagnosis.kind is DiagnosisKind.INCIDENT
    found: list[Alert] = []
    for check, status in judged.verdict.checks.items():
        # While the feed is broken, drift and performance only echo it: no alarm, and no all-clear.
        if incident and check is not Check.QUALITY:
            continue
        opening = openings.get(check)
        if status in (Status.BREACH, Status.ERROR):
            change = AlertChange.CONTINUED if opening else AlertChange.OPENED
            sentence = _sentence(judged, check)
            found.append(Alert(check, change, sentence, opening.id if opening else None))
        elif opening is not None and status is not Status.NO_DATA:
            ended = _ending(judged, check, opening)
            found += [ended] if ended else []
    return tuple(found)


def _ending(judged: Judged, check: Check, opening: Opening) -> Alert | None:
    if check is Check.PERFORMANCE and judged.verdict.provisional:
        return None  # the first labels of a window are no all-clear
    others = [start for key, start in opening.breaches.items() if key != judged.window.key]
    if any(start > judged.window.start for start in others):
        return None  # a later window still breaches
    if check is Check.ESTIMATE and not judged.verdict.provisional:
        sentence = "performance is measured now, which stands in place of the estimate"
        return Alert(check, AlertChange.RESOLVED, sentence, opening.id)
    if judged.window.key == opening.window_key:
        sentence = f"{check} is no breach after all: more rows or labels of the window have come"
        return Alert(check, AlertChange.RETRACTED, sentence, opening.id)
    if judged.window.start > opening.window_start:
        return Alert(check, AlertChange.RESOLVED, f"{check} is back within bounds", opening.id)
    return None


def _sentence(judged: Judged, check: Check) -> str:
    if check is Check.QUALITY and judged.diagnosis.findings:
        return judged.diagnosis.sentence
    if judged.verdict.checks[check] is Status.ERROR:
        failed = [s for s in judged.verdict.scores if s.check is check and s.failed]
        return f"{check} could not be checked: {'; '.join(map(failure, failed[:N_NAMED]))}"
    return describe(judged.verdict, check)


def failure(score: Score) -> str:
    """Say which column could not be checked, and why."""
    return f"{score.column}: {score.detail}" if score.column else score.detail


def describe(verdict: Verdict, check: Check) -> str:
    """Say in a sentence what breached a check, naming the three columns that moved most."""
    if check is Check.DRIFT and is_calibrated(verdict.scores):
        n_moved, n_all = len(verdict.breached(check)), sum(map(decides_by_wobble, verdict.scores))
        return (
            f"{n_moved} of {n_all} columns moved more than they wobble from one window to the "
            f"next, {_first(verdict)} {moved_most(verdict)}"
        )
    if check is Check.DRIFT:
        share = f"{verdict.share_drifted:.0%}" if verdict.share_drifted is not None else "some"
        return f"{share} of the columns drifted, {_first(verdict)} {moved_most(verdict)}"
    breached = verdict.breached(check)
    # What one window shows by itself is no slow fall, though it adds up, too.
    sudden = [score for score in breached if score.method != SLOW_FALL]
    return "; ".join(_score_text(score) for score in (sudden or breached)[:N_NAMED])


def _first(verdict: Verdict) -> str:
    return "most important" if is_ranked(verdict) else "most of all"


def is_ranked(verdict: Verdict) -> bool:
    """Say whether the columns that moved are in the order in which they matter."""
    return any(score.rank for score in verdict.breached(Check.DRIFT))


def moved_most(verdict: Verdict) -> str:
    """Name the three columns that matter most, else those furthest beyond their limit."""
    return ", ".join(_score_text(one) for one in verdict.breached(Check.DRIFT)[:N_NAMED])


def _score_text(score: Score) -> str:
    if score.method == SLOW_FALL:
        shown = f"{score.value:.1f}, its limit {score.threshold:.1f}"
        return f"slow fall: control chart at {shown} ({score.detail})"
    if score.column is None:
        return f"{score.method} is {score.value:.3f}, its limit {score.threshold:.3f}"
    if decides_by_wobble(score):
        return f"{score.column} ({score.detail.partition(';')[0]})"
    sign = ">" if score.breach_when is BreachWhen.ABOVE else "<"
    weight = f", {score.detail}" if score.rank else ""
    return f"{score.column} ({score.method} {score.value:.2g} {sign} {score.threshold:.2g}{weight})"
