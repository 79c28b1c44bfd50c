"""Estimates without labels: how far off they are, whether their bands hold, whether they abstain.

Folds of real tables: each is torn at random into rows for a model, a reference of 13 windows, and a
pool. 2000 current rows are drawn from the pool, tilted along a random direction of the features'
ranks: row i is drawn with a weight of exp(tilt·zᵢ), z standardised. The relation of inputs and
outcome stays. Without support: the reference has no row with z in the upper quarter, and the
current rows are all of its upper fifth.

A table whose outcome is a number is made binary: above its median or not, and of three classes: its
thirds; as it is, it says how well MAE is estimated. Of the flights the carrier is told, too: 16
classes, of which the rarest have no flight in some parts. *Classes alone* is the same model without
its chances. Prints tables in Markdown. NannyML's CBPE runs in an environment of its own.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from folds import N_CURRENT, Fold, folds
from peers.environment import PeerMissingError, python_of
from peers.process import run

from monitor.back_test import BackTest
from monitor.checks.estimable import back_test
from monitor.checks.estimate import Abstention, Current, estimate, measured
from monitor.reference import Z95
from monitor.sample import Outcomes, Sample
from monitor.schema import Schema, Task

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
TILTS = {"none": 0.0, "mild": 0.75, "strong": 1.5}
GONE, THERE = 0.75, 0.8
"""Without support: quantiles of z up to which the reference has rows, and from which rows come."""
METRICS = {
    Task.BINARY: ("accuracy", "roc_auc"),
    Task.REGRESSION: ("mae",),
    Task.MULTICLASS: ("accuracy", "f1"),
}
ALONE = ", classes alone"


def compare(fold: Fold, folder: Path) -> list[dict[str, object]]:
    """Estimate the current rows of a fold at every tilt, and write them for the peer."""
    schema, found = fold.schema, []
    tested = {metric: back_test(fold.reference, schema, metric) for metric in METRICS[schema.task]}
    _write(folder / f"reference-{fold.name}.parquet", fold.reference.outcomes, schema)
    for tilt, strength in TILTS.items():
        rows = fold.current(strength)
        held = fold.outcomes.take(rows)
        current = Current(fold.features[rows], held.predictions, held.chances)
        _write(folder / f"current-{fold.name}-{tilt}.parquet", held, schema)
        for metric, one in tested.items():
            real = measured(held, schema, metric)
            before = measured(fold.reference.outcomes, schema, metric)
            case = {
                "case": f"current-{fold.name}-{tilt}", "tilt": tilt, "metric": metric,
                "task": schema.task, "real": real.value, "noise": real.standard_error,
                "kept": before.value,
            }  # fmt: skip
            found.append(case | _told(fold.reference, current, schema, one))
            if one.classes_alone is not None:
                alone = _told(fold.reference.without_chances(), current, schema, one.classes_alone)
                found.append(case | alone | {"metric": metric + ALONE})
    return found


def _told(
    sample: Sample, current: Current, schema: Schema, tested: BackTest
) -> dict[str, float | None]:
    """Return an estimate and half of its band; None where Leeway abstains."""
    nothing = {"told": None, "half": None}
    if tested.against(tested.metric):
        return nothing
    found = estimate(sample, current, schema, tested.metric)
    if isinstance(found, Abstention):
        return nothing
    return {"told": found.value, "half": Z95 * tested.scale * found.standard_error}


def _write(path: Path, outcomes: Outcomes, schema: Schema) -> None:
    """Write what the peer needs; it tells nothing of regression without the features."""
    if schema.task is Task.REGRESSION:
        return
    y, said = (one.astype(int) for one in (outcomes.labels, outcomes.predictions))
    if schema.task is Task.BINARY:
        said = (outcomes.predictions >= 0.5).astype(int)  # noqa: PLR2004 - as Leeway does
        scores = {"score": outcomes.predictions}
    else:
        scores = {f"score {place}": of for place, of in enumerate(outcomes.chances.T)}
    pd.DataFrame({**scores, "said": said, "y": y}).to_parquet(path)


def abstains(fold: Fold) -> bool:
    """Say whether there is no estimate for rows of a kind that the reference does not have."""
    kept = fold.reference.take(np.flatnonzero(fold.reference_places < GONE))
    rows = np.flatnonzero(fold.places > THERE)[:N_CURRENT]
    held = fold.outcomes.take(rows)
    current = Current(fold.features[rows], held.predictions, held.chances)
    found = estimate(kept, current, fold.schema, METRICS[fold.schema.task][0])
    return isinstance(found, Abstention)


def cbpe(folder: Path, environments: Path) -> dict[str, dict[str, float]]:
    """Return the peer's estimates; none where it cannot be installed."""
    try:
        python = python_of("nannyml", environments)
    except PeerMissingError as error:
        print(f"Without NannyML: {error}\n")
        return {}
    script = HERE / "peers" / "cbpe_by_nannyml.py"
    ended = run([python, script, folder], folder=folder, limit_seconds=1800)
    if ended.failure:
        print(f"Without NannyML: {ended.failure}\n")
        return {}
    return json.loads(ended.output.splitlines()[-1])


