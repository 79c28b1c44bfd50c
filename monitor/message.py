"""Message: what people are told about an alert, rendered once."""

from dataclasses import dataclass

from monitor.alert import Alert, AlertChange, Judged
from monitor.decision import Action, Decision


@dataclass(frozen=True)
class Message:
    """One message about one alert.

    Parameters
    ----------
    alert : Alert
        The alert.
    title, body : str
        Plain text.
    """

    alert: Alert
    title: str
    body: str


_DONE = {
    Action.NONE: "Nothing was done",
    Action.HOLD: "Leeway holds",
    Action.RETRAIN: "Leeway retrains",
}


def messages(model: str, judged: Judged, decision: Decision, url: str) -> tuple[Message, ...]:
    """Render the alerts of a decision that people should hear of.

    An alert that merely goes on is not repeated.

    Parameters
    ----------
    model : str
        The model.
    judged : Judged
        The window.
    decision : Decision
        What is done about it.
    url : str
        Address of Leeway's pages, without a trailing slash.
    """
    told = [a for a in decision.alerts if a.change is not AlertChange.CONTINUED]
    return tuple(_message(model, judged, decision, alert, url) for alert in told)


def _message(model: str, judged: Judged, decision: Decision, alert: Alert, url: str) -> Message:
    window = judged.window
    title = f"[{model}] {alert.check} {alert.change}"
    stretch = f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
    lines = [
        f"{alert.sentence}.",
        f"Window: {stretch}, judged against version {judged.champion}.",
    ]
    if alert.change is AlertChange.OPENED:
        lines.append(f"{_DONE[decision.action]}: {decision.sentence}.")
    lines.append(f"{url}/models/{model}/windows/{window.key}")
    return Message(alert, title, "\n".join(lines))
