"""`leeway grafana`: what people watch, for a Prometheus and a Grafana of their own."""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from leeway.shipped_files import shipped

commands = typer.Typer(help="Dashboards and rules.", no_args_is_help=True)

PARTS = ("grafana", "prometheus")
ADDRESS_VARIABLE = "leeway"
"""The dashboards' variable that says where Leeway's own pages are."""


@commands.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; made where it is missing.")],
    *,
    url: Annotated[
        str | None, typer.Option(help="Where people reach Leeway's pages, for the links to them.")
    ] = None,
) -> None:
    """Write the Grafana dashboards and the Prometheus and Alertmanager files to a folder."""
    for part in PARTS:
        shutil.copytree(shipped(part), folder / part, dirs_exist_ok=True)
    boards = sorted((folder / "grafana" / "dashboards").glob("*.json"))
    if url is not None:
        for board in boards:
            point_at(url.rstrip("/"), board)
    typer.echo(f"{len(boards)} dashboards and the rules are in {folder}; see docs/grafana.md")


def point_at(url: str, board: Path) -> None:
    """Let a dashboard's links lead to Leeway's pages at another address."""
    document = json.loads(board.read_text(encoding="utf-8"))
    for variable in document["templating"]["list"]:
        if variable["name"] == ADDRESS_VARIABLE:
            variable["query"] = url
            variable["current"] = {"text": url, "value": url, "selected": True}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    board.write_text(f"{text}\n", encoding="utf-8")
