"""Figures: what one contender took for one case, or why there is nothing to say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from typing import Any

from peers.contender import BARE, OURS, Contender

TOLERANCE = 1e-9
"""Largest relative difference at which two scores are taken for the same."""


@dataclass(frozen=True)
class Size:
    """Rows of each side, and columns."""

    rows: int
    columns: int

    def __str__(self) -> str:
        big = self.rows % 1_000_000 == 0
        rows = f"{self.rows // 1_000_000}M" if big else f"{self.rows / 1000:g}k"
        return f"{rows} x {self.columns}"


@dataclass(frozen=True)
class Figure:
    """What one contender took for one size.

    Parameters
    ----------
    failure : str
        Why there is no figure; empty when there is one.
    cpu_seconds, wall_seconds : float
        The least of `runs` runs, without start, imports and what is prepared beforehand.
    peak_mebibytes, idle_mebibytes : float
        Memory of the process (RSS): the peak during the work, and right before it.
    process_cpu_seconds, process_peak_mebibytes : float
        Of the whole process, from its start to its end, as the system counted them.
    scores : mapping of str to float
        Column to score.
    versions : mapping of str to str
        Package to version.
    """

    size: Size
    contender: Contender
    failure: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_mebibytes: float = 0.0
    idle_mebibytes: float = 0.0
    runs: int = 0
    process_cpu_seconds: float = 0.0
    process_peak_mebibytes: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the figure for JSON."""
        values = asdict(self)
        del values["size"], values["contender"]
        return {**asdict(self.size), "contender": self.contender.name, **values}


Figures = Mapping[tuple[Size, Contender], Figure]
"""The figures there are, failed ones included."""


def good(figures: Figures, size: Size, contender: Contender) -> Figure | None:
    """Return a figure unless it failed or was not measured."""
    figure = figures.get((size, contender))
    return None if figure is None or figure.failure else figure


def difference(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """Return the largest relative difference of two sets of scores; one that is missing is inf."""
    if ours.keys() != theirs.keys():
        return math.inf
    found = (abs(ours[name] - score) / max(abs(score), 1e-300) for name, score in theirs.items())
    return max(math.inf if math.isnan(each) else each for each in found)


def agreement(figures: Figures, sizes: Sequence[Size]) -> tuple[str, bool]:
    """Compare our scores with Evidently's bare functions, and say what was found."""
    found = {
        (size, contender): difference(ours.scores, theirs.scores)
        for size in sizes
        for contender in OURS
        if (ours := good(figures, size, contender)) and (theirs := good(figures, size, BARE))
    }
    if not found:
        return "Scores were not checked: that needs both Leeway and Evidently's functions.", True
    (size, contender), worst = max(found.items(), key=itemgetter(1))
    checked = ", ".join(dict.fromkeys(str(size) for size, _ in found))
    same = (
        f"Checked in this run: on every column of {checked} Leeway's score equals that of "
        f"Evidently's function, each way; the largest relative difference is {worst:.0e}."
    )
    differ = f"**The scores differ** by {worst:.0e}: {size}, {contender.name}."
    return (same, True) if worst <= TOLERANCE else (differ, False)
