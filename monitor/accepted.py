"""Accepted: what was found of columns, and a person has said is right."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from monitor.checks.quality import MISSING, OUT_OF_RANGE
from monitor.checks.score import Check, Score, Status
from monitor.verdict import score_status

Sign = tuple[str | None, str, str]
"""Column, or None where it is whole rows; method of the score; what was done, where it tells."""

Accepted = Mapping[Sign, str]
"""Why a person has closed the incident that a sign was of."""

_TELLING = frozenset({"scale", "units", "sign", "swap"})
"""Methods whose words tell one break from another: a second factor is another break. What a column
stands still at, or how many of its values are filled in, differs from window to window."""

_SHOWN_AS = {
    **dict.fromkeys(("schema_missing", "schema_retyped"), MISSING),
    **dict.fromkeys(("spelling", "renamed"), "unseen"),
    **dict.fromkeys((*_TELLING, "fill"), OUT_OF_RANGE),
}
"""How the values of a column look for what was done to it. A break begins within a window, in which
they may be few; in the next one they are many."""

_WORD = "accepted by a person: "


def signs_of(column: str | None, method: str, detail: str) -> tuple[Sign, ...]:
    """Return by what a break is known again, of what its score says.

    Examples
    --------
    >>> signs_of("y", "scale", "times 1,000")
    (('y', 'scale', 'times 1,000'), ('y', 'out_of_range', ''))
    >>> signs_of("y", "missing", "")
    (('y', 'missing', ''),)
    """
    sign = column, method, detail if method in _TELLING else ""
    return (sign, (column, _SHOWN_AS[method], "")) if method in _SHOWN_AS else (sign,)


def accept(scores: Iterable[Score], accepted: Accepted) -> list[Score]:
    """Take the limit from what is beyond it and accepted, however far beyond, and note why.

    Parameters
    ----------
    scores : iterable of Score
        What was found. Not judged yet.
    accepted : mapping of Sign to str
        What a person has said is right.

    Examples
    --------
    >>> from monitor.checks.score import BreachWhen
    >>> found = Score(Check.QUALITY, "g", "missing", 1.0, 0.1, BreachWhen.ABOVE, 9, 9)
    >>> (score,) = accept([found], {("g", "missing", ""): "the depot has closed"})
    >>> score.threshold, score.detail
    (None, 'accepted by a person: the depot has closed')
    """
    return [_accept(score, accepted) for score in scores]


def _accept(score: Score, accepted: Accepted) -> Score:
    why = accepted.get(signs_of(score.column, score.method, score.detail)[0])
    is_beyond = score.check is Check.QUALITY and score_status(score) is Status.BREACH
    if why is None or not is_beyond:
        return score
    noted = f"{score.detail}; {_WORD}{why}" if score.detail else f"{_WORD}{why}"
    return replace(score, threshold=None, detail=noted)


def is_accepted(score: Score) -> bool:
    """Say whether a score would be beyond its limit if a person had not accepted it."""
    return score.check is Check.QUALITY and _WORD in score.detail
