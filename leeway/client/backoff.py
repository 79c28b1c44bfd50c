"""Backoff: how long a server that could not answer is left alone."""

import random
import time

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 30.0
"""Waits between attempts double, and are drawn from their upper half."""

LONGEST_OBEYED_SECONDS = 300.0
"""No server may send us away for longer."""


class Backoff:
    """When the server may be asked again."""

    def __init__(self) -> None:
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._until = 0.0

    def succeed(self) -> None:
        """Ask again at once."""
        self._wait_seconds, self._until = FIRST_WAIT_SECONDS, 0.0

    def fail(self, retry_after_seconds: float) -> None:
        """Wait, longer than the last time, and as long as the server wants at least."""
        # Jitter, so that many clients do not come back at the same moment.
        wait = self._wait_seconds * random.uniform(0.5, 1.0)  # noqa: S311 - nothing to guess
        self._until = time.monotonic() + max(wait, min(retry_after_seconds, LONGEST_OBEYED_SECONDS))
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)

    def is_over(self) -> bool:
        """Say whether the server may be asked."""
        return time.monotonic() >= self._until

    def seconds_left(self) -> float:
        """Return how long it may not be."""
        return max(0.0, self._until - time.monotonic())
