"""Live: what a version that does not serve makes of the rows that the champion answers."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from monitor.checks.performance import DECISION_THRESHOLD
from monitor.schema import Task


@dataclass(frozen=True)
class Beside:
    """Who predicts the rows that a champion answers, too.

    Parameters
    ----------
    champion : int
        The version that answers.
    predecessor : int or None
        The one before it, while it is on probation.
    challenger : int or None
        The version that is in the gate against it, or has passed and waits for a person.
    """

    champion: int
    predecessor: int | None = None
    challenger: int | None = None

    @property
    def versions(self) -> tuple[int, ...]:
        """Those that predict beside the champion."""
        return tuple(one for one in (self.predecessor, self.challenger) if one is not None)


@dataclass(frozen=True)
class Live:
    """What became of live rows that a version predicted beside a champion.

    Parameters
    ----------
    version, champion : int
        Who predicted, and who answered.
    n_rows : int
        Rows that it predicted, and that were logged.
    n_failed : int
        Rows of requests that the champion answered and it could not.
    error : str
        Why it could not, of the newest; empty where it always could.
    n_other : int or None
        Rows that it put into another class; None where there are no classes.
    difference : float or None
        Sum of the absolute differences of the two scores (binary) or numbers (regression).
    seconds, champion_seconds : float
        What both took for the same rows, of which only some are timed.
    """

    version: int
    champion: int
    n_rows: int = 0
    n_failed: int = 0
    error: str = ""
    n_other: int | None = None
    difference: float | None = None
    seconds: float = 0.0
    champion_seconds: float = 0.0

    def plus(self, more: "Live") -> "Live":
        """Return both together, the other one the newer."""
        n_other, difference = self.n_other, self.difference
        if more.n_other is not None:
            n_other = more.n_other + (n_other or 0)
        if more.difference is not None:
            difference = more.difference + (difference or 0.0)
        return replace(
            self,
            n_rows=self.n_rows + more.n_rows,
            n_failed=self.n_failed + more.n_failed,
            error=more.error or self.error,
            n_other=n_other,
            difference=difference,
            seconds=self.seconds + more.seconds,
            champion_seconds=self.champion_seconds + more.champion_seconds,
        )

    @property
    def failure(self) -> str:
        """What it could not predict, in words; empty where it always could.

        Examples
        --------
        >>> Live(3, 2, n_rows=970, n_failed=30, error="ValueError: Input X contains NaN").failure
        'version 3 could not predict 30 of 1,000 live rows that version 2 answered (ValueError: Input X contains NaN)'
        """  # noqa: E501 - one sentence
        if not self.n_failed:
            return ""
        asked = self.n_rows + self.n_failed
        return (
            f"version {self.version} could not predict {self.n_failed:,} of {asked:,} live rows "
            f"that version {self.champion} answered ({self.error})"
        )

    @property
    def sentence(self) -> str:
        """What is known of it, in words.

        Examples
        --------
        >>> Live(3, 2, 1200, 0, "", 30, 48.0, 0.9, 0.6).sentence
        'version 3 scores live traffic beside version 2: 1,200 rows, another class in 2.5 %, a difference of 0.04 on average, 1.5 times the time'
        >>> Live(3, 2, 1200, difference=600.0).sentence
        'version 3 scores live traffic beside version 2: 1,200 rows, a difference of 0.5 on average'
        """  # noqa: E501 - one sentence
        told = [f"{self.n_rows:,} {'row' if self.n_rows == 1 else 'rows'}"]
        if self.n_rows and self.n_other is not None:
            told.append(f"another class in {100 * self.n_other / self.n_rows:.3g} %")
        if self.n_rows and self.difference is not None:
            told.append(f"a difference of {self.difference / self.n_rows:.3g} on average")
        if self.champion_seconds:
            told.append(f"{self.seconds / self.champion_seconds:.2g} times the time")
        beside = f"version {self.version} scores live traffic beside version {self.champion}"
        return "; ".join(filter(None, (f"{beside}: {', '.join(told)}", self.failure)))


def differences(
    made: pa.ChunkedArray, answered: pa.ChunkedArray, task: Task
) -> tuple[int | None, float | None]:
    """Return how many classes differ, and the sum of the absolute differences, as `Live` has them.

    Parameters
    ----------
    made, answered : pyarrow.ChunkedArray, shape (n_rows,)
        What a version and the champion predict for the same rows.
    task : Task
        What is predicted.

    Examples
    --------
    >>> made, answered = pa.chunked_array([[0.2, 0.6]]), pa.chunked_array([[0.2, 0.4]])
    >>> n_other, difference = differences(made, answered, Task.BINARY)
    >>> n_other, round(difference, 3)
    (1, 0.2)
    """
    one, other = made.to_numpy(), answered.to_numpy()
    if task is Task.MULTICLASS:
        return int((one != other).sum()), None
    difference = float(np.nansum(np.abs(one - other)))
    if task is Task.REGRESSION:
        return None, difference
    return int(((one >= DECISION_THRESHOLD) != (other >= DECISION_THRESHOLD)).sum()), difference
