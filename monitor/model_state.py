"""Model state: what is known of a model besides the window at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.alert import Opening
from monitor.checks.score import Check
from monitor.probation import Judgement


@dataclass(frozen=True)
class ModelState:
    """How a model stands when a window is decided on.

    Parameters
    ----------
    champion : int
        Version that serves now.
    challenger : int or None
        Version that is in the gate.
    last_run_at : datetime
        Start of the last retrain run, or the registration of the model.
    n_new_windows, n_new_labels : int
        Labelled windows outside incidents since the champion's training data ended, and their
        labelled rows.
    n_since_run : int
        Those among them that came after a run was last asked for.
    open_alerts : mapping of Check to Opening
        Alerts that are open.
    incident_open, run_pending, paused : bool
        The feed is broken; a run is asked for or going on; a person has paused retraining.
    is_answered : bool
        A fall of the champion's performance has opened a run already.
    waits_since : datetime or None
        Since when the challenger has passed the gate and waits for a person, if it does.
    judgement : Judgement or None
        What is thought of a champion on probation.
    """

    champion: int
    last_run_at: datetime
    n_new_windows: int = 0
    n_new_labels: int = 0
    n_since_run: int = 0
    open_alerts: Mapping[Check, Opening] = field(default_factory=dict)
    incident_open: bool = False
    run_pending: bool = False
    paused: bool = False
    is_answered: bool = False
    judgement: Judgement | None = None
    challenger: int | None = None
    waits_since: datetime | None = None
