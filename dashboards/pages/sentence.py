"""Sentence: how a model is, in one line a person can act on.

It answers in this order: is it fine, since when not, which columns, what was done.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboards.pages.condition import Condition, Trouble
from dashboards.pages.phrase import (
    N_NAMED,
    day,
    from_one_to_the_next,
    listing,
    metric_title,
    number,
)
from dashboards.pages.record import Record, version_made
from monitor.action import Reason
from monitor.checks.calibrated import METHOD
from monitor.checks.score import BreachWhen, Check, Status
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from retrain.record import Outcome

Document = Mapping[str, Any]

N_FINDINGS = 2
"""Broken columns told in full; a person opens the window for the others."""


def sentence(record: Record, condition: Condition) -> str:
    """Say how a model is.

    Parameters
    ----------
    record : Record
        What is stored of the model; the scores of each trouble's window are needed.
    condition : Condition
        How it is doing.
    """
    parts = [_trouble(record, trouble) for trouble in condition.troubles]
    if parts:
        parts.append(_done(record, condition.troubles))
    elif not record.windows:
        ask = f"send predictions to POST /v1/models/{record.name}/predictions"
        parts = [f"No window has ended yet; {ask}"]
    else:
        parts = [_calm(record, condition.status)]
    line = "; ".join([parts[0], *(part[0].lower() + part[1:] for part in parts[1:])]) + "."
    if record.model["error"]:
        line = f"The last check could not be run: {record.model['error'].rstrip('.')}. {line}"
    if record.probation is not None:
        line += f" Version {record.champion} is on probation."
    if record.model["paused"]:
        line += " Retraining is paused."
    return line


def moved(scores: Sequence[Document]) -> list[str]:
    """Name the columns that drifted, in their rank, else the furthest beyond its limit first.

    Examples
    --------
    >>> distance = {"check": "drift", "breach_when": "above", "status": "BREACH"}
    >>> moved([
    ...     {**distance, "column": "temp", "score": 0.2, "threshold": 0.1},
    ...     {**distance, "column": "dewp", "score": 0.5, "threshold": 0.1},
    ...     {**distance, "column": "hour", "score": 0.0, "threshold": 0.1, "status": "OK"},
    ... ])
    ['dewp', 'temp']

    >>> far = {**distance, "score": 0.9, "threshold": 0.1}
    >>> moved([{**far, "column": "idle", "rank": 2}, {**far, "column": "humid", "rank": 1}])
    ['humid', 'idle']
    """
    drifted = [s for s in scores if s["check"] == Check.DRIFT and s["status"] == Status.BREACH]
    drifted.sort(key=lambda score: (score.get("rank") or len(drifted), -excess(score)))
    return [score["column"] for score in drifted]


def excess(score: Document) -> float:
    """Say how far a score is beyond its threshold, as a ratio; 0 where either is missing."""
    value, limit = score["score"], score["threshold"]
    if value is None or limit is None:
        return 0.0
    above = score["breach_when"] == BreachWhen.ABOVE
    bad, good = (value, limit) if above else (limit, value)
    return float(bad / max(good, 1e-300))


def _calm(record: Record, status: Status) -> str:
    newest = record.windows[-1]
    until = f"the window to {day(newest['end'])}"
    if status is Status.NO_DATA:
        first = newest
        for window in reversed(record.windows):
            if window["status"] != Status.NO_DATA:
                break
            first = window
        return f"Not judged since {day(first['start'])}: too few rows came"
    if status is Status.WARNING:
        return f"Fine: {until} shows something unconfirmed{_warned(record, newest)}"
    return f"Fine: {until} looks like the reference"


def _warned(record: Record, window: Document) -> str:
    scores = record.scores(window)
    seen = [s["column"] for s in scores if s["method"] == METHOD and s["status"] == Status.WARNING]
    if seen:
        return f", {listing(seen)} moved once, not confirmed yet"
    names = moved(scores)
    if names:
        return f", {listing(names)} moved, too little for an alert"
    if window["checks"].get(Check.PERFORMANCE) == Status.WARNING:
        return ", performance below its limit on the first labels"
    if window["checks"].get(Check.MULTIVARIATE) == Status.WARNING:
        return ", columns come together otherwise than before"
    return ", too little for an alert"


def _trouble(record: Record, trouble: Trouble) -> str:
    since, scores = day(trouble.since), record.scores(trouble.window)
    if trouble.status is Status.ERROR:
        details = [s["detail"] for s in scores if s["check"] == trouble.check and s["detail"]]
        told = details[0].rstrip(".") if details else f"{trouble.check} could not be checked"
        return f"Error since {since}: {told}"
    if trouble.check is Check.QUALITY:
        findings = [finding["sentence"] for finding in trouble.window["findings"]]
        more = f" and {len(findings) - N_FINDINGS} more" if len(findings) > N_FINDINGS else ""
        return f"Broken feed since {since}: {', '.join(findings[:N_FINDINGS])}{more}"
    if trouble.check is Check.PERFORMANCE and (fall := _slow_fall(scores)):
        return f"Performance has fallen slowly since {since}: {fall}"
    if trouble.check is Check.PERFORMANCE:
        return f"Performance has fallen since {since}: {_metric(record, scores, trouble.check)}"
    if trouble.check is Check.ESTIMATE:
        told = _metric(record, scores, trouble.check)
        return f"Performance is estimated to have fallen since {since}: {told}, without labels"
    return f"Drift since {since}{_drifted(trouble.window, scores)}"


def _slow_fall(scores: Sequence[Document]) -> str:
    """Say what has added up, where no window shows the fall by itself."""
    beyond = [s for s in scores if s["check"] == Check.PERFORMANCE and s["status"] == Status.BREACH]
    if any(score["method"] != SLOW_FALL for score in beyond):
        return ""
    return next((str(score["detail"]) for score in beyond), "")


def _drifted(window: Document, scores: Sequence[Document]) -> str:
    """Say how many columns moved beyond their wobble, or that nobody knows how they wobble."""
    of_wobble = [s for s in scores if s["check"] == Check.DRIFT and s["method"] == METHOD]
    compared = [score for score in of_wobble if score["column"] is not None]
    names = moved(scores)
    if compared:
        pace = from_one_to_the_next(window["end"] - window["start"])
        return (
            f": {len(names)} of {len(compared)} columns moved more than their {pace} wobble, "
            f"{listing(names[:N_NAMED])} most"
        )
    why = f" ({of_wobble[0]['detail']})" if of_wobble else ""
    ranked = any(score.get("rank") for score in scores)
    return f"{_named(names, 'matter' if ranked else 'moved')}{why}"


def _named(names: Sequence[str], how: str) -> str:
    of_all = f", of {len(names)} that drifted" if len(names) > N_NAMED else ""
    return f": {listing(names[:N_NAMED])} {how} most{of_all}" if names else ""


def _metric(record: Record, scores: Sequence[Document], check: Check) -> str:
    for score in scores:
        is_whole = score["check"] == check and score["level"] is None
        if is_whole and score["method"] == record.metric:
            return (
                f"{metric_title(score['method'])} is {number(score['score'])}, "
                f"on the reference {number(score['reference_value'])}"
            )
    return "below its limit"


def _done(record: Record, troubles: Sequence[Trouble]) -> str:
    """Say what was done: what is under way, else what the last run came to, else why nothing."""
    since = min(trouble.since for trouble in troubles)
    going = [run for run in record.runs if run["ended_at"] is None]
    if going:
        return f"a retrain run is going on ({going[-1]['doing']}, {going[-1]['progress']:.0%})"
    asked = [request for request in record.requests if request["asked_at"] >= since]
    if asked:
        held = all(request.get("held") for request in asked)
        what = "until the incident is over" if held else "for a worker"
        return f"a retrain run is asked for and waits {what}"
    if troubles[0].check is Check.QUALITY:
        return "not retrained, fix the feed first"
    ended = [run for run in record.runs if run["started_at"] >= since]
    told = record.trial
    if told is None or told["at"] < (ended[-1]["ended_at"] if ended else since):
        return _came_to(ended[-1], record.champion) if ended else _undone(record, since)
    reason = told["reason"].rstrip(".")
    if not ended:
        return f"not retrained yet: {reason}"
    return f"{_came_to(ended[-1], record.champion)}; since then {reason}"


def _came_to(run: Document, champion: int | None) -> str:
    on, outcome = f"{run['ended_at']:%Y-%m-%d}", run["outcome"]
    if outcome != Outcome.PROMOTED:
        ended = "failed" if outcome == Outcome.FAILED else f"was {outcome}"
        return f"the retrain run of {on} {ended}: {run['reason'].rstrip('.')}"
    version = version_made(run)
    promoted = f"version {version} was promoted on {on}"
    moved_on = champion is not None and champion != version
    return f"{promoted}, version {champion} serves now" if moved_on else promoted


def _undone(record: Record, since: datetime) -> str:
    """Say why nothing was done: what the newest decision that held says."""
    decided = [record.decided(w)["reason"] for w in record.windows if w["start"] >= since]
    held = [reason for reason in decided if reason in _AGAINST]
    if held:
        return _AGAINST[Reason(held[-1])]
    if record.champion is not None and record.champion != record.windows[-1]["champion"]:
        return f"version {record.champion} serves now"
    return "nothing was done"


_AGAINST = {
    Reason.NOT_ASKED: "leeway.yaml does not retrain on this",
    Reason.SUPERSEDED: "a newer version serves already",
    Reason.PAUSED: "not retrained, a person has paused it",
    Reason.INCIDENT: "not retrained, the feed was broken",
    Reason.RUN_PENDING: "not retrained, a run was asked for already",
    Reason.IN_THE_GATE: "not retrained, the challenger in the gate is decided on first",
    Reason.WAITS_FOR_A_PERSON: "not retrained, a version that has passed waits for a person",
    Reason.COOLING_DOWN: "not retrained yet, cooling down after the last run",
    Reason.PROBATION: "the new version did harm, and the one before serves again",
    Reason.TOO_FEW_LABELS: "not retrained yet, too few new labels",
}
