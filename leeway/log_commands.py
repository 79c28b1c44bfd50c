"""The commands of the prediction log: ``leeway log``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeway.options import DEFAULT_CONFIG, ConfigOption
from monitor.errors import NotFoundError

if TYPE_CHECKING:  # opening a deployment imports all there is: only when a command runs
    from leeway.deployment import Deployment

log = typer.Typer(help="The prediction log.", no_args_is_help=True)

FAILED = 3
"""Exit status when a file is not what was written."""


@contextmanager
def _opened(config: Path) -> Iterator["Deployment"]:
    from leeway.config import Environment  # noqa: PLC0415
    from leeway.deployment import opened  # noqa: PLC0415

    with opened(config, Environment()) as deployment:
        yield deployment


@log.command()
def stats(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show what is kept of each model: rows, files and their size, labels that wait."""
    from rich.table import Table  # noqa: PLC0415

    from leeway.console import out  # noqa: PLC0415

    names = ("model", "kind", "rows", "in the inbox", "files", "size", "waiting", "retired")
    table = Table(*names, box=None)
    with _opened(config) as deployment:
        for (model, kind), one in sorted(deployment.log.stats().items()):
            counts = (one.n_rows, one.n_inbox_rows, one.n_files)
            cells = [f"{count:,}" for count in counts]
            cells += [_size(one.n_bytes), f"{one.n_waiting:,}", f"{one.n_retired:,}"]
            table.add_row(model, kind, *cells)
    out.print(table)


@log.command()
def seal(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Move what the inbox holds to Parquet; a running server does it every minute."""
    with _opened(config) as deployment:
        typer.echo(f"{deployment.log.seal():,} rows were moved to files")


@log.command()
def verify(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Read every file against its checksum; exit status 3 and a line for each bad one."""
    with _opened(config) as deployment:
        n_files = sum(one.n_files for one in deployment.log.stats().values())
        problems = deployment.log.verify()
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        sys.exit(FAILED)
    typer.echo(f"{n_files:,} files are what was written")


@log.command()
def export(
    model: Annotated[str, typer.Argument(help="Name of the model in leeway.yaml.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; default: MODEL.parquet.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write all logged rows of a model, with their labels, to one Parquet file."""
    file = out or Path(f"{model}.parquet")
    with _opened(config) as deployment:
        if model not in deployment.config.models:
            raise NotFoundError("model", model)
        horizon = deployment.config.models[model].labels.horizon
        n_rows = deployment.log.export(model, file, horizon)
    typer.echo(f"{n_rows:,} rows of {model} are in {file}")


def _size(n_bytes: int) -> str:
    """Write a size for people.

    Examples
    --------
    >>> [_size(n) for n in (12, 34_500, 6_700_000_000)]
    ['12 B', '34.5 kB', '6.7 GB']
    """
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if n_bytes >= 10**power:
            return f"{n_bytes / 10**power:.1f} {unit}"
    return f"{n_bytes} B"
