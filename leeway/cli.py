"""The command line. Each command imports what it needs: help answers at once."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from leeway.grafana_commands import commands as grafana
from leeway.log_commands import log
from leeway.options import DEFAULT_CONFIG, ConfigOption, ModelArgument
from leeway.person_commands import by_hand
from monitor.errors import ConfigError, LeewayError, SchemaError

app = typer.Typer(
    help="Leeway watches deployed models, tells people, and retrains when that helps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
database = typer.Typer(help="The state database.", no_args_is_help=True)
app.add_typer(by_hand)
app.add_typer(database, name="db")
app.add_typer(log, name="log")
app.add_typer(grafana, name="grafana")

FINE, BREACHED, WRONG_USE, FAILED = 0, 1, 2, 3
"""Exit statuses."""


@app.command()
def demo(
    *,
    exit_when_told: Annotated[
        bool, typer.Option("--exit", help="End when the story is told; else the server stays up.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the facts of the replay to this file.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep the demo's data in this new folder.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the demo's server; 0 takes a free one.")] = 0,
) -> None:
    """Replay a year of real flights against a running server: the whole story in minutes."""
    from leeway.demo.run import run_demo  # noqa: PLC0415 - see the module's docstring

    run_demo(stay=not exit_when_told, json_file=json_file, folder=folder, port=port)


@app.command()
def init(  # noqa: PLR0913 - one option for each thing a person may know
    *,
    data: Annotated[Path, typer.Option("--data", help="Training-time rows, Parquet or CSV.")],
    target: Annotated[str, typer.Option(help="The column with the label.")],
    prediction: Annotated[
        str | None, typer.Option(help="The column with the prediction, if there is one.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column with the event time.")] = None,
    task: Annotated[
        str | None, typer.Option(help="binary, multiclass or regression; guessed if not given.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="Length of a window: P7D, or a number of rows.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write a commented leeway.yaml for a reference file, and say what was guessed."""
    from leeway.init import Wanted, write_config  # noqa: PLC0415

    wanted = Wanted(data, target, prediction, time, task, window, name)
    for line in write_config(wanted, config):
        typer.echo(line)


@app.command()
def compare(  # noqa: PLR0913 - one option for each thing a person may know
    reference: Annotated[Path, typer.Argument(help="Rows to compare with: Parquet, CSV or Arrow.")],
    current: Annotated[Path, typer.Argument(help="Rows to look at, in any of these formats.")],
    *,
    target: Annotated[str | None, typer.Option(help="The column with the label.")] = None,
    prediction: Annotated[
        str | None,
        typer.Option(help="The column with the prediction; with --target, compares performance."),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Compare only this column; may be repeated.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the scores to this file.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write Evidently's page of what drifted.")
    ] = None,
) -> None:
    """Compare two files, once, without a server; exit status 1 when they have drifted apart."""
    from leeway.comparison.files import Outputs, compare_files  # noqa: PLC0415

    outputs = Outputs(json_file, html_file)
    status = compare_files(
        reference, current, outputs, target=target, prediction=prediction, columns=column or None
    )
    sys.exit({"BREACH": BREACHED, "ERROR": FAILED, "NO_DATA": FAILED}.get(status, FINE))


@app.command()
def backtest(  # noqa: PLR0913 - options, all of them named
    *,
    data: Annotated[Path, typer.Option("--data", help="Labelled history: Parquet or CSV.")],
    config: ConfigOption = DEFAULT_CONFIG,
    model: Annotated[
        str | None, typer.Option(help="The model, where leeway.yaml has several.")
    ] = None,
    compare_with: Annotated[
        str, typer.Option("--compare", help="Policies: never, always, every:N, configured.")
    ] = "never,always,configured",
    label_lag: Annotated[
        str, typer.Option(help="How long after a window's end its labels come: P7D.")
    ] = "PT0S",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the facts to this file.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a page that shows them to this file.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the replays here, also when they have ended."),
    ] = None,
) -> None:
    """Replay a history through the whole loop under several policies, before going live."""
    from leeway.backtest.command import Written, run_backtest  # noqa: PLC0415

    written = Written(json_file, html_file, folder)
    run_backtest(config, data, model, compare_with, label_lag, written)


@app.command()
def serve(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; by default 8000, and none for a worker.")
    ] = None,
    role: Annotated[str, typer.Option(help="all, api, scheduler or worker.")] = "all",
) -> None:
    """Run the service."""
    from leeway.serve import run_server  # noqa: PLC0415

    run_server(config, host, port, role)


@app.command()
def check(model: ModelArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Judge now what is due; exit status 1 when a window breached."""
    from leeway.console import check_now  # noqa: PLC0415

    sys.exit(BREACHED if check_now(config, model) else FINE)


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show each model in a line."""
    from leeway.console import show_status  # noqa: PLC0415

    show_status(config)


@app.command()
def windows(model: ModelArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the windows of a model with their verdicts."""
    from leeway.console import show_windows  # noqa: PLC0415

    show_windows(config, model)


@app.command()
def why(model: ModelArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show, for each window, the stored reason for what was and was not done."""
    from leeway.console import show_reasons  # noqa: PLC0415

    show_reasons(config, model)


@app.command()
def versions(model: ModelArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the versions of a model; * marks the champion."""
    from leeway.console import show_versions  # noqa: PLC0415

    show_versions(config, model)


@database.command("upgrade")
def upgrade_database(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Bring the state database to the newest revision; `serve` does it by itself."""
    from leeway.console import upgrade_now  # noqa: PLC0415

    upgrade_now(config)


def _fail(status: int, message: str) -> NoReturn:
    typer.echo(f"leeway: {' '.join(message.split())}", err=True)
    sys.exit(status)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a known error is one line on stderr, and never a traceback."""
    try:
        app(arguments)
    except (ConfigError, SchemaError) as error:
        _fail(WRONG_USE, str(error))
    except (LeewayError, OSError) as error:
        _fail(FAILED, str(error))
