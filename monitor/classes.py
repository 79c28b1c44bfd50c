"""Classes: labels that mean the same class under one name."""

import re

from monitor.columns import class_name

_TRUTH = {"0": False, "1": True, "false": False, "true": True}
_ZERO_DECIMALS = re.compile(r"\.0+$")


def as_class(value: object, classes: tuple[str, ...]) -> str:
    """Name a label as the schema's classes do: 1 is ``"true"`` where they are true and false.

    Examples
    --------
    >>> as_class(True, ("0", "1")), as_class(0, ("false", "true")), as_class("x", ("0", "1"))
    ('1', 'false', 'x')
    >>> as_class("1.0", ("0", "1")), as_class("TRUE", ("false", "true"))
    ('1', 'true')
    """
    name = class_name(value)
    # A CSV of whole numbers has "1.0" as soon as one of them is missing.
    whole = name if name in classes else _ZERO_DECIMALS.sub("", name)
    if whole in classes:
        return whole
    truth = _TRUTH.get(whole.lower())
    same = (c for c in classes if truth is not None and _TRUTH.get(c.lower()) is truth)
    return next(same, name)
