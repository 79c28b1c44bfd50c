"""whylogs: a profile of each side, and the drift between the profiles: sketches, so estimates."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import whylogs
from measure import Case, Work, measure
from whylogs.core.view.dataset_profile_view import DatasetProfileView
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores


def profile(frame: pd.DataFrame) -> DatasetProfileView:
    """Profile one side."""
    return whylogs.log(pandas=frame).view()


def both(case: Case) -> Work:
    """Profile both sides and compare."""
    reference, current = case.frames()
    return Work(lambda: calculate_drift_scores(profile(current), profile(reference)), values)


def prepared(case: Case) -> Work:
    """Profile the current side and compare it with the reference's profile."""
    reference, current = case.frames()
    view = profile(reference)
    return Work(lambda: calculate_drift_scores(profile(current), view), values)


def values(scores: Mapping[str, Any]) -> Mapping[str, float]:
    """Read the statistics: Kolmogorov-Smirnov or chi-square."""
    return {name: score["statistic"] for name, score in scores.items() if score}


if __name__ == "__main__":
    measure({"both": both, "prepared": prepared})
