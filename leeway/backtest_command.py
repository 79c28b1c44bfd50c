"""The backtest command: what was asked, and what came out, as a table and as JSON."""

import json
from datetime import timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from leeway.backtest import Asked, Document, backtest, policies
from leeway.config_file import load_config
from leeway.config_values import Duration
from leeway.demo.run import progress_bar
from monitor.checks.performance import METRICS
from monitor.errors import ConfigError


def run_backtest(
    config: Path,
    data: Path,
    model: str | None,
    compare: str,
    label_lag: str,
    json_file: Path | None,
) -> None:
    """Replay a history and print what each policy reached.

    Raises
    ------
    ConfigError, SchemaError
        If an option, leeway.yaml or the history cannot be used.
    """
    console = Console(highlight=False)
    asked = Asked(config, _model(config, model), data, policies(compare), _duration(label_lag))
    with progress_bar(console) as tell:
        document = backtest(asked, tell)
    for note in document["notes"]:
        console.print(note)
    console.print(_table(document))
    if json_file is not None:
        json_file.write_text(json.dumps(document, indent=1, default=str))


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
    table = Table("policy", f"mean {title}", "worst", "promotions", "fits", "alerts", box=None)
    for policy in document["policies"]:
        numbers = (policy["mean"], policy["worst"])
        shown = ("no labels" if value is None else f"{value:.4f}" for value in numbers)
        counts = (str(policy[name]) for name in ("promotions", "fits", "alerts"))
        table.add_row(policy["name"], *shown, *counts)
    return table
