"""Patience: waiting for what happens in another process."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0


def eventually(
    question: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until something holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s until {what}"
        time.sleep(0.02)
