"""Tables: the figures in Markdown, for somebody who sees them the first time."""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from peers.contender import (
    BOTH,
    CONTENDERS,
    CURRENT,
    PRESET,
    READ_BOTH,
    READ_CURRENT,
    Contender,
)
from peers.figure import Figure, Figures, Size, good

NOTES = """\
Two tables of equal length are compared column by column: 60 % floats (some with missing values),
20 % whole numbers, 20 % texts, the current rows shifted a little. Each figure is from a process of
its own, without the start of Python, imports and a first run on 2000 rows. CPU seconds are of all
threads; fast work is repeated and the least counts. *Peak* is the memory of the whole process
(RSS) during the work, *work* the part of it that was not there right before the work. Where no
file is named both tables are in memory already and reading them is not counted; files are read
column by column and are in the system's cache. BLAS has one thread.

Not everybody computes the same. Evidently and Leeway: Wasserstein distance in standard deviations,
Jensen-Shannon distance for texts and for few-valued numbers. SciPy and NannyML: the same two,
few-valued numbers by Wasserstein distance; NannyML also compares the reference with itself when it
is fitted; its estimate puts values into 10 000 bins. Frouros: Wasserstein distance, and a
chi-square test for texts. whylogs has no Wasserstein distance: Kolmogorov-Smirnov and chi-square,
estimated from sketches."""

Row = Sequence[str]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a Markdown table: the first column left, the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def times(ratio: float) -> str:
    """Write a ratio with two or three digits that matter.

    Examples
    --------
    >>> [times(ratio) for ratio in (0.0456, 1.0, 21.3, 1234.5)]
    ['0.046x', '1.0x', '21x', '1234x']
    """
    tens, one = 9.95, 0.095
    digits = 0 if ratio >= tens else 1 if ratio >= one else 3
    return f"{ratio:.{digits}f}x"


def seconds(value: float) -> str:
    """Write seconds to three digits, however many there are."""
    return f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:.0f}"  # noqa: PLR2004 - digits


def measured(figures: Figures, sizes: Sequence[Size]) -> list[Contender]:
    """Return the contenders that were asked for, in their order."""
    return [each for each in CONTENDERS if any((size, each) in figures for size in sizes)]


def less(figures: Figures, size: Size, figure: Figure, quantity: str) -> str:
    """Say how many times less of a quantity was taken than by the preset."""
    preset = good(figures, size, PRESET)
    value = attrgetter(quantity)
    return times(value(preset) / value(figure)) if preset else "-"


def overview(figures: Figures, sizes: Sequence[Size]) -> str:
    """Return, for each contender and size, how many times less CPU than the preset it took."""
    compared = [size for size in sizes if good(figures, size, PRESET)]
    rows = [
        [contender.label, *(_overview_cell(figures, size, contender) for size in compared)]
        for contender in measured(figures, compared)
    ]
    title = "## How many times less CPU than Evidently's preset\n\n"
    if not compared:
        return title + "The preset has no figure in this run."
    return title + table(["rows x columns", *map(str, compared)], rows)


def _overview_cell(figures: Figures, size: Size, contender: Contender) -> str:
    figure = good(figures, size, contender)
    return less(figures, size, figure, "cpu_seconds") if figure else "failed"


def beside_reading(figures: Figures, sizes: Sequence[Size]) -> str:
    """Return what comparing costs as a multiple of reading the same files."""
    pairs = {
        "reference prepared, current read and scored": (CURRENT, READ_CURRENT),
        "both read and scored, nothing prepared": (BOTH, READ_BOTH),
    }
    rows = [
        [f"{label}, {unit}", *(_multiple(figures, size, *pair, quantity) for size in sizes)]
        for label, pair in pairs.items()
        for unit, quantity in (("CPU", "cpu_seconds"), ("wall time", "wall_seconds"))
    ]
    if not any(set(row[1:]) - {"-"} for row in rows):
        return ""
    return (
        "## Leeway: how many times as much as reading the same files and doing nothing with them"
        f"\n\n{table(['rows x columns', *map(str, sizes)], rows)}"
    )


def _multiple(
    figures: Figures, size: Size, contender: Contender, reading: Contender, quantity: str
) -> str:
    figure, base = good(figures, size, contender), good(figures, size, reading)
    value = attrgetter(quantity)
    return times(value(figure) / value(base)) if figure and base else "-"


def details(figures: Figures, size: Size) -> str:
    """Return everything about one size."""
    head = ["", "CPU s", "wall s", "peak MiB", "work MiB"]
    head += ["less CPU", "less wall time", "less memory (peak)"]
    rows = list(_detail_rows(figures, size))
    return f"## {size}\n\n{table(head, rows)}"


def _detail_rows(figures: Figures, size: Size) -> Iterator[Row]:
    for contender in measured(figures, [size]):
        figure = figures[size, contender]
        if figure.failure:
            yield [contender.label, f"failed: {figure.failure}", *[""] * 6]
            continue
        ratios = ("cpu_seconds", "wall_seconds", "peak_mebibytes")
        yield [
            contender.label,
            seconds(figure.cpu_seconds),
            seconds(figure.wall_seconds),
            f"{figure.peak_mebibytes:.0f}",
            f"{max(0.0, figure.peak_mebibytes - figure.idle_mebibytes):.0f}",
            *(less(figures, size, figure, quantity) for quantity in ratios),
        ]


def document(figures: Figures, sizes: Sequence[Size], agreed: str) -> str:
    """Return all tables."""
    explained = "Below, *less* means how many times less than Evidently's preset at the same size."
    parts = [NOTES, agreed, overview(figures, sizes), beside_reading(figures, sizes), explained]
    parts += [details(figures, size) for size in sizes]
    return "\n\n".join(part for part in parts if part)
