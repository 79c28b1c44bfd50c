"""Rules of others, computed from counts of readings, and held against their own programs.

Drawing rows and giving them to Evidently's report, or to NannyML's calculator, would take days for
what the benchmark of trust needs. So their rules are computed here, and `agreement` says whether
they decide as the programs do on the rows of some windows.
"""

import json
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from peers.environment import PeerMissingError, python_of
from peers.process import run

from monitor.checks.methods import METHODS

EVIDENTLY_SHARE = 0.5
"""From which share of drifted columns Evidently says that a data set has drifted."""


@dataclass(frozen=True)
class Year:
    """Counts of reference and monitored windows.

    Parameters
    ----------
    counts : ndarray, shape (n_features, n_windows, n_levels)
        How often each reading came.
    levels : ndarray, shape (n_levels,)
        The readings.
    n_reference : int
        The first so many windows are the reference.
    every : timedelta
        Length of a window.
    """

    counts: np.ndarray
    levels: np.ndarray
    n_reference: int
    every: timedelta


def by_evidently(year: Year) -> np.ndarray:
    """Compare each window with all reference rows: Wasserstein distance in standard deviations."""
    return _distances(year)[:, year.n_reference :] >= METHODS["wasserstein"].threshold


def by_scatter(year: Year) -> np.ndarray:
    """Breach beyond mean + 3 standard deviations of the reference windows' own distances.

    NannyML's rule for this distance (`StandardDeviationThreshold`).
    """
    found = _distances(year)
    reference = found[:, : year.n_reference]
    most = reference.mean(axis=1) + 3 * reference.std(axis=1)
    return found[:, year.n_reference :] > most[:, None]


def _distances(year: Year) -> np.ndarray:
    """Return the exact Wasserstein distances to the reference, shape (n_features, n_windows)."""
    shares = year.counts / year.counts.sum(axis=2, keepdims=True)
    pooled = year.counts[:, : year.n_reference].sum(axis=1)
    pooled = pooled / pooled.sum(axis=1, keepdims=True)
    mean = pooled @ year.levels
    sd = np.sqrt(pooled @ year.levels**2 - mean**2)
    apart = np.abs(np.cumsum(shares, axis=2) - np.cumsum(pooled, axis=1)[:, None])
    return apart.sum(axis=2) * (year.levels[1] - year.levels[0]) / sd[:, None]


def agreement(year: Year, environments: Path) -> str:
    """Say in how many columns and windows the programs decide as the rules here do."""
    ours, (columns, windows) = by_evidently(year), evidently_itself(year)
    told = [
        _same("Evidently, columns", ours, columns),
        _same("Evidently, share of columns", ours.mean(axis=0) >= EVIDENTLY_SHARE, windows),
    ]
    try:
        told.append(_same("NannyML", by_scatter(year), nannyml_itself(year, environments)))
    except PeerMissingError as error:
        told.append(f"NannyML was not asked: {error}")
    return "Decided as the programs themselves do: " + "; ".join(told) + "."


def _same(name: str, ours: np.ndarray, theirs: np.ndarray) -> str:
    n_same = int((ours == theirs).sum())
    return f"{name}, {n_same} of {ours.size} ({int(theirs.sum())} drifted)"


def evidently_itself(year: Year) -> tuple[np.ndarray, np.ndarray]:
    """Let Evidently's preset, as it comes, compare the rows of each window with the reference's.

    Returns
    -------
    columns : ndarray of bool, shape (n_features, n_windows)
        Where a column has drifted.
    windows : ndarray of bool, shape (n_windows,)
        Where the data set has.
    """
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - takes seconds
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    n = year.n_reference
    definition = DataDefinition(numerical_columns=[str(at) for at in range(len(year.counts))])
    before = Dataset.from_pandas(_rows(year, slice(0, n)), data_definition=definition)
    columns, windows = [], []
    for at in range(n, year.counts.shape[1]):
        now = Dataset.from_pandas(_rows(year, slice(at, at + 1)), data_definition=definition)
        ended = Report([DataDriftPreset()], include_tests=True).run(now, before).dict()
        whole, *each = [one["status"] == "FAIL" for one in ended["tests"]]
        columns.append(each)
        windows.append(whole)
    return np.array(columns).T, np.array(windows)


def nannyml_itself(year: Year, environments: Path) -> np.ndarray:
    """Let NannyML's calculator judge the rows of each window; shape as `by_scatter` returns.

    Raises
    ------
    PeerMissingError
        If it cannot be installed, or has failed.
    """
    python = python_of("nannyml", environments)
    n, n_windows = year.n_reference, year.counts.shape[1]
    script = Path(__file__).resolve().parent / "peers" / "limits_by_nannyml.py"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _rows(year, slice(0, n)).to_parquet(folder / "reference.parquet")
        _rows(year, slice(n, n_windows)).to_parquet(folder / "current.parquet")
        size = str(int(year.counts[0, 0].sum()))
        ended = run([python, script, folder, size], folder=folder, limit_seconds=1800)
    if ended.failure:
        raise PeerMissingError(ended.failure)
    return np.array(json.loads(ended.output.splitlines()[-1]))


def _rows(year: Year, windows: slice) -> pd.DataFrame:
    """Return the rows that were counted, window by window."""
    return pd.DataFrame(
        {
            str(at): np.concatenate([np.repeat(year.levels, one) for one in counts[windows]])
            for at, counts in enumerate(year.counts)
        }
    )
