"""Diagnosis: what kind of change a window shows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.accepted import is_accepted
from monitor.change import Change
from monitor.checks.broken import Break
from monitor.checks.quality import INFINITE, MISSING, OUT_OF_RANGE, REFUSED, REPEATED
from monitor.checks.score import Check, Score, Status
from monitor.checks.signs import OF_VALUES
from monitor.checks.stale import STALE, STILL
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
    """One column that is broken, or what is wrong with whole rows.

    Parameters
    ----------
    column : str
        The column; empty where it is whole rows.
    sign : str
        How it shows: missing, unseen, out_of_range, infinite, schema_missing, schema_extra,
        schema_retyped; scale, units, sign, swap, shift, spelling, renamed, frozen, fill, collapse;
        of whole rows repeated, stale, still, refused.
    sentence : str
        The evidence in plain words.
    transform : str
        What was done to it, in words, where that was found.
    since : datetime or None
        Event time of the first broken row; of rows that were refused, when the first came. None
        where the search has failed.
    n_rows : int or None
        Rows of the window from there on; of rows that were refused, how many.
    """

    column: str
    sign: str
    sentence: str
    transform: str = ""
    since: datetime | None = None
    n_rows: int | None = None


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
    change : Change or None
        What became of the metric that decides, taken apart; None where it could not be.
    """

    kind: DiagnosisKind
    findings: tuple[Finding, ...]
    sentence: str
    change: Change | None = None


_SENTENCES = {
    MISSING: "{column}: {value:.0%} of rows have no value (reference {before:.0%})",
    "unseen": "{column}: {value:.0%} of values were never seen in the reference",
    OUT_OF_RANGE: "{column}: {value:.0%} of values lie far outside the reference's range",
    INFINITE: "{column}: {value:.0%} of values are infinite",
    "schema_missing": "{column}: the column did not arrive in {value:.0%} of rows",
    "schema_extra": "{column}: a column the schema does not know, in {value:.0%} of rows",
    REFUSED: "{value:.0%} of the rows that came could not be stored and were refused: {what}",
    "schema_retyped": "{column}: {value:.0%} of rows came in another type",
    REPEATED: "{value:.0%} of the rows repeat another one in every feature (reference "
    "{before:.0%}): a load may have run twice",
    STALE: "{value:.0%} of the rows were there in the window before, in every feature (reference "
    "{before:.0%}): the feed may be stale",
    STILL: "{value:.0%} of the rows are of one time, {what} (the window before {before:.0%}): the "
    "feed's clock may stand still",
    "scale": "{column}: numbers came {what}",
    "units": "{column}: numbers came as {what}",
    "sign": "{column}: numbers came with {what}",
    "swap": "{column}: it has {what}",
    "shift": "{column}: the clock is {what}",
    "spelling": "{column}: other spelling, {what}",
    "renamed": "{column}: levels came under other names, {what}",
    "frozen": "{column}: it stands still, {what}",
    "fill": "{column}: filled in, {what}",
    "collapse": "{column}: {what}",
}


def diagnose(
    verdict: Verdict, breaks: Sequence[Break] = (), change: Change | None = None
) -> Diagnosis:
    """Tell a broken feed from a changed world.

    Broken columns are an incident, whatever else moved: drift and performance mean nothing while
    the data are wrong. Otherwise it is concept drift where the tested part of the change says so,
    also while performance is within its limit; a fall that inputs explain, and inputs that moved,
    are covariate drift. Where nothing could be tested a fall without drifted inputs is taken for
    concept drift, and that it is not tested is said.

    Parameters
    ----------
    verdict : Verdict
        The window's.
    breaks : sequence of Break
        What was found to be done to its columns.
    change : Change or None
        The change of the metric that decides, taken apart.
    """
    broken = _leading(verdict.breached(Check.QUALITY))
    if broken:
        found = {(one.column or None, one.sign): one for one in breaks}
        findings = tuple(_finding(one, found.get((one.column, one.method))) for one in broken)
        sentence = "; ".join(finding.sentence for finding in findings) + _at_once(findings)
        return Diagnosis(DiagnosisKind.INCIDENT, findings, f"the feed looks broken: {sentence}")
    kind, sentence = _changed(verdict, change) or _moved(verdict)
    return Diagnosis(kind, (), sentence + _accepted(verdict), change)


def _accepted(verdict: Verdict) -> str:
    """Say what would be an incident, and is none by a person's word."""
    said = dict.fromkeys(one.column or one.method for one in verdict.scores if is_accepted(one))
    return f"; what a person has accepted goes on: {_listed([*said])}" if said else ""


