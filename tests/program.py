"""Programs for tests: others' servers that answer /-/ready, found on this machine and run."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS, eventually


def find_program(*names: str) -> str | None:
    """Return the path of a program by any of its names; in CI a missing one is a failure."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(missing(names[0]))
    return found


def program(*names: str) -> str:
    """Return the path of a program; without it the test is skipped, in CI it fails."""
    found = find_program(*names)
    if found is None:
        pytest.skip(missing(names[0]))
    return found


def missing(name: str) -> str:
    """Say that a program is missing, and what to do."""
    return f"{name} is not installed; run tests/stack/install.sh"


@contextmanager
def running(url: str, folder: Path, *command: str) -> Iterator[None]:
    """Run a program in a folder until it is left; it answers when it is entered."""
    output = folder / f"{Path(command[0]).name}.log"
    with output.open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def ready() -> bool:
        assert process.poll() is None, output.read_text()
        try:
            return httpx.get(f"{url}/-/ready").is_success
        except httpx.TransportError:
            return False

    try:
        eventually(ready, f"{command[0]} answers")
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