def show(cases: pd.DataFrame) -> None:
    """Print the table of one task."""
    print(
        "| metric | tilt | cases | labels' own sampling error | reference kept | NannyML CBPE | "
        "Leeway | Leeway / CBPE | in the band | abstains |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for (metric, tilt), group in cases.groupby(["metric", "tilt"], sort=False):
        told = group[group["told"].notna()]
        off = (told["told"] - told["real"]).abs()
        mae = {one: (told[one] - told["real"]).abs().mean() for one in ("kept", "cbpe")}
        beside = off[told["cbpe"].notna()].mean() / mae["cbpe"]  # where the peer has one, too
        print(
            f"| {metric} | {tilt} | {len(group)} | {told['noise'].mean():.4g} | {mae['kept']:.4g} "
            f"| {mae['cbpe']:.4g} | {off.mean():.4g} | {beside:.2f} | "
            f"{(off <= told['half']).mean():.1%} | {1 - len(told) / len(group):.1%} |"
        )
    print()


def in_band(cases: pd.DataFrame) -> str:
    """Say how many estimates have what was measured in their band."""
    told = cases[cases["told"].notna()]
    n_held = int(((told["told"] - told["real"]).abs() <= told["half"]).sum())
    return f"{n_held} of {len(told)} estimates ({n_held / max(len(told), 1):.1%})"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--task", type=Task, action="append", help="one of them alone")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--environments", type=Path, default=HERE.parent / ".bench")
    arguments = parser.parse_args()
    began, cases, silent = time.process_time(), [], []
    with tempfile.TemporaryDirectory() as name:
        for fold in folds(arguments.data, arguments.folds, arguments.task or list(Task)):
            print(fold.name, fold.schema.task, file=sys.stderr, flush=True)
            cases += compare(fold, Path(name))
            silent.append(abstains(fold))
        used = time.process_time() - began
        theirs = cbpe(Path(name), arguments.environments)
    for case in cases:
        metric = case["metric"].removesuffix(ALONE)
        case["cbpe"] = theirs.get(case["case"], {}).get(metric, np.nan)
    frame = pd.DataFrame(cases).astype({"told": float, "half": float})
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {used:.0f} CPU s without the peer\n")
    for task, group in frame.groupby("task", sort=False):
        print(f"### {str(task).title()}: mean absolute error\n")
        if task == Task.REGRESSION:  # tables in different units: in those of their own error
            group = group.assign(  # noqa: PLW2901
                **{c: group[c] / group["kept"] for c in ("real", "told", "half", "noise", "kept")}
            )
        show(group)
    one_number = frame[frame["task"] != Task.MULTICLASS]
    print(
        f"In the band: {in_band(one_number)} of binary and regression models, {in_band(frame)} of "
        "all three tables."
    )
    print(f"Without support: {np.mean(silent):.1%} of {len(silent)} cases abstain.")


if __name__ == "__main__":
    main()
