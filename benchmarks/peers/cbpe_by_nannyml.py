"""NannyML's CBPE: accuracy and ROC AUC of binary predictions without labels.

Takes a folder of ``reference-NAME.parquet`` and ``current-NAME-*.parquet`` with the columns
``score``, ``said`` and ``y``, and prints the estimates as JSON by the name of the current file.
"""

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from nannyml import CBPE

METRICS = ("accuracy", "roc_auc")


def main(folder: Path) -> None:
    """Fit on each reference, and estimate its current files, each as one chunk."""
    warnings.simplefilter("ignore")
    found = {}
    for reference in sorted(folder.glob("reference-*.parquet")):
        name = reference.stem.removeprefix("reference-")
        cbpe = CBPE(
            metrics=list(METRICS), y_pred_proba="score", y_pred="said", y_true="y",
            problem_type="classification_binary", chunk_number=1,
        )  # fmt: skip
        cbpe.fit(pd.read_parquet(reference))
        for current in sorted(folder.glob(f"current-{name}-*.parquet")):
            estimated = cbpe.estimate(pd.read_parquet(current)).filter(period="analysis")
            row = estimated.to_df(multilevel=False).iloc[-1]
            found[current.stem] = {one: float(row[f"{one}_value"]) for one in METRICS}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
