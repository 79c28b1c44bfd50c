"""How the Wasserstein distance is best found: CPU milliseconds of all threads, sorting included.

Prints a Markdown table; docs/decisions/0011 says what followed from it. numba and polars are
installed in an environment of their own: Leeway needs neither.
"""

import platform
from datetime import UTC, datetime
from pathlib import Path

from peers.environment import python_of
from peers.process import run

HERE = Path(__file__).resolve().parent
LIMIT_SECONDS = 600


def main() -> None:
    """Measure in a process of its own."""
    python = python_of("kernels", HERE.parent / ".bench")
    script = HERE / "peers" / "wasserstein.py"
    ended = run([python, script], folder=HERE.parent, limit_seconds=LIMIT_SECONDS)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}")
    print()
    print(ended.failure or ended.output)


if __name__ == "__main__":
    main()
