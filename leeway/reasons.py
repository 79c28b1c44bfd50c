"""Reasons: what was decided about each window and why, and what came of it, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.pages.estimated import estimated, taken_apart
from dashboards.pages.record import version_made
from monitor.action import Ask, Reason
from monitor.adapters.incident_rows import closed_because
from monitor.diagnosis import DiagnosisKind

Document = Mapping[str, Any]

ABSTAINED = "not estimated, as before"
"""Stands for a reason that the window before has said already."""

_ASKED = {
    Ask.RETRAIN: "a retrain run",
    Ask.LOOK: "a look at the challenger",
    Ask.TRIAL: "a trial whether a run would pay",
    Ask.ROLL_BACK: "a rollback",
}

_OF_NO_WEIGHT = (Reason.ALL_WELL, Reason.DECIDED_BEFORE)
"""Said only where nothing else was."""


@dataclass(frozen=True)
class Followed:
    """What windows led to, each oldest first.

    Parameters
    ----------
    decisions : mapping of str to sequence of mapping
        What each revision of a window decided, by the window's id.
    alerts, requests, trials, runs : sequence of mapping
        The model's.
    pages : str
        Address of its page.
    """

    decisions: Mapping[str, Sequence[Document]]
    alerts: Sequence[Document]
    requests: Sequence[Document]
    trials: Sequence[Document]
    runs: Sequence[Document]
    pages: str


def reasons(windows: Sequence[Document], followed: Followed) -> Iterator[tuple[str, list[str]]]:
    """Say of each window what was decided and why, and what came of it.

    Parameters
    ----------
    windows : sequence of mapping
        A model's windows, oldest first.
    followed : Followed
        What they led to.

    Yields
    ------
    tuple of str and list of str
        A window's id, and sentences: its status with what was decided first, what was decided
        when it was judged again, and what came of that.
    """
    before: str | None = None
    for window in windows:
        first, *later = map(_decided, _weighty(followed.decisions[window["id"]]))
        told = [f"{window['status']}  {first}", *(f"judged again: {one}" for one in later)]
        estimate = estimated(window)
        abstained = estimate if estimate and window["estimate"]["value"] is None else None
        as_before = abstained is not None and abstained == before
        parts = _diagnosed(window), taken_apart(window), ABSTAINED if as_before else estimate
        told[-1] += "".join(f"; {part}" for part in parts if part and part not in told[-1])
        before = abstained
        yield window["id"], [*told, *_outcomes(window["id"], followed)]


def _weighty(decisions: Sequence[Document]) -> Sequence[Document]:
    """Return what was decided, each kind of decision once, as it was said last."""
    kinds = {(one["decision"], one["reason"]): one for one in decisions}
    found = [one for one in kinds.values() if one["reason"] not in _OF_NO_WEIGHT]
    return sorted(found, key=lambda one: int(one["revision"])) or decisions[-1:]


def _decided(one: Document) -> str:
    return f"{one['decision']} ({one['reason']}): {one['sentence']}"


def _diagnosed(window: Document) -> str:
    """Return what kind of drift a window shows, where its decision does not say it already."""
    is_drift = window["diagnosis"] in (DiagnosisKind.COVARIATE, DiagnosisKind.CONCEPT)
    said: str = window["diagnosis_sentence"]
    is_new = is_drift and said not in window["sentence"]
    return f"{window['diagnosis']} drift, {said}" if is_new else ""


def _outcomes(window: str, followed: Followed) -> Iterator[str]:
    for alert in followed.alerts:
        why = closed_because(alert) if alert["window_key"] == window else None
        if why is not None:
            yield f"the incident was closed by a person: {why}"
    trials = {one["request_id"]: one for one in followed.trials}
    runs = {one["request_id"]: one for one in followed.runs}
    for request in followed.requests:
        if request["window_key"] == window:
            number = request["id"]
            run = runs.get(number)
            where = f" ({followed.pages}/runs/{run['id']})" if run else ""
            yield f"{_carried_out(request, trials.get(number), run)}{where}"


def _carried_out(request: Document, trial: Document | None, run: Document | None) -> str:
    """Say what became of what a window asked for."""
    if trial is not None:
        return str(trial["reason"])
    if run is not None:
        return ran(run)
    what, ended_at = _ASKED[request["kind"]], request["finished_at"]
    if ended_at is None:
        return f"{what} is asked for, and not carried out yet"
    if request["kind"] == Ask.ROLL_BACK:
        return f"version {request['version']} does not serve any more, since {ended_at:%F %H:%M}"
    return f"{what} was given up before it began"


def ran(run: Document) -> str:
    """Say what became of a run, and why.

    Examples
    --------
    >>> ran({"id": 3, "outcome": "promoted", "reason": "gain 0.02", "details": {"version": 4}})
    'run 3: promoted version 4: gain 0.02'
    >>> ran({"id": 5, "outcome": None, "doing": "fitting tree"})
    'run 5 is going on: fitting tree'
    """
    if run["outcome"] is None:
        return f"run {run['id']} is going on: {run['doing']}"
    made = version_made(run)
    version = "" if made is None else f" version {made}"
    return f"run {run['id']}: {run['outcome']}{version}: {run['reason']}"
