"""NannyML's CBPE: metrics of classification without labels.

Takes a folder of ``reference-NAME.parquet`` and ``current-NAME-*.parquet`` with the columns
``said`` and ``y``, and ``score`` (binary) or ``score 0``, ``score 1``, ... (several classes), and
prints the estimates as JSON by the name of the current file.
"""

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from nannyml import CBPE

BINARY = ("accuracy", "roc_auc")
SEVERAL = ("accuracy", "f1")


def main(folder: Path) -> None:
    """Fit on each reference, and estimate its current files, each as one chunk."""
    warnings.simplefilter("ignore")
    found = {}
    for reference in sorted(folder.glob("reference-*.parquet")):
        name, rows = reference.stem.removeprefix("reference-"), pd.read_parquet(reference)
        metrics, cbpe = BINARY, _cbpe(list(BINARY), "score", "classification_binary")
        if "score" not in rows:
            scores = {int(one.split()[1]): one for one in rows if one.startswith("score ")}
            metrics, cbpe = SEVERAL, _cbpe(list(SEVERAL), scores, "classification_multiclass")
        try:
            cbpe.fit(rows)
            for current in sorted(folder.glob(f"current-{name}-*.parquet")):
                estimated = cbpe.estimate(pd.read_parquet(current)).filter(period="analysis")
                row = estimated.to_df(multilevel=False).iloc[-1]
                found[current.stem] = {one: float(row[f"{one}_value"]) for one in metrics}
        except Exception as error:  # noqa: BLE001 - it cannot tell of a class without rows
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    print(json.dumps(found))


def _cbpe(metrics, scores, problem) -> CBPE:  # noqa: ANN001
    return CBPE(
        metrics=metrics, y_pred_proba=scores, y_pred="said", y_true="y", problem_type=problem,
        chunk_number=1,
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
