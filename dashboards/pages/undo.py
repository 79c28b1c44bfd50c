"""Undo: how to go back to the former version, to be copied and run."""

import shlex
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Undo:
    """Two ways to roll a model back.

    Parameters
    ----------
    command : str
        For a shell on the machine that runs Leeway.
    call : str
        The same over HTTP, from anywhere.
    """

    command: str
    call: str


def undo(model: str, address: str, version: int | None = None) -> Undo:
    """Return how to roll a model back.

    Parameters
    ----------
    model : str
        The model.
    address : str
        Where Leeway answers, with or without a trailing slash.
    version : int or None
        Where to go back to; by default the version before.

    Examples
    --------
    >>> found = undo("flights", "http://127.0.0.1:8000/")
    >>> found.command
    'leeway rollback flights'
    >>> found.call
    'curl -X POST http://127.0.0.1:8000/v1/models/flights/rollback -H "X-API-Key: $LEEWAY_API_KEY"'
    >>> undo("flights", "http://127.0.0.1:8000", 3).command
    'leeway rollback flights 3'
    """
    url = f"{address.rstrip('/')}/v1/models/{quote(model, safe='')}/rollback"
    call = f'curl -X POST {shlex.quote(url)} -H "X-API-Key: $LEEWAY_API_KEY"'
    command = f"leeway rollback {shlex.quote(model)}"
    if version is None:
        return Undo(command, call)
    body = f"-H 'Content-Type: application/json' -d '{{\"version\": {version}}}'"
    return Undo(f"{command} {version}", f"{call} {body}")
