"""Policy: when a replay retrains."""

import re
from dataclasses import dataclass

from monitor.errors import ConfigError


@dataclass(frozen=True)
class Policy:
    """When a replay retrains.

    Parameters
    ----------
    name : str
        What it was asked for by.
    every : int or None
        Replace the champion after this many windows, without a gate; None never does.
    configured : bool
        Do what leeway.yaml says instead.
    """

    name: str
    every: int | None = None
    configured: bool = False


def policies(text: str) -> tuple[Policy, ...]:
    """Read the policies to compare; one that is named twice is replayed once.

    Raises
    ------
    ConfigError
        If one of them is none of never, always, every:N and configured.

    Examples
    --------
    >>> [(policy.name, policy.every) for policy in policies("never, every:4,never")]
    [('never', None), ('every:4', 4)]
    """
    return tuple(dict.fromkeys(_policy(name.strip()) for name in text.split(",")))


def _policy(name: str) -> Policy:
    fixed = {
        "never": Policy(name),
        "always": Policy(name, every=1),
        "configured": Policy(name, configured=True),
    }
    counted = re.fullmatch(r"every:([1-9]\d*)", name)
    if counted:
        return Policy(name, every=int(counted[1]))
    if name not in fixed:
        expected = f"expected never, always, every:N or configured (found {name!r})"
        raise ConfigError("command line", "--compare", expected)
    return fixed[name]
