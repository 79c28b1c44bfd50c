"""Evidently: its preset, and its bare functions column by column."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.core.report import Snapshot
from evidently.legacy.calculations.stattests.registry import get_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset
from measure import Case, Work, measure


def preset(case: Case) -> Work:
    """Run the preset on two datasets that are made beforehand."""
    definition = DataDefinition(
        numerical_columns=case.numeric, categorical_columns=case.categorical
    )
    reference, current = (
        Dataset.from_pandas(frame, data_definition=definition) for frame in case.frames()
    )
    return Work(lambda: Report([DataDriftPreset()]).run(current, reference), preset_scores)


def preset_scores(run: Snapshot) -> Mapping[str, float]:
    """Read the score of each column from the report."""
    metrics = run.dict()["metrics"]
    found = {metric["config"].get("column"): metric["value"] for metric in metrics}
    return {column: value for column, value in found.items() if column}


def bare(case: Case) -> Work:
    """Call the function that the preset would take, once a column."""
    reference, current = case.frames()
    kinds = dict.fromkeys(case.numeric, ColumnType.Numerical)
    kinds |= dict.fromkeys(case.categorical, ColumnType.Categorical)
    return Work(
        lambda: {name: score(reference[name], current[name], kind) for name, kind in kinds.items()}
    )


def score(reference: pd.Series, current: pd.Series, kind: ColumnType) -> float:
    """Score one column by Evidently's default, its missing values left out as Evidently does."""
    before, after = (
        side.replace([-np.inf, np.inf], np.nan).dropna() for side in (reference, current)
    )
    return get_stattest(before, after, kind, None)(before, after, kind, None).drift_score


if __name__ == "__main__":
    measure({"preset": preset, "bare": bare})
