"""Undoing: what a broken feed may have done to numbers, and how it is taken back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.columns import FloatArray


@dataclass(frozen=True)
class Undoing:
    """One way in which numbers break.

    Parameters
    ----------
    sign : str
        Its kind: scale, sign or units.
    name : str
        What was done, in words.
    take_back : callable
        The inverse.
    slope : float
        What a step of one has become.
    size : float
        How many times as large, or as small, values are; without a bound for the sign.
    least, most : float
        What the values may have been: a line with a shift fits too much that is no temperature.
    """

    sign: str
    name: str
    take_back: Callable[[FloatArray], FloatArray]
    slope: float
    size: float
    least: float = -np.inf
    most: float = np.inf


MAX_POWER = 6

FACTORS: tuple[tuple[float, str, str], ...] = (
    (1.609344, "miles", "kilometres"),
    (1.852, "nautical miles", "kilometres"),
    (1.943844, "metres per second", "knots"),
    (2.204623, "kilograms", "pounds"),
    (2.236936, "metres per second", "miles per hour"),
    (2.54, "inches", "centimetres"),
    (3.28084, "metres", "feet"),
    (3.6, "metres per second", "kilometres per hour"),
    (3.785412, "gallons", "litres"),
    (6.894757, "psi", "kilopascals"),
    (24.0, "days", "hours"),
    (25.4, "inches", "millimetres"),
    (28.349523, "ounces", "grams"),
    (33.863886, "inches of mercury", "hectopascals"),
    (57.29578, "radians", "degrees"),
    (60.0, "minutes", "seconds (or hours, minutes)"),
    (3600.0, "hours", "seconds"),
)
"""A number of the first unit times the factor is one of the second. NIST SP 811, appendix B.
None is below 1.5: what drifts by a third is not told from it."""


TEMPERATURES = {
    "Celsius": (-100.0, 300.0),
    "Fahrenheit": (-148.0, 572.0),
    "Kelvin": (173.15, 573.15),
}
"""From the coldest air to an oven."""


def _of_factor(factor: float, sign: str, name: str) -> Undoing:
    return Undoing(sign, name, lambda values: values / factor, factor, max(factor, 1 / factor))


def _of_line(slope: float, shift: float, name: str) -> Undoing:
    size, bounds = max(slope, 1 / slope), TEMPERATURES[name.rsplit(maxsplit=1)[-1]]
    return Undoing("units", name, lambda values: (values - shift) / slope, slope, size, *bounds)


def _undoings() -> tuple[Undoing, ...]:
    powers = [power for power in range(-MAX_POWER, MAX_POWER + 1) if power]
    found = [
        _of_factor(10.0**p, "scale", f"{'times' if p > 0 else 'divided by'} {10 ** abs(p):,}")
        for p in powers
    ]
    found.append(Undoing("sign", "the other sign", np.negative, 1.0, np.inf))
    for factor, small, large in FACTORS:
        found.append(_of_factor(factor, "units", f"{large} for {small}"))
        found.append(_of_factor(1 / factor, "units", f"{small} for {large}"))
    found += [
        _of_line(1.8, 32.0, "Fahrenheit for Celsius"),
        _of_line(1 / 1.8, -32 / 1.8, "Celsius for Fahrenheit"),
        _of_line(1.0, 273.15, "Kelvin for Celsius"),
        _of_line(1.0, -273.15, "Celsius for Kelvin"),
        _of_line(1.8, -459.67, "Fahrenheit for Kelvin"),
        _of_line(1 / 1.8, 459.67 / 1.8, "Kelvin for Fahrenheit"),
    ]
    return tuple(found)


UNDOINGS = _undoings()
