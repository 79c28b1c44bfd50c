"""Evidently: its own functions, for the methods that have no kernel here.

The only module that imports Evidently, and only when it is asked something: the import takes
4 to 8 CPU seconds and 280 MiB.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from monitor.checks.score import BreachWhen
from monitor.schema import Kind

if TYPE_CHECKING:
    import pandas as pd

_COLUMN_TYPES = {Kind.NUMERIC: "num", Kind.CATEGORICAL: "cat"}


@dataclass(frozen=True)
class EvidentlyScore:
    """What an Evidently method says of one column.

    Parameters
    ----------
    value : float
        The number.
    threshold : float
        The threshold it was held against.
    breach_when : BreachWhen
        The bad side, read from Evidently's own verdict: a custom method does not state it.
    """

    value: float
    threshold: float
    breach_when: BreachWhen


def evidently_score(
    *,
    reference: npt.NDArray[np.generic],
    current: npt.NDArray[np.generic],
    kind: Kind,
    method: str,
    threshold: float | None = None,
) -> EvidentlyScore:
    """Compare one column by a method of Evidently's registry.

    Parameters
    ----------
    reference : ndarray, shape (n_reference,)
        Values without missing ones: numbers, or levels as text.
    current : ndarray, shape (n_current,)
        The same on the other side.
    kind : Kind
        How the column is compared.
    method : str
        A name in Evidently's registry, one of yours registered with ``register_stattest`` included.
    threshold : float or None
        None means the method's default.

    Raises
    ------
    evidently.legacy.calculations.stattests.registry.StatTestNotFoundError
        If no method of this name is registered.
    evidently.legacy.calculations.stattests.registry.StatTestInvalidFeatureTypeError
        If the method is not for columns of this kind.

    Examples
    --------
    >>> score = evidently_score(
    ...     reference=np.array(["a", "b"]),
    ...     current=np.array(["a", "a"]),
    ...     kind=Kind.CATEGORICAL,
    ...     method="hellinger",
    ... )
    >>> round(score.value, 6), score.threshold, score.breach_when.value
    (0.541196, 0.1, 'above')
    """
    with _unnoticed():
        import pandas as pd  # noqa: PLC0415 - lazy, see the module's docstring
        from evidently.legacy.calculations.stattests.registry import (  # noqa: PLC0415 - lazy too
            get_registered_stattest,
        )
        from evidently.legacy.core import ColumnType  # noqa: PLC0415 - lazy too

        column_type = ColumnType(_COLUMN_TYPES[kind])
        compare = get_registered_stattest(method, column_type)
        result = compare(pd.Series(reference), pd.Series(current), column_type, threshold)
    value, limit = float(result.drift_score), float(result.actual_threshold)
    above = bool(result.drifted) == (value >= limit)
    return EvidentlyScore(value, limit, BreachWhen.ABOVE if above else BreachWhen.BELOW)


@contextmanager
def _unnoticed() -> Iterator[None]:
    """Keep Evidently's side effects inside: warnings (on import too), global random numbers."""
    # DO_NOT_TRACK is read while Evidently is imported, so this is the one place in the core that
    # touches the environment: no caller can set it later.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # its permutation methods draw from NumPy's global state, and TVD seeds it; a fixed seed makes
    # the same window give the same score
    state = np.random.get_state()  # noqa: NPY002 - the state Evidently uses
    np.random.seed(0)  # noqa: NPY002 - as above
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002 - as above


def drift_page(
    *, reference: "pd.DataFrame", current: "pd.DataFrame", kinds: Mapping[str, Kind]
) -> str:
    """Render Evidently's report on data drift, an HTML page that loads nothing from elsewhere.

    Parameters
    ----------
    reference : pandas.DataFrame, shape (n_reference, n_columns)
        Numbers, or levels as text; each column has a value.
    current : pandas.DataFrame, shape (n_current, n_columns)
        The same on the other side.
    kinds : mapping of str to Kind
        How each column is compared.
    """
    with _unnoticed():
        from evidently import (  # noqa: PLC0415 - lazy, see the module's docstring
            DataDefinition,
            Dataset,
            Report,
        )
        from evidently.presets import DataDriftPreset  # noqa: PLC0415 - lazy too

        definition = DataDefinition(
            numerical_columns=[n for n, kind in kinds.items() if kind is Kind.NUMERIC],
            categorical_columns=[n for n, kind in kinds.items() if kind is Kind.CATEGORICAL],
        )
        sides = [Dataset.from_pandas(frame, definition) for frame in (current, reference)]
        snapshot = Report([DataDriftPreset()]).run(*sides)
        return str(snapshot.get_html_str(as_iframe=False))
