"""Ports: what retraining needs of the world, on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import pyarrow as pa

from monitor.probation import Probation
from retrain.bundle import Bundle
from retrain.collected import Collected, Part
from retrain.waiting import Waiting

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
class Version:
    """A registered bundle.

    Parameters
    ----------
    model : str
        The model.
    number : int
        From 1; given again only where the run that made it has failed.
    created_at : datetime
        When it was registered.
    has_model : bool
        False when it is only watched.
    metrics : mapping of str to object
        Name to value, standard error and rows, on rows it was not fitted on.
    recipe, lineage : mapping of str to object
        How it was made, and of what.
    """

    model: str
    number: int
    created_at: datetime
    has_model: bool
    metrics: Mapping[str, Any]
    recipe: Mapping[str, Any]
    lineage: Mapping[str, Any]


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
        How. A run that failed leaves nothing behind but this.
    reason : str
        Why, in a sentence.
    details : mapping of str to object
        All that a person may ask about it.
    inside : Entry or None
        Who is in the gate from then on; a run that failed leaves the gate as it was.
    """

    run: int
    outcome: Outcome
    reason: str
    details: Mapping[str, Any]
    inside: Entry | None = None


class Registry(Protocol):
    """Versions and who is champion; versions are never changed."""

    def register(self, bundle: Bundle, at: datetime) -> int:
        """Store a bundle and return its new number."""
        ...

    def promote(
        self,
        model: str,
        version: int,
        at: datetime,
        why: str,
        ended: Ended | None = None,
        over: int | None = None,
    ) -> None:
        """Make a version the champion, and the champion the predecessor, at once.

        The run that made it ends in the same moment; NotPossibleError when someone has ended it
        meanwhile. With the champion that it was compared with, SupersededError
        when someone else is champion by now.
        """
        ...

    def roll_back(self, model: str, at: datetime, why: str, version: int | None = None) -> int:
        """Make a former version (by default the predecessor) champion again; return it."""
        ...

    def probation(self, model: str) -> Probation | None:
        """Return the champion's probation; None when it is on none, or it has ended."""
        ...

    def used_until(self, model: str) -> datetime | None:
        """Return the event time up to which rows may not speak for a promotion any more.

        They have trained the champion, or a version that was rolled back since: the same evidence
        does not promote twice.
        """
        ...

    def champion(self, model: str) -> int:
        """Return the champion's number; NotFoundError before the first version."""
        ...

    def load(self, model: str, version: int) -> Bundle:
        """Load a bundle; BundleRefusedError when it is not what was registered."""
        ...

    def is_model_of(self, pipeline: Any, model: str, version: int) -> bool:
        """Tell whether a fitted pipeline is a version's model, bit for bit."""
        ...

    def model_bytes(self, model: str, version: int) -> int:
        """Return the size of a version's model file; NotFoundError for one only watched."""
        ...

    def versions(self, model: str) -> Sequence[Version]:
        """Return every version, oldest first."""
        ...


class Runs(Protocol):
    """Requests, and the record of what was made of them."""

    def ask(self, model: str, kind: RequestKind, trigger: str, why: str, at: datetime) -> int:
        """Ask for something; NotPossibleError while the same is asked for already."""
        ...

    def claim(self, kind: RequestKind, by: str, at: datetime) -> Request | None:
        """Take the oldest open request; while its lease is renewed no other process gets it."""
        ...

    def renew(self, request: Request, by: str) -> bool:
        """Say that its worker is alive; False when another one has it."""
        ...

    def give_up(self, request: Request, why: str, at: datetime) -> None:
        """End a request and its run, if it has one, as failed."""
        ...

    def release(self, at: datetime, why: str) -> int:
        """End the runs whose workers are silent; returns how many there were.

        A request that has no run yet can be claimed again.
        """
        ...

    def start(self, request: Request, champion: int, at: datetime) -> int:
        """Begin the run of a request and return its number."""
        ...

    def progress(self, run: int, share: float, text: str) -> None:
        """Note how far a run is, in 0-1; NotPossibleError when it was ended by someone else."""
        ...

    def tried(self, request: Request, champion: int, shown: Shown, at: datetime) -> None:
        """Record what a trial has shown; where a run would pay, ask for it."""
        ...

    def run(self, model: str, number: int) -> Mapping[str, Any]:
        """Return one run of a model; NotFoundError if there is none."""
        ...

    def waiting(self, model: str) -> Waiting | None:
        """Return the version that waits for a person; None where none does."""
        ...

    def decline(self, waits: Waiting, why: str) -> None:
        """End a wait without a promotion; the version stays registered."""
        ...

    def trials(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what every trial of a model has shown, oldest first."""
        ...

    def finish(self, ended: Ended, at: datetime) -> None:
        """End a run and its request; one that somebody else has ended stays as it is."""
        ...

    def inside(self, model: str) -> Entry | None:
        """Return the challenger in the gate."""
        ...


class Rows(Protocol):
    """The labelled rows a model can learn from."""

    def labelled(self, model: str, until: datetime) -> Collected:
        """Return them in time order, windows with an incident left out.

        The columns are the schema's features, ``_event_at``, ``_label``, the logged prediction and
        its ``_model_version`` (null where there was none).
        """
        ...

    def again(self, model: str, parts: Sequence[Part]) -> pa.Table:
        """Return the rows of these parts as they were; NotPossibleError when they are not."""
        ...
