"""Diagnosis: what kind of change a window shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.checks.quality import REFUSED
from monitor.checks.score import Check, Score, Status
from monitor.verdict import Verdict, decides_by_wobble

N_LISTED = 3
"""Columns named in a sentence; the others are counted."""


class DiagnosisKind(StrEnum):
    """What has changed: the feed, the inputs, the relation of inputs and outcome, or nothing."""

    INCIDENT = "incident"
    COVARIATE = "covariate"
    CONCEPT = "concept"
    NONE = "none"


@dataclass(frozen=True)
class Finding:
    """One column that is broken.

    Parameters
    ----------
    column : str
        The column.
    sign : str
        How it shows: missing, unseen, out_of_range, refused (of no column), schema_missing,
        schema_extra, schema_retyped.
    sentence : str
        The evidence in plain words.
    """

    column: str
    sign: str
    sentence: str


@dataclass(frozen=True)
class Diagnosis:
    """The kind of change, and the evidence.

    Parameters
    ----------
    kind : DiagnosisKind
        What has changed.
    findings : tuple of Finding
        The broken columns of an incident.
    sentence : str
        The diagnosis in plain words.
    """

    kind: DiagnosisKind
    findings: tuple[Finding, ...]
    sentence: str


_SIGNS = {
    "missing": "{column}: {value:.0%} of rows have no value (reference {before:.0%})",
    "unseen": "{column}: {value:.0%} of values were never seen in the reference",
    "out_of_range": "{column}: {value:.0%} of values lie far outside the reference's range",
    "schema_missing": "{column}: the column did not arrive in {value:.0%} of rows",
    "schema_extra": "{column}: a column the schema does not know, in {value:.0%} of rows",
    REFUSED: "{value:.0%} of the rows that came could not be stored and were refused",
    "schema_retyped": "{column}: {value:.0%} of rows came in another type",
}


def diagnose(verdict: Verdict) -> Diagnosis:
    """Tell a broken feed from a changed world.

    Broken columns are an incident, whatever else moved: drift and performance mean nothing while
    the data are wrong. Otherwise drifted inputs are covariate drift, and a fallen metric without
    drifted inputs points to a changed relation between inputs and outcome (not a tested verdict).
    """
    broken = _leading(verdict.breached(Check.QUALITY))
    if broken:
        findings = tuple(_finding(score) for score in broken)
        sentence = "; ".join(finding.sentence for finding in findings)
        return Diagnosis(DiagnosisKind.INCIDENT, findings, f"the feed looks broken: {sentence}")
    drifted = verdict.checks[Check.DRIFT] is Status.BREACH
    fallen = verdict.checks[Check.PERFORMANCE] is Status.BREACH
    if drifted:
        sentence = "the inputs have moved" + (" and performance has fallen" if fallen else "")
        return Diagnosis(DiagnosisKind.COVARIATE, (), sentence)
    if fallen:
        sentence = "performance has fallen though most inputs look as before"
        return Diagnosis(DiagnosisKind.CONCEPT, (), sentence)
    if verdict.checks[Check.ESTIMATE] is Status.BREACH:
        # It answers to nothing but inputs that move to where the model is weak.
        sentence = "the inputs have moved to where performance is estimated to be worse"
        return Diagnosis(DiagnosisKind.COVARIATE, (), sentence)
    return Diagnosis(DiagnosisKind.NONE, (), f"nothing stands out{_unconfirmed(verdict)}")


def _unconfirmed(verdict: Verdict) -> str:
    """Say what moved and opens no alert, so that its silence has a reason, too."""
    drift = [s for s in verdict.scores if s.check is Check.DRIFT and s.column]
    once = [s.column for s in drift if decides_by_wobble(s) and s.status is Status.WARNING]
    if once:
        return f"; {_listed(once)} moved once, and is told when it does again within two windows"
    beyond = [s.column for s in drift if s.status is Status.BREACH]
    if beyond:
        return f"; {_listed(beyond)} beyond the limit, too few columns for an alert"
    return ""


def _listed(columns: Sequence[str | None]) -> str:
    named = ", ".join(str(column) for column in columns[:N_LISTED])
    n_more = len(columns) - N_LISTED
    return f"{named} and {n_more} more" if n_more > 0 else named


def _leading(scores: list[Score]) -> list[Score]:
    """Keep one score a column: a column that did not arrive is not also reported as null."""
    first: dict[str | None, Score] = {}
    for score in sorted(scores, key=lambda s: not s.method.startswith("schema_")):
        first.setdefault(score.column, score)
    return list(first.values())


def _finding(score: Score) -> Finding:
    column = score.column or ""
    sentence = _SIGNS[score.method].format(
        column=column, value=score.value or 0.0, before=score.reference_value or 0.0
    )
    return Finding(column, score.method, sentence)
