"""Overview: one model as the pages show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.pages.chart import Chart, chart
from dashboards.pages.condition import Condition, condition
from dashboards.pages.ledger import Entry, ledger
from dashboards.pages.record import Record
from dashboards.pages.sentence import sentence
from dashboards.pages.timeline import PER_ROW, Strip, summary, timeline
from monitor.checks.score import Status

Document = Mapping[str, Any]

MOST_WINDOWS = 10 * PER_ROW
"""Windows drawn on a model's own page; older ones are in the API."""

N_AGAIN = 8
"""Windows judged again whose earlier decisions are read: as many as a page lists."""

_URGENCY = (Status.BREACH, Status.ERROR, Status.NO_DATA, Status.WARNING, Status.OK)


@dataclass(frozen=True)
class Overview:
    """One model, ready to be shown.

    Parameters
    ----------
    record : Record
        What is stored.
    condition : Condition
        How it is doing.
    sentence : str
        The same in one line.
    shown : sequence of mapping
        The windows drawn, oldest first.
    strips : tuple of Strip
        Their timeline.
    summary : str
        The timeline in words.
    chart : Chart or None
        Their metric; None where none has labels.
    """

    record: Record
    condition: Condition
    sentence: str
    shown: Sequence[Document]
    strips: tuple[Strip, ...]
    summary: str
    chart: Chart | None

    @property
    def needs_someone(self) -> bool:
        """Whether a person should look: a warning is unconfirmed and needs nobody."""
        return self.condition.status in (Status.BREACH, Status.ERROR)

    @property
    def urgency(self) -> tuple[int, str]:
        """Where the model stands in a list, the most urgent first."""
        return _URGENCY.index(self.condition.status), self.record.name

    @property
    def decisions(self) -> list[Entry]:
        """What was decided and what came of it, newest first."""
        return ledger(self.record)

    @property
    def decided(self) -> Mapping[str, Entry]:
        """The same by window."""
        return {entry.window["id"]: entry for entry in self.decisions if entry.window}

    @property
    def last_run(self) -> Document | None:
        """The newest retrain run."""
        return self.record.runs[-1] if self.record.runs else None


def standing(record: Record) -> Condition:
    """Return how a recorded model is doing."""
    return condition(record.windows, record.model["alerts"], record.model["error"])


def spoken_of(record: Record) -> set[str]:
    """Return the windows an overview needs in full.

    Those of troubles, the newest for what it warns of, the newest with a metric for its reference
    value, and the newest bad ones that were judged again for what was decided at first.
    """
    bad = (Status.BREACH, Status.ERROR)
    again = [w for w in record.windows if w["revision"] > 1 and w["status"] in bad]
    troubles = [trouble.window for trouble in standing(record).troubles]
    measured = [record.measured] if record.measured else []
    found = [*troubles, *record.windows[-1:], *measured, *again[-N_AGAIN:]]
    return {window["id"] for window in found}


def overview(record: Record, n_windows: int = PER_ROW) -> Overview:
    """Put together what is shown of a model.

    Parameters
    ----------
    record : Record
        What is stored of it.
    n_windows : int
        The newest windows to draw.
    """
    now, shown = standing(record), record.windows[-n_windows:]
    metric, value, champion = record.metric, record.reference_value, record.champion
    return Overview(
        record=record,
        condition=now,
        sentence=sentence(record, now),
        shown=shown,
        strips=timeline(shown),
        summary=summary(shown),
        chart=chart(shown, metric, value, champion) if metric and shown else None,
    )
