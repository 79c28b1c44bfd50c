"""Comparison text: what a person reads of a comparison, on a terminal or in a file."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leeway.comparison.comparison import Comparison
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.verdict import excess

COLOURS = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.BREACH: "bold red",
    Status.ERROR: "bold magenta",
    Status.NO_DATA: "dim",
}
WIDE = 80
"""From this width on there is room for the kind of each column."""

UNBROKEN = ("status", "method", "metric", "score")
NARROWEST = 8

PIPE_WIDTH = 200
"""A pipe has no edge to fit to."""


def terminal() -> Console:
    """Return where to print: colours only on a terminal, no edge elsewhere."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def print_comparison(found: Comparison, console: Console) -> None:
    """Print a comparison: the sentence, what breached, the rest, and the notes."""
    colour = COLOURS[found.status]
    console.print(Text(found.sentence, style=colour), soft_wrap=True)
    console.print(f"{found.n_reference:,} reference rows, {found.n_current:,} current rows")
    for title, table in _tables(found, is_wide=console.width >= WIDE):
        console.print()
        console.print(Text(title, style="bold"))
        console.print(table)
    if found.notes:
        console.print()
        console.print(Text("Notes", style="bold"))
    for note in found.notes:
        console.print(f"- {note}", soft_wrap=True)


def _tables(found: Comparison, *, is_wide: bool) -> Iterator[tuple[str, Table]]:
    if found.columns:
        yield "Drift", _drift(found, is_wide=is_wide)
    broken = found.verdict.breached(Check.QUALITY)
    if broken:
        yield "Not what the reference had", _quality(broken)
    if found.performance:
        yield "Performance", _performance(found)


def by_excess(found: Comparison) -> list[Score]:
    """Order the columns: those beyond their threshold, those without a score, the rest."""
    breached = found.verdict.breached(Check.DRIFT)
    unscored = [score for score in found.columns if score.value is None]
    rest = [score for score in found.columns if score.status is Status.OK]
    return [*breached, *unscored, *sorted(rest, key=excess, reverse=True)]


def _drift(found: Comparison, *, is_wide: bool) -> Table:
    table = _table(
        "status", "column", *(["kind"] if is_wide else []), "method", "score", "drifts at"
    )
    for score in by_excess(found):
        kind = [score.kind.value] if is_wide and score.kind else []
        limit = _limit(score)
        table.add_row(*_start(score), *kind, score.method, _number(score.value), limit)
    return table


def _quality(broken: list[Score]) -> Table:
    table = _table("status", "column", "share of rows", "reference", "now", "at most")
    for score in broken:
        before = score.reference_value
        table.add_row(
            *_start(score),
            score.method.replace("_", " "),
            # Only missing values are counted there: no level of the reference is new to it.
            "-" if before is None else _number(before),
            _number(score.value),
            _number(score.threshold),
        )
    return table


def _performance(found: Comparison) -> Table:
    table = _table("status", "metric", "reference", "now", "breaches at")
    for score in found.performance:
        before = found.reference_performance.get(score.method)
        table.add_row(
            "" if score.threshold is None else _status(score),
            score.method,
            _with_error(before.value, before.standard_error) if before else "-",
            _with_error(score.value, score.standard_error),
            _limit(score),
        )
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        # Columns' names have no bound: where there is little room they break, and stay readable.
        least = NARROWEST if name == "column" else None
        table.add_column(name, no_wrap=name in UNBROKEN, overflow="fold", min_width=least)
    return table


def _start(score: Score) -> tuple[Text, Text]:
    return _status(score), Text(str(score.column))


def _status(score: Score) -> Text:
    assert score.status is not None
    return Text(score.status.value, style=COLOURS[score.status])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _with_error(value: float | None, error: float | None) -> str:
    return _number(value) if error is None else f"{_number(value)} ± {error:.2g}"


def _limit(score: Score) -> str:
    if score.threshold is None:
        return "-"
    sign = "≥" if score.breach_when is BreachWhen.ABOVE else "<"
    return f"{sign} {_number(score.threshold)}"
