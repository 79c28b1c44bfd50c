"""Home: the folder in which a backtest is kept, so that one that was stopped can go on."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError

STEPS_FILE = "steps"
ASKED_FILE = "asked.json"

Document = Mapping[str, Any]


def steps_done(home: Path) -> int:
    """Return how many steps of a replay are done; 0 before the first."""
    file = home / STEPS_FILE
    return int(file.read_text()) if file.exists() else 0


def note_steps(home: Path, number: int) -> None:
    """Note that so many steps are done, wholly or not at all."""
    aside = home / f"{STEPS_FILE}.new"
    aside.write_text(str(number))
    aside.replace(home / STEPS_FILE)


def copied(first: Path, home: Path) -> None:
    """Copy a folder, wholly or not at all."""
    aside = home.with_name(f".{home.name}")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(first, aside)
    aside.rename(home)


def claim_folder(folder: Path, question: Document, files: Mapping[str, Path]) -> None:
    """Begin in a new folder, or go on in one in which the same was asked.

    Parameters
    ----------
    folder : Path
        The folder.
    question : mapping
        What is asked, but for the policies: JSON values.
    files : mapping of str to Path
        What it is asked of, by their role; their contents count.

    Raises
    ------
    ConfigError
        If something else was asked there, or it holds anything but a backtest.
    """
    asked = {**question, **{role: _sha256(path) for role, path in files.items()}}
    known = folder / ASKED_FILE
    if not known.exists():
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError("command line", "--folder", f"{folder} is not empty; name a new one")
        folder.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(asked, indent=1, sort_keys=True))
        return
    before = json.loads(known.read_text())
    differing = sorted(key for key in asked | before if asked.get(key) != before.get(key))
    if differing:
        problem = (
            f"{folder} holds a backtest of another {' and '.join(differing)}; name a new folder, "
            "or delete this one"
        )
        raise ConfigError("command line", "--folder", problem)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
