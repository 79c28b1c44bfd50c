"""The backtest command: what was asked, and what came out, as a table, as JSON and as a page."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Column, Table

from dashboards.pages.replays import Compared, Replay, replays_page
from leeway.backtest.policy import policies
from leeway.backtest.run import Asked, Backtest, Document, backtest
from leeway.config_file import load_config
from leeway.config_values import Duration
from leeway.demo.run import progress_bar
from monitor.checks.performance import METRICS
from monitor.errors import ConfigError

COSTS = {
    "promotions": "promoted",
    "rollbacks": "rolled\nback",
    "fits": "fits",
    "retrain_cpu_seconds": "retrain\nCPU s",
    "alerts": "alerts",
}
"""What a policy costs, by its fact, as the table calls it: narrow, for 80 columns."""


@dataclass(frozen=True)
class Written:
    """Where a backtest's findings go, and its replays; None is nowhere.

    Parameters
    ----------
    json_file, html_file : Path or None
        The facts, and the page.
    folder : Path or None
        The replays, which are kept there for good; None drops them at the end.
    """

    json_file: Path | None
    html_file: Path | None
    folder: Path | None


def run_backtest(
    config: Path, data: Path, model: str | None, compare: str, label_lag: str, written: Written
) -> None:
    """Replay a history and print what each policy reached.

    Raises
    ------
    ConfigError, SchemaError
        If an option, leeway.yaml or the history cannot be used.
    StoppedError
        If it is interrupted.
    """
    console = Console(highlight=False)
    asked = Asked(config, _model(config, model), data, policies(compare), _duration(label_lag))
    with progress_bar(console) as tell:
        found = backtest(asked, tell, written.folder)
    for note in found.document["notes"]:
        console.print(note)
    console.print(_table(found.document))
    if written.json_file is not None:
        written.json_file.write_text(json.dumps(found.document, indent=1, default=str))
    if written.html_file is not None:
        written.html_file.write_text(_page(asked, found), encoding="utf-8")


def _model(config: Path, model: str | None) -> str:
    names = list(load_config(config).models)
    if model is None and len(names) == 1:
        return names[0]
    if model not in names:
        found = "several models are configured" if model is None else f"found {model!r}"
        raise ConfigError(
            "command line", "--model", f"expected one of {', '.join(names)} ({found})"
        )
    return model


def _duration(text: str) -> timedelta:
    try:
        return TypeAdapter[timedelta](Duration).validate_python(text)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError("command line", "--label-lag", f"{message} (found {text!r})") from error


def _table(document: Document) -> Table:
    title = METRICS[document["metric"]].title
    reached = (f"mean\n{title}", f"better\nthan {document['compared_with']}", "worst\nwindow")
    table = Table(Column("policy", min_width=len("configured")), box=None, pad_edge=False)
    for heading in (*reached, *COSTS.values()):
        table.add_column(heading, justify="right")
    for policy in document["policies"]:
        numbers = (policy["mean"], policy["gain"], policy["worst"])
        shown = ("no labels" if value is None else f"{value:.4f}" for value in numbers)
        table.add_row(policy["name"], *shown, *(str(policy[name]) for name in COSTS))
    return table


def _page(asked: Asked, found: Backtest) -> str:
    document = found.document
    compared = Compared(
        asked.model,
        asked.data.name,
        document["metric"],
        document["bigger_is_better"],
        document["compared_with"],
        document["notes"],
        datetime.now(UTC),
    )
    return replays_page(compared, [Replay(**vars(one)) for one in found.replays])
