"""Frouros: earth mover's distance; it has no distance for texts, they get its chi-square test."""

from collections.abc import Mapping

import pandas as pd
from frouros.detectors.data_drift import EMD, ChiSquareTest
from measure import Case, Work, measure


def detect(case: Case) -> Work:
    """Compare two frames in memory."""
    reference, current = case.frames()
    detectors = dict.fromkeys(case.numeric, EMD) | dict.fromkeys(case.categorical, ChiSquareTest)
    return Work(
        lambda: {
            name: score(kind(), reference[name], current[name]) for name, kind in detectors.items()
        },
        lambda scores: numeric_only(scores, case),
    )


def score(detector: EMD | ChiSquareTest, reference: pd.Series, current: pd.Series) -> float:
    """Compare one column; Frouros leaves the missing values to us."""
    detector.fit(X=reference.dropna().to_numpy())
    result, _ = detector.compare(X=current.dropna().to_numpy())
    return result.distance if isinstance(detector, EMD) else result.statistic


def numeric_only(scores: Mapping[str, float], case: Case) -> Mapping[str, float]:
    """Leave the tests out: they are no distances."""
    return {name: scores[name] for name in case.numeric}


if __name__ == "__main__":
    measure({"emd": detect})
