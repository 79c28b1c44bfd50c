"""Environments: one for each peer, made once with venv and pip and kept in a folder."""

import platform
import shutil
import sys
from pathlib import Path

from peers.process import Ended, run

PINS = {
    # statsmodels: NannyML 0.13.1 imports it and does not ask for it
    "nannyml": (
        "nannyml==0.13.1",
        "statsmodels==0.15.0",
        "numpy==2.4.6",
        "scipy==1.17.1",
        "pandas==3.0.6",
        "pyarrow==26.0.1",
    ),
    # NumPy 1: whylogs 1.6.4 cannot be imported with 2, and newer pandas and pyarrow want 2
    "whylogs": (
        "whylogs[viz]==1.6.4",
        "numpy==1.26.4",
        "scipy==1.15.3",
        "pandas==2.3.3",
        "pyarrow==21.0.0",
    ),
    "kernels": (
        "numba==0.68.1",
        "polars==2.1.0",
        "numpy==2.4.6",
        "scipy==1.17.1",
        "pyarrow==26.0.1",
    ),
    # Frouros 0.9.0 wants NumPy below 2.2 and SciPy below 1.15
    "frouros": (
        "frouros==0.9.0",
        "numpy==2.1.3",
        "scipy==1.14.1",
        "pandas==3.0.6",
        "pyarrow==26.0.1",
    ),
}

LIMIT_SECONDS = 3600.0
"""For making an environment; NannyML's is 2 GB."""


class PeerMissingError(Exception):
    """A peer could not be installed; the message says why."""


def python_of(peer: str, folder: Path) -> Path:
    """Return the Python of a peer's environment, which is made when it is not there yet.

    Raises
    ------
    PeerMissingError
        If it cannot be installed here.
    """
    home = folder / peer
    python, ready = home / "bin" / "python", home / "ready"
    made_of = "\n".join((platform.python_version(), *PINS[peer]))
    if ready.exists() and ready.read_text() == made_of:
        return python
    shutil.rmtree(home, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")  # nobody commits gigabytes by accident
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *PINS[peer]]
    for command in ([sys.executable, "-m", "venv", home], pip):
        _check(peer, run(command, folder=folder, limit_seconds=LIMIT_SECONDS))
    ready.write_text(made_of)
    return python


def _check(peer: str, ended: Ended) -> None:
    if ended.failure:
        raise PeerMissingError(
            f"{PINS[peer][0]} cannot be installed on Python {platform.python_version()}: "
            f"{ended.failure}"
        )
