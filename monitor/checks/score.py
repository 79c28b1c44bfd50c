"""Score: the number a check gives, and which way is bad."""

from dataclasses import dataclass
from enum import StrEnum

from monitor.schema import Kind


class Status(StrEnum):
    """What a score or a whole window amounts to; absence is a status too."""

    OK = "OK"
    WARNING = "WARNING"
    BREACH = "BREACH"
    NO_DATA = "NO_DATA"
    ERROR = "ERROR"

    @property
    def code(self) -> int:
        """The number exported as ``leeway_check_status``."""
        return ("OK", "WARNING", "BREACH", "NO_DATA", "ERROR").index(self)


_BY_WEIGHT = (Status.OK, Status.NO_DATA, Status.WARNING, Status.ERROR, Status.BREACH)


def worst(statuses: list[Status]) -> Status:
    """Return the weightiest: BREACH > ERROR > WARNING > NO_DATA > OK; nothing is NO_DATA.

    Examples
    --------
    >>> worst([Status.OK, Status.WARNING, Status.NO_DATA])
    <Status.WARNING: 'WARNING'>
    """
    return max(statuses, key=_BY_WEIGHT.index, default=Status.NO_DATA)


class Check(StrEnum):
    """The questions put to a window."""

    DRIFT = "drift"
    QUALITY = "quality"
    PERFORMANCE = "performance"
    ESTIMATE = "estimate"
    MULTIVARIATE = "multivariate"


class BreachWhen(StrEnum):
    """On which side of the threshold a score is bad."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True)
class Score:
    """One number about one column, or about the whole window where column is None.

    Parameters
    ----------
    check : Check
        The question.
    column : str or None
        The column it was put to.
    method : str
        How the number was found: an Evidently method, ``missing``, or a metric's name.
    value : float or None
        The number; None when there is none, with the reason in `detail`.
    threshold : float or None
        The limit; None where a score is only shown.
    breach_when : BreachWhen
        The bad side of the threshold.
    n_reference, n_current : int
        How many values were compared on each side.
    kind : Kind or None
        How the column is compared.
    standard_error : float or None
        Sampling error of `value`, in its unit.
    reference_value : float or None
        The same number on the reference, where it exists.
    status : Status or None
        Set by `monitor.verdict.judge`, and nowhere else.
    level : str or None
        The segment: the rows in which `column` has this level; None for the whole window.
    detail : str
        A sentence for a person: what failed, or what stands out.
    failed : bool
        True when the check itself crashed.
    rank : int or None
        Place among the columns that moved, 1 for the one that matters most; set by
        `monitor.ranking`.
    """

    check: Check
    column: str | None
    method: str
    value: float | None
    threshold: float | None
    breach_when: BreachWhen
    n_reference: int
    n_current: int
    kind: Kind | None = None
    standard_error: float | None = None
    reference_value: float | None = None
    status: Status | None = None
    level: str | None = None
    detail: str = ""
    failed: bool = False
    rank: int | None = None
