"""Estimated: performance without labels, in words."""

from collections.abc import Mapping
from typing import Any

from dashboards.pages.phrase import counted, metric_title, number
from monitor.change import Change
from monitor.track_record import TrackRecord

Document = Mapping[str, Any]

BLIND = (
    "Estimates assume that the relation of inputs and outcome is what it was: they cannot see "
    "concept drift."
)
"""Stands wherever estimates are shown."""


def estimated(window: Document) -> str:
    """Say what was estimated of a window, or why nothing was; empty where nobody asked.

    Examples
    --------
    >>> told = {"metric": "mae", "value": 2.0, "lower": 1.5, "upper": 2.5, "note": ""}
    >>> estimated({"estimate": told})
    'estimated MAE 2, 95 % band 1.5 to 2.5'
    >>> estimated({"estimate": {"metric": "mae", "value": None, "note": "not estimated: too few"}})
    'not estimated: too few'
    """
    told = window["estimate"]
    if told is None:
        return ""
    if told["value"] is None:
        return str(told["note"])
    band = f"95 % band {number(told['lower'])} to {number(told['upper'])}"
    return f"estimated {metric_title(told['metric'])} {number(told['value'])}, {band}"


def taken_apart(window: Document) -> str:
    """Say what of a change moved inputs explain, where the diagnosis does not say it already.

    Examples
    --------
    >>> parts = {"by_version": 0.0, "by_inputs": -0.01, "by_relation": 0.02, "z": -1.5}
    >>> change = {"metric": "accuracy", **parts, "least": 0.015, "is_concept": False}
    >>> print(taken_apart({"change": change, "diagnosis_sentence": "nothing stands out"}))
    of +0.010 accuracy against the reference -0.010 because inputs moved, +0.020 because their relation to the outcome changed (-1.5 standard errors, 2.33 count)
    """  # noqa: E501 - one sentence
    if window["change"] is None:
        return ""
    parts = {name: part for name, part in window["change"].items() if name != "is_concept"}
    said = Change(**parts).sentence
    return "" if said in window["diagnosis_sentence"] else said


def kept_promises(found: TrackRecord | None) -> str:
    """Say how good estimates were, by the windows whose labels have come.

    Examples
    --------
    >>> kept_promises(TrackRecord(n_windows=1, n_inside=1, mean_absolute_error=0.4))
    'In 1 window with an estimate and labels it was off by 0.400 on average, and in 1 of them what was measured lay in its 95 % band.'
    """  # noqa: E501 - one sentence
    if found is None:
        return "No window has both an estimate and its labels yet."
    return (
        f"In {counted(found.n_windows, 'window')} with an estimate and labels it was off by "
        f"{number(found.mean_absolute_error)} on average, and in {found.n_inside} of them what was "
        "measured lay in its 95 % band."
    )
