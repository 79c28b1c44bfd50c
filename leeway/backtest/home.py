"""Home: the folder in which a backtest is kept, so that one that was stopped can go on."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError, StoppedError

DONE_FILE = "done.json"
ASKED_FILE = "asked.json"
LOCK_FILE = "lock"
FIRST = "first"
"""Folder of the deployment with version 1, of which every replay begins with a copy."""

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """How far a replay is.

    Parameters
    ----------
    steps : int
        So many of its steps are done.
    retrain_cpu_seconds : float
        CPU seconds that its trials and runs took in them, of all threads.
    """

    steps: int = 0
    retrain_cpu_seconds: float = 0.0


def done_of(home: Path) -> Done:
    """Return how far a replay is."""
    file = home / DONE_FILE
    return Done(**json.loads(file.read_text())) if file.exists() else Done()


def steps_done(home: Path) -> int:
    """Return how many steps of a replay are done; 0 before the first."""
    return done_of(home).steps


def note(home: Path, done: Done) -> None:
    """Note how far a replay is, wholly or not at all."""
    aside = home / f"{DONE_FILE}.new"
    aside.write_text(json.dumps(asdict(done)))
    aside.replace(home / DONE_FILE)


@contextmanager
def kept_in(folder: Path, *, for_good: bool) -> Iterator[None]:
    """Keep a folder, or drop it at the end, and when what stopped has left nothing to go on with.

    Parameters
    ----------
    folder : Path
        Where replays are.
    for_good : bool
        Keep it whatever happens.

    Raises
    ------
    ConfigError
        If another process is at work there.
    StoppedError
        If it is interrupted: it says whether the same command goes on from there.
    """
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = f"another backtest is at work in {folder}; let it end, or name another folder"
            raise ConfigError("command line", "--folder", problem) from None
        yield from _kept(folder, for_good=for_good)


def _kept(folder: Path, *, for_good: bool) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        is_kept = for_good or (folder / FIRST).exists()
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, KeyboardInterrupt):
            raise StoppedError(_stopped(folder, is_kept=is_kept)) from None
        raise
    if not for_good:
        shutil.rmtree(folder)


def _stopped(folder: Path, *, is_kept: bool) -> str:
    if not is_kept:
        return "stopped before version 1 was there; nothing is kept"
    return f"stopped; the same command goes on from where it was, which is kept in {folder}"


def copied(first: Path, home: Path) -> None:
    """Copy a folder, wholly or not at all."""
    aside = home.with_name(f".{home.name}")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(first, aside)
    aside.rename(home)


def question(facts: Document, files: Mapping[str, Path]) -> Document:
    """Return what a backtest is asked, but for the policies.

    Parameters
    ----------
    facts : mapping
        JSON values.
    files : mapping of str to Path
        What it is asked of, by their role; their contents count.
    """
    return {**facts, **{role: _sha256(path) for role, path in files.items()}}


def usual_folder(beside: Path, asked: Document) -> Path:
    """Return the folder of a backtest for which none was named: another for each question.

    Examples
    --------
    >>> usual_folder(Path("leeway.yaml"), {"model": "late"}).name
    'leeway-backtest-b9a9faeb'
    """
    told = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return beside.parent / f"leeway-backtest-{told[:8]}"


def claim_folder(folder: Path, asked: Document) -> None:
    """Begin in a new folder, or go on in one in which the same was asked.

    Parameters
    ----------
    folder : Path
        The folder.
    asked : mapping
        From `question`.

    Raises
    ------
    ConfigError
        If something else was asked there, it holds anything but a backtest, or it cannot be made.
    """
    known = folder / ASKED_FILE
    if not known.exists():
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError("command line", "--folder", f"{folder} is not empty; name a new one")
        _make(folder)
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


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"{folder} cannot be made ({error.strerror}); name another"
        raise ConfigError("command line", "--folder", problem) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
