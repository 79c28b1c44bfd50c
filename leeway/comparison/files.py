"""Compare files: two files in; a table, JSON and Evidently's page out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leeway.comparison.comparing import Question, compare_columns, open_current
from leeway.comparison.text import print_comparison, terminal
from monitor.adapters.column_files import open_columns
from monitor.checks.score import Status
from monitor.errors import ConfigError


@dataclass(frozen=True)
class Outputs:
    """Files to write; None writes none."""

    json: Path | None = None
    html: Path | None = None


def compare_files(
    reference: Path,
    current: Path,
    outputs: Outputs,
    *,
    target: str | None = None,
    prediction: str | None = None,
    columns: Sequence[str] | None = None,
) -> Status:
    """Compare two files, print what was found and write it; returns what it amounts to.

    Raises
    ------
    ConfigError
        If a file cannot be written where it was asked for.
    SchemaError
        If a file cannot be read, or has no such column.
    """
    for option, path in (("--json", outputs.json), ("--html", outputs.html)):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise ConfigError("command line", option, f"{path} cannot be written: no such folder")
    question = Question(target, prediction, columns=columns)
    console = terminal()
    with open_columns(reference) as before, open_current(current, before) as after:
        found = compare_columns(before, after, question)
        print_comparison(found, console)
        if outputs.json:
            text = json.dumps(found.to_dict(), indent=2, allow_nan=False)
            outputs.json.write_text(text + "\n", encoding="utf-8")
        if outputs.html:
            # Evidently takes seconds to import.
            from leeway.comparison.report import render_report  # noqa: PLC0415

            report = render_report(found, before, after, every_column=columns is not None)
            outputs.html.write_text(report.html, encoding="utf-8")
            console.print()
            console.print(f"{outputs.html}: {report.sentence}", soft_wrap=True)
    return found.status
