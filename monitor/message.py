"""Message: what people are told about an alert, rendered once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.action import Action
from monitor.alert import Alert, AlertChange, Judged, Opening, is_ranked, moved_most
from monitor.checks.calibrated import METHOD
from monitor.checks.score import Check, Score, Status
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from monitor.decision import Decision
from monitor.reference import Z95
from monitor.verdict import decides_by_wobble


@dataclass(frozen=True)
class Message:
    """One message about one alert, or about what was done to the model.

    Parameters
    ----------
    alert : Alert or None
        The alert; None where there is none.
    title, body : str
        Plain text.
    """

    alert: Alert | None
    title: str
    body: str


@dataclass(frozen=True)
class Telling:
    """What a message rests on besides the window.

    Parameters
    ----------
    url : str
        Address of Leeway's pages, without a trailing slash.
    now : datetime
        The present.
    repeat : timedelta
        How long an alert that goes on is not told again.
    openings : mapping of Check to Opening
        Alerts that are open, and when people last heard of them.
    """

    url: str
    now: datetime
    repeat: timedelta = timedelta(days=1)
    openings: Mapping[Check, Opening] = field(default_factory=dict)


_WHAT = {
    Check.DRIFT: "the inputs have drifted",
    Check.QUALITY: "the data look broken",
    Check.PERFORMANCE: "performance has fallen",
    Check.ESTIMATE: "performance has probably fallen",
    Check.MULTIVARIATE: "the inputs come together in another way",
}

_RUNBOOKS = {
    Check.DRIFT: "LeewayDrift",
    Check.QUALITY: "LeewayIncident",
    Check.PERFORMANCE: "LeewayPerformanceFallen",
    Check.ESTIMATE: "LeewayEstimateFallen",
    Check.MULTIVARIATE: "LeewayDrift",
}
"""As the rules for Prometheus name them."""

_CHANGED = {
    AlertChange.OPENED: "",
    AlertChange.CONTINUED: "still: ",
    AlertChange.RESOLVED: "over: ",
    AlertChange.RETRACTED: "taken back: ",
}

_GOES_ON = (AlertChange.OPENED, AlertChange.CONTINUED)


def messages(
    model: str, judged: Judged, decision: Decision, telling: Telling
) -> tuple[Message, ...]:
    """Render what people should hear of a decision: that it rolls back, and its alerts.

    An alert that goes on is told again with a newer window, once the interval has passed.

    Parameters
    ----------
    model : str
        The model.
    judged : Judged
        The window.
    decision : Decision
        What is done about it.
    telling : Telling
        Where the pages are, and what people have heard.
    """
    told = [one for one in decision.alerts if _is_told(one, judged, telling)]
    about = tuple(_message(model, judged, decision, one, telling.url) for one in told)
    if decision.action is not Action.ROLL_BACK:
        return about
    return (_rollback(model, judged, decision, telling.url), *about)


def closed(model: str, sentence: str, why: str) -> Message:
    """Render that a person has closed an incident, for those who heard of it.

    Parameters
    ----------
    model : str
        The model.
    sentence : str
        What the incident was.
    why : str
        Why the person has closed it.
    """
    lines = [
        f"A person says that the data are right: {why}.",
        f"What was found: {sentence}.",
        "What Leeway does: these rows may be trained on, and retraining goes on.",
    ]
    title = f"[{model}] {_CHANGED[AlertChange.RESOLVED]}{_WHAT[Check.QUALITY]}"
    return Message(None, title, "\n".join(lines))


def _rollback(model: str, judged: Judged, decision: Decision, url: str) -> Message:
    lines = [
        f"{decision.sentence[:1].upper()}{decision.sentence[1:]}.",
        "What Leeway does: the version before serves again, with its reference and thresholds.",
        f"The window: {url}/models/{model}/windows/{judged.window.key}",
        f"The model: {url}/models/{model}",
        f"What to do: {url}/runbooks/LeewayRolledBack",
    ]
    return Message(None, f"[{model}] the new version does harm: rolled back", "\n".join(lines))


def _is_told(alert: Alert, judged: Judged, telling: Telling) -> bool:
    if alert.change is not AlertChange.CONTINUED:
        return True
    opening = telling.openings.get(alert.check)
    if opening is None or opening.told_at is None:
        return False  # nobody is told of this model at all
    is_newer = judged.window.start > opening.window_start
    return is_newer and telling.now - opening.told_at >= telling.repeat


def _message(model: str, judged: Judged, decision: Decision, alert: Alert, url: str) -> Message:
    window = judged.window
    stretch = f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
    lines = [f"{alert.sentence}."]
    if alert.change in _GOES_ON:
        lines += [*_certainty(judged, alert), *_why(judged, alert)]
        lines += [*_columns(judged, alert), _done(decision, alert)]
    lines += [
        f"Window: {stretch}, judged against version {judged.champion}.",
        f"The window: {url}/models/{model}/windows/{window.key}",
        f"The model: {url}/models/{model}",
    ]
    if alert.change in _GOES_ON:
        runbook = "LeewayCheckFailed" if _has_failed(judged, alert) else _RUNBOOKS[alert.check]
        lines.append(f"What to do: {url}/runbooks/{runbook}")
    return Message(alert, _title(model, judged, alert), "\n".join(lines))


def _title(model: str, judged: Judged, alert: Alert) -> str:
    failed = _has_failed(judged, alert)
    what = f"{alert.check} could not be checked" if failed else _WHAT[alert.check]
    return f"[{model}] {_CHANGED[alert.change]}{what}"


def _has_failed(judged: Judged, alert: Alert) -> bool:
    return judged.verdict.checks[alert.check] is Status.ERROR


def _certainty(judged: Judged, alert: Alert) -> list[str]:
    """Say how sure it is: on how many rows, and within which band."""
    breached = judged.verdict.breached(alert.check)
    if not breached or alert.check is Check.QUALITY:
        return []  # the findings are shares of all rows
    first = breached[0]
    if first.method == SLOW_FALL:
        held = f"each held against chance and the wobble of {first.n_reference} reference windows"
        return [f"How sure: {first.n_current} windows with labels were added up, {held}."]
    if decides_by_wobble(first):
        beside = f"{first.n_current} rows beside {first.n_reference} reference windows"
        p = f"an adjusted p-value of {first.value:.2g} where {first.threshold:.2g} counts"
        return [f"How sure: on {beside}, {p}."]
    not_calibrated = _why_uncalibrated(judged) if alert.check is Check.DRIFT else ""
    rows = "labelled rows" if alert.check is Check.PERFORMANCE else "rows"
    blind = f"; {first.detail}" if alert.check is Check.ESTIMATE else ""
    return [f"How sure: on {first.n_current} {rows}{_band(first)}{not_calibrated}{blind}."]


def _why(judged: Judged, alert: Alert) -> list[str]:
    """Say whether inputs that moved explain a fall, or a changed relation to the outcome."""
    of_labels = alert.check is Check.PERFORMANCE
    fallen = of_labels and judged.verdict.checks[alert.check] is Status.BREACH
    return [f"Why: {judged.diagnosis.sentence}."] if fallen else []


def _why_uncalibrated(judged: Judged) -> str:
    """Say aloud that nobody knows how much these columns wobble."""
    found = [s.detail for s in judged.verdict.scores if s.method == METHOD and s.column is None]
    return f"; {found[0]}, so Evidently's limits judge" if found else ""


def _band(score: Score) -> str:
    if score.value is None or score.standard_error is None:
        return ""
    margin = Z95 * score.standard_error
    before = "" if score.reference_value is None else f"; reference {score.reference_value:.3f}"
    return f", 95 % band {score.value - margin:.3f} to {score.value + margin:.3f}{before}"


def _columns(judged: Judged, alert: Alert) -> list[str]:
    """Name the columns that moved, where the alert's own sentence does not."""
    moved = moved_most(judged.verdict)
    if alert.check is Check.DRIFT and moved and not is_ranked(judged.verdict):
        return ["Ordered by drift alone: how much the model rests on its columns is not known."]
    if alert.check not in (Check.PERFORMANCE, Check.ESTIMATE) or not moved:
        return []
    return [f"Columns that {'matter' if is_ranked(judged.verdict) else 'moved'} most: {moved}."]


def _done(decision: Decision, alert: Alert) -> str:
    """Say what Leeway does, and why, without saying again what has happened."""
    why = decision.sentence.removeprefix(alert.sentence).lstrip("; ")
    if decision.action is Action.RETRAIN:
        return f"What Leeway does: it retrains{f', because {why}' if why else ''}."
    if decision.action is Action.ROLL_BACK:
        return f"What Leeway does: it goes back to the version before; {why}."
    if decision.action is Action.HOLD:
        return f"What Leeway does: it holds; {why}."
    return f"What Leeway does: nothing; {why}."
