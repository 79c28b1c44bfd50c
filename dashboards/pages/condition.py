"""Condition: how a model is doing now, over all its windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.checks.score import Check, Status, worst
from monitor.diagnosis import DiagnosisKind

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Trouble:
    """One check that is not all right.

    Parameters
    ----------
    check : Check
        The check.
    status : Status
        BREACH or ERROR.
    since : datetime
        Start of the first of the windows in a row that show it; windows without data are passed
        over, as alerts do.
    window : mapping of str to object
        The newest window that shows it, as `monitor.adapters.history` gives it.
    """

    check: Check
    status: Status
    since: datetime
    window: Document


@dataclass(frozen=True)
class Condition:
    """How a model is doing.

    Parameters
    ----------
    status : Status
        That of the weightiest trouble, else that of the newest window; NO_DATA before the first.
    troubles : tuple of Trouble
        A broken feed stands alone: drift and performance only echo it.
    """

    status: Status
    troubles: tuple[Trouble, ...] = ()


def condition(
    windows: Sequence[Document], alerts: Sequence[Document], error: str | None
) -> Condition:
    """Tell how a model is doing.

    Labels come later than rows, so each check counts as its newest window with data says; an
    alert that is open counts too, since late labels open it for a window that is not the newest.

    Parameters
    ----------
    windows : sequence of mapping
        The windows of a model, oldest first.
    alerts : sequence of mapping
        Its open alerts.
    error : str or None
        Why the last cycle could not be run.
    """
    openings = {alert["check"]: alert["window_key"] for alert in alerts}
    found = [_trouble(windows, check, openings.get(check)) for check in _IN_ORDER]
    troubles = tuple(trouble for trouble in found if trouble is not None)
    if troubles and troubles[0].check is Check.QUALITY and troubles[0].status is Status.BREACH:
        troubles = troubles[:1]
    statuses = [trouble.status for trouble in troubles] + [Status.ERROR] * bool(error)
    newest = Status(windows[-1]["status"]) if windows else Status.NO_DATA
    return Condition(worst(statuses) if statuses else newest, troubles)


_IN_ORDER = (
    Check.QUALITY, Check.PERFORMANCE, Check.ESTIMATE, Check.DRIFT, Check.MULTIVARIATE
)  # fmt: skip
_BAD = (Status.BREACH, Status.ERROR)


def _trouble(windows: Sequence[Document], check: Check, opened_by: str | None) -> Trouble | None:
    shown = [window for window in windows if _has_say(window, check)]
    row: list[Document] = []
    for window in reversed(shown):
        if _status(window, check) not in _BAD:
            break
        row.append(window)
    row = row or [w for w in shown if w["id"] == opened_by and _status(w, check) in _BAD]
    if not row:
        return None
    newest = row[0]
    return Trouble(check, _status(newest, check), row[-1]["start"], newest)


def _has_say(window: Document, check: Check) -> bool:
    echo = window["diagnosis"] == DiagnosisKind.INCIDENT and check is not Check.QUALITY
    return _status(window, check) is not Status.NO_DATA and not echo


def _status(window: Document, check: Check) -> Status:
    return Status(window["checks"].get(check, Status.NO_DATA))
