"""NannyML: which columns are beyond its limits in which windows, by the exact Wasserstein distance.

Takes a folder of ``reference.parquet`` and ``current.parquet``, and how many rows a window has.
Prints JSON: for each column, whether each window of the current rows is beyond mean + 3 standard
deviations of the reference's windows.
"""

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from nannyml import UnivariateDriftCalculator
from nannyml.thresholds import StandardDeviationThreshold

# The switch stands beside the method's own settings, because NannyML 0.13.1 looks for it there.
EXACT = {"wasserstein": {}, "calculation_method": "exact"}


def main(folder: Path, n_rows: int) -> None:
    """Fit on the reference's windows, and judge the others."""
    warnings.simplefilter("ignore")
    reference, current = (
        pd.read_parquet(folder / f"{one}.parquet") for one in ("reference", "current")
    )
    calculator = UnivariateDriftCalculator(
        column_names=[*reference.columns],
        continuous_methods=["wasserstein"],
        chunk_size=n_rows,
        thresholds={"wasserstein": StandardDeviationThreshold()},
        computation_params=EXACT,
    )
    found = calculator.fit(reference).calculate(current).filter(period="analysis")
    told = found.to_df(multilevel=False)
    alerts = [[bool(one) for one in told[f"{name}_wasserstein_alert"]] for name in reference]
    print(json.dumps(alerts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
