"""Record: what the store is handed of a cycle, and what it hands out for the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.alert import Judged, Opening
from monitor.checks.score import Check
from monitor.decision import Decision
from monitor.message import Message
from monitor.probation import Judgement
from monitor.profile import Profile
from monitor.window import NOTHING_SEEN, Counts, Seen


@dataclass(frozen=True)
class Standing:
    """What the store knows of a model besides its windows.

    Parameters
    ----------
    open_alerts : mapping of Check to Opening
        Alerts that are open.
    last_run_at : datetime
        When a run was last asked for, or the model registered.
    n_new_windows, n_new_labels : int
        Labelled windows outside incidents since a time, and their labelled rows.
    n_since_run : int
        Those of windows that ended after a run was last asked for.
    incident_open, run_pending, paused : bool
        The newest judged window is an incident; a run is asked for or going on; a person has
        paused retraining.
    """

    open_alerts: Mapping[Check, Opening]
    last_run_at: datetime
    n_new_windows: int
    n_new_labels: int
    n_since_run: int
    incident_open: bool
    run_pending: bool
    paused: bool


@dataclass(frozen=True)
class CycleRecord:
    """All that one cycle leaves behind.

    Parameters
    ----------
    model : str
        The model.
    judged : Judged
        The window with its verdict and diagnosis.
    counts : Counts
        Rows and labels the verdict rests on.
    decision : Decision
        What is done.
    messages : sequence of Message
        What people are told.
    at : datetime
        When it was judged.
    duration_seconds : float
        How long the cycle took.
    seen : Seen
        The log before its rows were read.
    judgement : Judgement or None
        What is thought of a champion on probation.
    profile : Profile or None
        What was counted of its rows, by the hour, over the champion's bins.
    """

    model: str
    judged: Judged
    counts: Counts
    decision: Decision
    messages: Sequence[Message]
    at: datetime
    duration_seconds: float
    seen: Seen = NOTHING_SEEN
    judgement: Judgement | None = None
    profile: Profile | None = None


@dataclass(frozen=True)
class Delivery:
    """One message on its way to one channel."""

    id: int
    channel: str
    title: str
    body: str
    attempts: int
