"""Shipped files: the files beside the code that come with it."""

from pathlib import Path

from monitor.errors import ConfigError


def shipped(part: str) -> Path:
    """Return the folder of files that ship: inside the package, or of the checkout it is run from.

    Parameters
    ----------
    part : str
        Its path in the checkout: ``grafana``, ``prometheus`` or ``docs/runbooks``.

    Raises
    ------
    ConfigError
        If neither is there.
    """
    package = Path(__file__).parent
    for folder in (package / "shipped" / part, package.parent / part):
        if folder.is_dir():
            return folder
    raise ConfigError("installation", part, "its files are missing; install leeway-ml again")
