"""The demo, replayed into the services of docker-compose.yml; see docs/compose.md.

`leeway demo` starts a server of its own. Here the servers are there already, and everything that
watches them with them: `prepare` writes what they start from, and `replay` sends them the year.
All of them read the time from one file, which the replay sets.
"""

import argparse
from pathlib import Path

from rich.console import Console

from leeway.client import Client, ClientError
from leeway.config import Environment
from leeway.demo.flights import REFERENCE_END, load_flights
from leeway.demo.run import Server, prepare_folder, progress_bar, replay
from monitor.adapters.clocks import FileClock

PAGES_PORT = 8000
"""Where docker-compose.yml publishes the pages."""

SERVICES = """\
data: /var/lib/leeway
database: ${LEEWAY_DATABASE_URL}
notify: {via: alertmanager}
"""
"""What a leeway.yaml of these services has besides the models."""


def prepare(folder: Path) -> bool:
    """Write a deployment's files, unless there are some: a restart must not turn back the clock."""
    if (folder / "leeway.yaml").exists():
        return False
    prepare_folder(folder, load_flights(), PAGES_PORT)
    with (folder / "leeway.yaml").open("a") as config:
        config.write(SERVICES)
    return True


def replay_into(folder: Path, url: str, console: Console) -> bool:
    """Send the year to running services, unless it was sent before.

    Raises
    ------
    ClientError
        If they cannot be reached, or refuse.
    """
    clock = FileClock(folder / "clock")
    if clock.now() > REFERENCE_END:
        return False
    with Client(url, Environment().api_key) as client:
        client.get("/readyz")
    with progress_bar(console) as tell:
        replay(load_flights(), Server(url, clock, folder), tell)
    return True


def main(arguments: list[str] | None = None) -> None:
    """Prepare, or replay, and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m leeway.demo.stack", description=__doc__)
    parser.add_argument("what", choices=("prepare", "replay"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("url", nargs="?", default=f"http://127.0.0.1:{PAGES_PORT}")
    asked = parser.parse_args(arguments)
    console = Console(highlight=False)
    if asked.what == "prepare":
        done = prepare(asked.folder)
    else:
        try:
            done = replay_into(asked.folder, asked.url, console)
        except ClientError as error:
            parser.exit(3, f"leeway: {error}\n")
    console.print(f"{asked.what}: done" if done else f"{asked.what}: was done before")


if __name__ == "__main__":
    main()
