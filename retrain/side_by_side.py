"""Side by side: what fits have to share when several run in one process."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

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

    A forest grows two trees at once by itself.
    """
    return 1 if "random_forest" in algorithms else 2


class _Told:
    """Shows warnings as before, but for one that says nothing about the work.

    Each tree of a forest sets the filters of the whole process for a moment, and wherever two trees
    of a process meet scikit-learn takes that for a wrong use of joblib. A filter would be set aside
    with the others.
    """

    def __init__(self, shown: Any) -> None:
        self._shown = shown

    def __call__(self, message: Warning | str, *args: Any, **kwargs: Any) -> None:
        if not str(message).startswith("`sklearn.utils.parallel.delayed` should be used"):
            self._shown(message, *args, **kwargs)


def quiet() -> None:
    """Show no warning of forests about each other, from now on: of fits, and of requests beside."""
    if not isinstance(warnings.showwarning, _Told):
        warnings.showwarning = _Told(warnings.showwarning)


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
