"""Side by side: what fits have to share when several run in one process."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController


@contextmanager
def stopping_early() -> Iterator[None]:
    """Keep quiet about fits that stop early: whether it was too early, the held-out rows tell.

    Around all fits that run side by side, too: filters belong to the process, not to a thread.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def at_once(algorithms: Iterable[str]) -> int:
    """Return how many fits of some algorithms run side by side; one keeps one core busy.

    A forest grows two trees at once by itself, and each of them sets the warning filters of the
    whole process: those of two forests side by side would warn of each other.
    """
    return 1 if "random_forest" in algorithms else 2


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()  # looks through the libraries of the process: 10 ms


def one_thread() -> None:
    """Keep OpenMP and BLAS to the thread that calls, from now on.

    Fits and requests run side by side already. Threads inside one of them wait for each other as
    soon as the cores are shared: boosting on 46 000 rows took 30 s instead of 1 s beside two busy
    processes. OpenMP keeps its number per thread, so that each caller has to say it.
    """
    _thread_pools().limit(limits=1)