def _changed(verdict: Verdict, change: Change | None) -> tuple[DiagnosisKind, str] | None:
    """Diagnose a fall, or a relation that has changed; None where there is neither."""
    drifted = verdict.checks[Check.DRIFT] is Status.BREACH or bool(_together(verdict))
    fallen = verdict.checks[Check.PERFORMANCE] is Status.BREACH
    if change is not None and change.is_concept:
        kept = "" if fallen else ", though performance is within its limit"
        sentence = f"the relation of inputs and outcome has changed{kept}: {change.sentence}"
        return DiagnosisKind.CONCEPT, sentence
    if not fallen:
        return None
    if change is not None and change.is_explained:
        sentence = "the inputs have moved to where the model is weaker"
        return DiagnosisKind.COVARIATE, f"{sentence}: {change.sentence}"
    tested = _untested(verdict) if change is None else f"not told apart: {change.sentence}"
    if drifted:
        sentence = "the inputs have moved and performance has fallen"
        return DiagnosisKind.COVARIATE, f"{sentence}; {tested}"
    sentence = "performance has fallen though most inputs look as before"
    return DiagnosisKind.CONCEPT, f"{sentence}; {tested}"


def _untested(verdict: Verdict) -> str:
    """Say that covariate and concept drift were not told apart, and why."""
    details = [s.detail for s in verdict.scores if s.check is Check.ESTIMATE and s.value is None]
    why = f" ({details[0]})" if details and details[0] else ""
    return f"whether their relation to the outcome changed is not tested{why}"


def _together(verdict: Verdict) -> str:
    """Say which columns come together otherwise than before; empty where none do."""
    beyond = Status.WARNING, Status.BREACH
    scores = [s for s in verdict.scores if s.check is Check.MULTIVARIATE and s.status in beyond]
    return scores[0].detail or "what comes together has changed" if scores else ""


def _far_out(verdict: Verdict) -> str:
    """Name the columns with numbers far out of range that may be drift; empty without any."""
    warned = [
        score.column
        for score in verdict.scores
        if score.method == OUT_OF_RANGE and score.status is Status.WARNING
    ]
    return f"values of {_listed(warned)} lie far outside the reference's range" if warned else ""


def _moved(verdict: Verdict) -> tuple[DiagnosisKind, str]:
    """Diagnose inputs that moved while performance has not fallen, or is not known."""
    if verdict.checks[Check.DRIFT] is Status.BREACH:
        parts = ["the inputs have moved", _far_out(verdict), _together(verdict)]
        return DiagnosisKind.COVARIATE, "; ".join(part for part in parts if part)
    if verdict.checks[Check.ESTIMATE] is Status.BREACH:
        # It answers to nothing but inputs that move to where the model is weak.
        sentence = "the inputs have moved to where performance is estimated to be worse"
        return DiagnosisKind.COVARIATE, sentence
    return DiagnosisKind.NONE, f"nothing stands out{_unconfirmed(verdict)}"


def _unconfirmed(verdict: Verdict) -> str:
    """Say what moved and opens no alert, so that its silence has a reason, too."""
    far_out = _far_out(verdict)
    if far_out:
        return f"; {far_out}, as far as such a column moves by itself"
    drift = [s for s in verdict.scores if s.check is Check.DRIFT and s.column]
    together = _together(verdict)
    if together:
        return f"; no column has moved enough by itself for an alert, and {together}"
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


def _at_once(findings: Sequence[Finding]) -> str:
    """Say that columns broke together: they come from one source."""
    since = Counter(one.since for one in findings if one.column and one.since is not None)
    start, n_columns = max(since.items(), key=lambda one: one[1], default=(None, 0))
    if start is None or n_columns < 2:  # noqa: PLR2004 - one alone is not together
        return ""
    return f"; {n_columns} columns since the same row: look at what they have in common"


def _leading(scores: list[Score]) -> list[Score]:
    """Keep one score a column, that which says most: a column that did not arrive is not also
    reported as null, nor one in other units as out of range.
    """
    first: dict[str, Score] = {}
    for score in sorted(scores, key=_says_least):
        first.setdefault(score.column or score.method, score)
    signs = {score.method for score in first.values() if score.column}
    if signs:  # rows without a column's values look alike
        first.pop(STALE, None)
    if signs - {MISSING}:  # of those that miss values the others were compared
        first.pop(REPEATED, None)
    return list(first.values())


def _says_least(score: Score) -> int:
    if score.method.startswith("schema_"):
        return 0
    return 2 if score.method in OF_VALUES else 1


def _finding(score: Score, broken: Break | None) -> Finding:
    column = score.column or ""
    sentence = _SENTENCES[score.method].format(
        column=column,
        value=score.value or 0.0,
        before=score.reference_value or 0.0,
        what=score.detail,
    )
    if broken is None or broken.since is None:
        return Finding(column, score.method, sentence)
    sentence += f" since {broken.since:%Y-%m-%d %H:%M} UTC, {broken.n_rows:,} rows"
    return Finding(column, score.method, sentence, broken.name, broken.since, broken.n_rows)
