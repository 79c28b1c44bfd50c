"""Contenders: every way of comparing two tables that is measured."""

from dataclasses import dataclass

PEERS_UP_TO_ROWS = 1_000_000
"""Beyond this only Leeway and reading are measured."""


@dataclass(frozen=True)
class Contender:
    """One way of comparing.

    Parameters
    ----------
    group : str
        What ``--only`` calls it; the script is ``by_GROUP.py``.
    way : str
        What the script calls it.
    label : str
        What the tables call it.
    own_environment : bool
        Whether it has an environment of its own, because it cannot share the project's.
    any_size : bool
        Whether it is measured beyond `PEERS_UP_TO_ROWS` too.
    """

    group: str
    way: str
    label: str
    own_environment: bool = False
    any_size: bool = False

    @property
    def name(self) -> str:
        """The contender in raw figures."""
        return f"{self.group} {self.way}"


PRESET = Contender("evidently", "preset", "Evidently's preset")
BARE = Contender("evidently", "bare", "Evidently's bare functions, column by column")
MEMORY = Contender(
    "leeway", "memory", "**Leeway**, reference prepared, current in memory", any_size=True
)
CURRENT = Contender(
    "leeway", "current", "**Leeway**, reference prepared, current read from its file", any_size=True
)
BOTH = Contender(
    "leeway", "both", "**Leeway**, both read from their files, nothing prepared", any_size=True
)
READ_CURRENT = Contender(
    "pyarrow", "current", "*reading the current file and nothing else*", any_size=True
)
READ_BOTH = Contender("pyarrow", "both", "*reading both files and nothing else*", any_size=True)

OURS = (MEMORY, CURRENT, BOTH)
CONTENDERS = (
    PRESET,
    BARE,
    *OURS,
    READ_CURRENT,
    READ_BOTH,
    Contender("scipy", "scipy", "SciPy and pandas by hand"),
    Contender("nannyml", "exact", "NannyML, fit and calculate", own_environment=True),
    Contender("nannyml", "fitted", "NannyML, fitted before", own_environment=True),
    Contender("nannyml", "bins", "NannyML, fitted before, estimate", own_environment=True),
    Contender("whylogs", "both", "whylogs, both profiled, estimate", own_environment=True),
    Contender(
        "whylogs", "prepared", "whylogs, reference profiled before, estimate", own_environment=True
    ),
    Contender("frouros", "emd", "Frouros", own_environment=True),
)
GROUPS = tuple(dict.fromkeys(contender.group for contender in CONTENDERS))
