"""Comparison: two tables compared and judged once, with what a person reads of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.checks.score import Check, Score, Status
from monitor.reference import Estimate
from monitor.verdict import Verdict


@dataclass(frozen=True)
class Comparison:
    """Two tables, compared and judged.

    Parameters
    ----------
    verdict : Verdict
        Every score with its status.
    target : str or None
        The label's column: its drift is shown, but is not in the share.
    limit : float
        The share of drifted columns from which it is a breach, 0-1.
    reference_performance : mapping of str to Estimate
        The metrics on the reference.
    n_reference, n_current : int
        Rows on each side.
    notes : tuple of str
        What was left out and why, and what could not be compared.
    """

    verdict: Verdict
    target: str | None
    limit: float
    reference_performance: Mapping[str, Estimate]
    n_reference: int
    n_current: int
    notes: tuple[str, ...]

    @property
    def columns(self) -> list[Score]:
        """Drift of each column, in the reference's order."""
        return self._scores(Check.DRIFT)

    @property
    def quality(self) -> list[Score]:
        """Missing, unseen and far-out values of each feature."""
        return self._scores(Check.QUALITY)

    @property
    def performance(self) -> list[Score]:
        """The metrics on the current rows; the reference's are in `reference_performance`."""
        return self._scores(Check.PERFORMANCE)

    @property
    def share_drifted(self) -> float | None:
        """Drifted columns over compared columns, 0-1; None when nothing was compared."""
        return self.verdict.share_drifted

    @property
    def status(self) -> Status:
        """What it amounts to; NO_DATA where nothing but the quality of columns could be judged."""
        status, judged = self.verdict.status, self.verdict.checks
        compared = {judged[Check.DRIFT], judged[Check.PERFORMANCE]} != {Status.NO_DATA}
        return status if compared or status is not Status.OK else Status.NO_DATA

    @property
    def sentence(self) -> str:
        """The result in a sentence."""
        broken = {score.column for score in self.verdict.breached(Check.QUALITY)}
        unscored = [score for score in self.columns if score.status is Status.NO_DATA]
        failed = [score for score in self.columns if score.status is Status.ERROR]
        parts = [
            _share_sentence(self),
            f"{_columns(len(broken))} look{'s' * (len(broken) == 1)} broken" if broken else "",
            f"{_columns(len(unscored))} without a score" if unscored else "",
            f"{_columns(len(failed))} could not be compared" if failed else "",
            *(
                f"{score.method} is {score.value:.3g}, in the reference {score.reference_value:.3g}"
                for score in self.verdict.breached(Check.PERFORMANCE)
            ),
        ]
        return f"{'; '.join(part for part in parts if part)}: {self.status}"

    def __str__(self) -> str:
        """Return the sentence and the notes."""
        return "\n".join([self.sentence, *(f"- {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Return what `leeway compare --json` writes."""
        return {
            "status": self.status.value,
            "sentence": self.sentence,
            "share_drifted": self.share_drifted,
            "share_limit": self.limit,
            "n_reference": self.n_reference,
            "n_current": self.n_current,
            "columns": [_entry(score) for score in self.columns],
            "quality": [_entry(score) for score in self.quality],
            "performance": [
                _entry(score)
                | {
                    "standard_error": score.standard_error,
                    "reference": score.reference_value,
                    "reference_standard_error": self.reference_performance[
                        score.method
                    ].standard_error,
                }
                for score in self.performance
            ],
            "notes": list(self.notes),
        }

    def _scores(self, check: Check) -> list[Score]:
        return [score for score in self.verdict.scores if score.check is check]


def _share_sentence(found: Comparison) -> str:
    compared = [s for s in found.columns if s.value is not None and s.column != found.target]
    if found.share_drifted is None:
        return "no column could be compared"
    n_drifted = sum(score.status is Status.BREACH for score in compared)
    return (
        f"{n_drifted} of {_columns(len(compared))} {'has' if n_drifted == 1 else 'have'} drifted "
        f"(share {found.share_drifted:.2f}, limit {found.limit:.2f})"
    )


def _columns(n_columns: int) -> str:
    return "1 column" if n_columns == 1 else f"{n_columns} columns"


def _entry(score: Score) -> dict[str, Any]:
    value = score.value
    return {
        "column": score.column,
        "kind": score.kind,
        "method": score.method,
        # JSON has no infinity.
        "score": value if value is not None and math.isfinite(value) else None,
        "threshold": score.threshold,
        "breach_when": score.breach_when.value,
        "status": score.status,
        "n_reference": score.n_reference,
        "n_current": score.n_current,
    }
