"""Held: scores of a whole model beside their limits, in words."""

from collections.abc import Mapping
from typing import Any

from dashboards.pages.phrase import number

Document = Mapping[str, Any]


def slow_fall(window: Document) -> str:
    """Say what the control chart has added up, or why there is none; empty where nobody asked.

    Examples
    --------
    >>> note = "ROC AUC 0.021 worse than the reference on average of 3 windows"
    >>> slow_fall({"slow_fall": {"value": 3.0, "threshold": 4.5, "note": note}})
    'Slow fall: the control chart stands at 3 of 4.5: ROC AUC 0.021 worse than the reference on average of 3 windows.'
    >>> slow_fall({"slow_fall": {"value": 0.0, "threshold": 4.5, "note": ""}})
    'Slow fall: the control chart stands at 0 of 4.5.'
    """  # noqa: E501 - one sentence
    held = window["slow_fall"]
    if held is None:
        return ""
    if held["value"] is None:
        return f"Slow fall: {held['note']}."
    note = f": {held['note']}" if held["note"] else ""
    of = f" of {number(held['threshold'])}" if held["threshold"] is not None else ""
    return f"Slow fall: the control chart stands at {number(held['value'])}{of}{note}."


def together(window: Document) -> str:
    """Say how columns come together now, or why that was not asked; empty where nobody did.

    Examples
    --------
    >>> together({"multivariate": {"value": 0.52, "threshold": 0.55, "note": ""}})
    "Rows are told from the reference's by what comes together with a ROC AUC of 0.520, its limit 0.550."
    >>> together({"multivariate": {"value": None, "threshold": None, "note": "uncalibrated"}})
    'Not compared: uncalibrated.'
    """  # noqa: E501 - one sentence
    held = window["multivariate"]
    if held is None:
        return ""
    if held["value"] is None:
        return f"Not compared: {held['note']}."
    note = f": {held['note']}" if held["note"] else ""
    return (
        "Rows are told from the reference's by what comes together with a ROC AUC of "
        f"{number(held['value'])}, its limit {number(held['threshold'])}{note}."
    )
