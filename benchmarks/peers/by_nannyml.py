"""NannyML: the univariate calculator, one chunk a side; categorical columns by Jensen-Shannon."""

from collections.abc import Mapping

import pandas as pd
from measure import Case, Work, measure
from nannyml import UnivariateDriftCalculator
from nannyml.drift.univariate.result import Result

# The switch stands beside the method's own settings, because NannyML 0.13.1 looks for it there.
EXACT = {"wasserstein": {}, "calculation_method": "exact"}


def calculator(case: Case, settings: dict[str, object] | None) -> UnivariateDriftCalculator:
    """Return a calculator for the case's columns."""
    return UnivariateDriftCalculator(
        column_names=[*case.numeric, *case.categorical],
        continuous_methods=["wasserstein"],
        categorical_methods=["jensen_shannon"],
        chunk_number=1,
        computation_params=settings,
    )


def fit_and_calculate(case: Case) -> Work:
    """Fit on the reference and calculate, by the exact distance."""
    reference, current = case.frames()
    return Work(lambda: calculator(case, EXACT).fit(reference).calculate(current), values)


def calculate(case: Case) -> Work:
    """Calculate with a fitted calculator, by the exact distance."""
    return fitted(case, EXACT)


def calculate_as_it_comes(case: Case) -> Work:
    """Calculate with a fitted calculator and its own settings, which put values into bins."""
    return fitted(case, None)


def fitted(case: Case, settings: dict[str, object] | None) -> Work:
    """Fit beforehand."""
    reference, current = case.frames()
    calc = calculator(case, settings).fit(reference)
    return Work(lambda: calc.calculate(current), values)


def values(result: Result) -> Mapping[str, float]:
    """Read the scores of the current rows; numeric ones are in the column's own unit."""
    row: pd.Series = result.filter(period="analysis").to_df(multilevel=False).iloc[-1]
    ends = ("_wasserstein_value", "_jensen_shannon_value")
    return {
        str(name).removesuffix(end): value
        for name, value in row.items()
        for end in ends
        if str(name).endswith(end)
    }


if __name__ == "__main__":
    measure({"exact": fit_and_calculate, "fitted": calculate, "bins": calculate_as_it_comes})
