"""Record: what is asked of retraining, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

BY_HAND = "by hand"
"""The trigger of what a person asks for."""


class Outcome(StrEnum):
    """How a run ended."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RequestKind(StrEnum):
    """What is asked for."""

    RETRAIN = "retrain"
    ROLL_BACK = "roll_back"
    TRIAL = "trial"
    LOOK = "look"


@dataclass(frozen=True)
class Request:
    """Something asked for, by a decision or by a person.

    Parameters
    ----------
    id : int
        Its number.
    model : str
        The model.
    kind : RequestKind
        What is asked for.
    trigger, why : str
        The reason in a word, and in plain words.
    asked_at : datetime
        When.
    """

    id: int
    model: str
    kind: RequestKind
    trigger: str
    why: str
    asked_at: datetime


@dataclass(frozen=True)
class Shown:
    """What a trial has shown.

    Parameters
    ----------
    pays : bool
        Whether a run would.
    n_fits : int
        Trial challengers trained.
    reason : str
        The evidence in a sentence.
    details : mapping of str to object
        The numbers, by training range.
    """

    pays: bool
    n_fits: int
    reason: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """The challenger in the gate.

    Parameters
    ----------
    version : int
        Its number; it stays as it was when it came in.
    champion : int
        Whom it is held against. Another champion, and its evidence is void.
    run : int
        The run that made it.
    looks : int
        Looks that were taken at it.
    """

    version: int
    champion: int
    run: int
    looks: int


@dataclass(frozen=True)
class Ended:
    """How a run ended; everything that it leaves behind is on record in one moment.

    Parameters
    ----------
    run : int
        Its number.
    outcome : Outcome
        How. A run that failed leaves nothing behind but this, and what it has noted.
    reason : str
        Why, in a sentence.
    details : mapping of str to object
        All that a person may ask about it; of one that failed, what it has noted stays instead.
    inside : Entry or None
        Who is in the gate from then on; a run that failed leaves the gate as it was.
    """

    run: int
    outcome: Outcome
    reason: str
    details: Mapping[str, Any]
    inside: Entry | None = None
