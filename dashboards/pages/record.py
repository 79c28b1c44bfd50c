"""Record: what the databases hold of one model, as the pages need it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
    champion : int or None
        The version that serves; None before the first.
    metric : str or None
        The metric that decides; None for a model that leeway.yaml does not name any more.
    scores : mapping of str to sequence of mapping
        Scores by window id, of the windows whose scores are spoken of.
    """

    model: Document
    windows: Sequence[Document] = ()
    runs: Sequence[Document] = ()
    requests: Sequence[Document] = ()
    champion: int | None = None
    metric: str | None = None
    scores: Mapping[str, Sequence[Document]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model."""
        return str(self.model["model"])

    @property
    def measured(self) -> Document | None:
        """The newest window whose labels have come, so that its metric is known."""
        known = (w for w in reversed(self.windows) if self.metric in w["metrics"])
        return next(known, None)

    @property
    def reference_value(self) -> float | None:
        """The metric on the reference; a promotion does not change it."""
        scores = self.scores.get(self.measured["id"], ()) if self.measured else ()
        values = [s["reference_value"] for s in scores if s["method"] == self.metric]
        return values[0] if values else None
