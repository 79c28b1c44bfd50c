"""Memory limit: what a run may take beyond what its process has; it fails, and not others."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")


@contextmanager
def memory_limited(n_bytes: int | None) -> Iterator[None]:
    """Let this process take at most so many bytes more; MemoryError beyond.

    It is the operating system's limit of a process's own data (RLIMIT_DATA), which only Linux
    counts in full; elsewhere, and with None, nothing is limited.
    """
    if n_bytes is None or not sys.platform.startswith("linux"):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    hard = before[1]
    wanted = _own_bytes() + n_bytes
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _own_bytes() -> int:
    line = next(one for one in _STATUS.read_text().splitlines() if one.startswith("VmData:"))
    return int(line.split()[1]) * 1024
