"""Waiting: a version that has passed the gate, and that a person promotes."""

from dataclasses import dataclass
from datetime import datetime

WAITS = "; it waits for a person"
"""What the reason of a held run goes on with; what became of the version takes its place."""


@dataclass(frozen=True)
class Waiting:
    """A version that has passed the gate and waits for a person (`retrain.approval`).

    Parameters
    ----------
    version : int
        Its number.
    run : int
        The run that made it, and is held until a person decides.
    champion : int
        Whom it has beaten.
    since : datetime
        When the run ended.
    """

    version: int
    run: int
    champion: int
    since: datetime
