"""Ports: what retraining needs of the world, on one page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from monitor.ports import References
from retrain.bundle import Bundle
from retrain.collected import Collected, Part
from retrain.live import Beside, Live
from retrain.record import Ended, Entry, Request, RequestKind, Shown
from retrain.registered import ModelFile, Undone, Version
from retrain.waiting import Waiting


class Registry(References, Protocol):
    """Versions, which are never changed, and who of them is champion.

    What any registry must do is in ``tests/contracts/test_registry.py``. As the watch's
    `monitor.ports.References` it also says who was champion at a time.
    """

    def register(self, bundle: Bundle, at: datetime) -> int:
        """Store a bundle, which does not serve yet, and return its new number."""
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

    def roll_back_as_decided(self, at: datetime) -> Sequence[Undone]:
        """Carry out the rollbacks that the watch has asked for, each once, and return them."""
        ...

    def champion(self, model: str) -> int:
        """Return the champion's number; NotFoundError before the first version."""
        ...

    def champions(self) -> Mapping[str, int]:
        """Return every model's champion, by its number."""
        ...

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return who is ``champion``, who was before (``previous``), and who stands against it.

        The ``challenger`` is in the gate, or has passed it and waits for a person. All move in one
        transaction; who there is none of has no name in it.
        """
        ...

    def versions(self, model: str) -> Sequence[Version]:
        """Return every version, oldest first."""
        ...

    def moves(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return every promotion and rollback, oldest first."""
        ...

    def used_until(self, model: str) -> datetime | None:
        """Return the event time up to which rows may not speak for a promotion any more.

        They have trained the champion, or a version that was rolled back since: the same evidence
        does not promote twice.
        """
        ...

    def n_rollbacks(self, model: str) -> int:
        """Count the times that the champion was taken back."""
        ...

    def load(self, model: str, version: int) -> Bundle:
        """Load a bundle; BundleRefusedError when it is not what was registered."""
        ...

    def model_file(self, model: str, version: int) -> ModelFile:
        """Return the model file of a version; NotFoundError for one only watched.

        BundleRefusedError when it is not what was registered.
        """
        ...

    def is_model_of(self, pipeline: Any, model: str, version: int) -> bool:
        """Tell whether a fitted pipeline is a version's model, bit for bit."""
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

    def note(self, run: int, details: Mapping[str, Any]) -> None:
        """Note what is known of a run so far: should it fail, that stays on record."""
        ...

    def tried(self, request: Request, champion: int, shown: Shown, at: datetime) -> None:
        """Record what a trial has shown; where a run would pay, ask for it."""
        ...

    def waiting(self, model: str) -> Waiting | None:
        """Return the version that waits for a person; None where none does."""
        ...

    def decline(self, waits: Waiting, why: str) -> None:
        """End a wait without a promotion; the version stays registered."""
        ...

    def finish(self, ended: Ended, at: datetime) -> None:
        """End a run and its request; one that somebody else has ended stays as it is."""
        ...

    def inside(self, model: str) -> Entry | None:
        """Return the challenger in the gate."""
        ...

    def requests(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what was ever asked for, oldest first."""
        ...

    def open_requests(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what is asked for and not done yet, oldest first."""
        ...

    def runs(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return every run of a model, oldest first."""
        ...

    def run(self, model: str, number: int) -> Mapping[str, Any]:
        """Return one run of a model; NotFoundError if there is none."""
        ...

    def trials(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what every trial of a model has shown, oldest first."""
        ...

    def newest_trial(self, model: str) -> Mapping[str, Any] | None:
        """Return what the newest trial of a model has shown; None before any."""
        ...


class Shadows(Protocol):
    """Versions that predict live rows beside the champions, and what came of it."""

    def beside(self, model: str) -> Beside | None:
        """Return who predicts beside the champion; None where nobody does."""
        ...

    def note(self, model: str, live: Live) -> None:
        """Add what came of rows to what is known of the version."""
        ...

    def of(self, model: str, version: int, champion: int) -> Live | None:
        """Return what came of a version's predictions beside a champion; None before any."""
        ...

    def all(self, model: str) -> Sequence[Live]:
        """Return what came of every version's predictions, in the order of their numbers."""
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
