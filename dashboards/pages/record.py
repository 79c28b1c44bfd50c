"""Record: what the databases hold of one model, as the pages need it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.action import Action, Reason

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """Everything a sentence about a model may rest on.

    Parameters
    ----------
    model : mapping of str to object
        Name, registration, pause, open alerts and the error of the last cycle, as
        `monitor.adapters.history` gives them.
    windows : sequence of mapping
        Its windows, oldest first.
    runs, requests : sequence of mapping
        Retrain runs, and what is asked for and not done yet, oldest first.
    trial : mapping or None
        The newest trial whether a run would pay.
    champion : int or None
        The version that serves; None before the first.
    metric : str or None
        The metric that decides; None for a model that leeway.yaml does not name any more.
    probations : sequence of mapping
        Its probations, oldest first.
    details : mapping of str to mapping
        Windows by id with their scores and revisions, of those that are spoken of.
    """

    model: Document
    windows: Sequence[Document] = ()
    runs: Sequence[Document] = ()
    requests: Sequence[Document] = ()
    trial: Document | None = None
    champion: int | None = None
    metric: str | None = None
    probations: Sequence[Document] = ()
    details: Mapping[str, Document] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model."""
        return str(self.model["model"])

    @property
    def probation(self) -> Document | None:
        """The champion's probation, while it is open."""
        newest = self.probations[-1] if self.probations else None
        if newest is None or newest["ended_at"] is not None:
            return None
        return newest if newest["version"] == self.champion else None

    @property
    def measured(self) -> Document | None:
        """The newest window whose labels have come, so that its metric is known."""
        known = (w for w in reversed(self.windows) if self.metric in w["metrics"])
        return next(known, None)

    @property
    def reference_value(self) -> float | None:
        """The metric on the reference; a promotion does not change it."""
        scores = self.scores(self.measured) if self.measured else ()
        values = [
            s["reference_value"]
            for s in scores
            if s["method"] == self.metric and s["level"] is None
        ]
        return values[0] if values else None

    def scores(self, window: Document) -> Sequence[Document]:
        """Return the scores of a window, none where they were not read."""
        return self.details[window["id"]]["scores"] if window["id"] in self.details else ()

    def decided(self, window: Document) -> Document:
        """Return the revision that decided something, the newest such.

        Late labels judge a window again, and mostly that asks for nothing: what an earlier
        revision set going is still what was done.
        """
        known = self.details[window["id"]]["revisions"] if window["id"] in self.details else ()
        return next((one for one in reversed(known) if decides(one)), window)


def decides(revision: Document) -> bool:
    """Whether a revision led to something, or could have."""
    acted, reason = revision["decision"] != Action.NONE, revision["reason"]
    return bool(acted or reason == Reason.NOT_ASKED)


def version_made(run: Document) -> int | None:
    """Return the version that a run promoted, None where it promoted none.

    Examples
    --------
    >>> version_made({"details": {"version": 3, "rows": {}}}), version_made({"details": None})
    (3, None)
    """
    return (run["details"] or {}).get("version")
