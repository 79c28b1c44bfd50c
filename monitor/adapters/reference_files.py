"""Reference files: a prepared reference on disk, each column mapped into memory when it is used."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from monitor.adapters.profile_rows import decode_profile, encode_profile
from monitor.back_test import BackTest
from monitor.calibration import Calibration, ColumnCalibration
from monitor.dependence import Dependence
from monitor.profile import Profile
from monitor.reference import ColumnReference, Estimate, NumericReference, Reference
from monitor.sample import Outcomes, Sample
from monitor.schema import Kind, Schema, Task
from monitor.values import CategoricalValues

Document = dict[str, Any]

STRETCHES = "reference-stretches.arrow"


def save_reference(reference: Reference, folder: Path) -> Document:
    """Write the columns to a folder, and return all the rest as JSON values.

    Parameters
    ----------
    reference : Reference
        What is kept.
    folder : Path
        Where the files go; it is there already.
    """
    columns = {
        name: _save_column(column, folder / f"reference-{index}.npy")
        for index, (name, column) in enumerate(reference.columns.items())
    }
    calibration, back_test = reference.calibration, reference.back_test
    return {
        **asdict(_without_columns(reference)),
        "columns": columns,
        "calibration": _encode_calibration(calibration) if calibration else None,
        "sample": _save_sample(reference.sample, folder) if reference.sample else None,
        "back_test": asdict(back_test) if back_test else None,
        "stretches": _save_stretches(reference, folder),
    }


def open_reference(document: Document, folder: Path) -> Reference:
    """Return a reference whose columns are read when they are asked for.

    Parameters
    ----------
    document : dict
        From `save_reference`, also after a trip through JSON.
    folder : Path
        Where the files are.
    """
    schema = dict(document["schema"])
    schema["task"] = Task(schema["task"])
    schema["features"] = {name: Kind(kind) for name, kind in schema["features"].items()}
    schema["classes"] = tuple(schema["classes"])
    schema["unused"] = tuple(schema.get("unused", ()))  # older bundles know none
    start, end = (_time(document[name]) for name in ("start", "end"))
    return Reference(
        schema=Schema(**schema),
        columns=StoredColumns(folder, document["columns"]),
        performance=_estimates(document["performance"]),
        n_rows=document["n_rows"],
        start=start,
        end=end,
        segments={name: _estimates(levels) for name, levels in document["segments"].items()},
        repeated_ratio=document["repeated_ratio"],
        # A bundle of before there were any has none: it is not calibrated, and estimates nothing.
        calibration=_decode_calibration(document.get("calibration")),
        sample=_open_sample(document.get("sample"), folder),
        back_test=_decode_back_test(document.get("back_test")),
        importance=document.get("importance"),
        dependence=_decode_dependence(document.get("dependence")),
        missing_dates=document.get("missing_dates", {}),
        by_window={
            name: tuple(Estimate(**one) for one in windows)
            for name, windows in document.get("by_window", {}).items()
        },
        stretches=_open_stretches(document.get("stretches"), folder),
    )


def reference_files(document: Document) -> list[str]:
    """Name the files that a reference is read from."""
    parts = [*document["columns"].values(), document.get("sample"), document.get("stretches")]
    return [part["file"] for part in parts if part]


_READING = threading.Lock()
"""NumPy parses a file's header as Python, which two threads of Python 3.11 cannot do at a time."""


class StoredColumns(Mapping[str, ColumnReference]):
    """Columns of a reference on disk.

    Each is mapped into memory when it is asked for, and let go with what asked: of hundreds of
    columns those that are being compared take room.

    Parameters
    ----------
    folder : Path
        Where the arrays are.
    documents : mapping of str to dict
        All the rest of each column.
    """

    def __init__(self, folder: Path, documents: Mapping[str, Document]) -> None:
        self._folder = folder
        self._documents = documents

    def __getitem__(self, name: str) -> ColumnReference:
        """Map one column; raises KeyError when there is none of this name."""
        document = self._documents[name]
        kept = {key: value for key, value in document.items() if key not in ("file", "kind")}
        with _READING:
            mapped = np.load(self._folder / document["file"], mmap_mode="r", allow_pickle=False)
        array = np.asarray(mapped)  # plain: NumPy makes its own class of every slice of a map
        if Kind(document["kind"]) is Kind.NUMERIC:
            return NumericReference(values=array, **kept)
        return CategoricalValues(counts=array, **{**kept, "levels": tuple(kept["levels"])})

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a column of this name; none is mapped for it."""
        return name in self._documents

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._documents)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._documents)


def _without_columns(reference: Reference) -> Reference:
    return replace(
        reference, columns={}, calibration=None, sample=None, back_test=None, stretches=None
    )


def _save_stretches(reference: Reference, folder: Path) -> Document | None:
    if reference.stretches is None:
        return None
    (folder / STRETCHES).write_bytes(encode_profile(reference.stretches()))
    return {"file": STRETCHES}


def _open_stretches(document: Document | None, folder: Path) -> Callable[[], Profile] | None:
    """Return what reads the profile: it takes room, and is asked for when windows change."""
    if document is None:
        return None
    return lambda: decode_profile((folder / document["file"]).read_bytes())


def _save_column(column: ColumnReference, path: Path) -> Document:
    array = column.values if isinstance(column, NumericReference) else column.counts
    np.save(path, array, allow_pickle=False)
    kept = {k: v for k, v in vars(column).items() if k not in ("values", "counts")}
    return {"file": path.name, **kept, "kind": column.kind}


SAMPLE_FILE = "reference-sample.npy"


def _save_sample(sample: Sample, folder: Path) -> Document:
    outcomes = sample.outcomes
    beside = np.column_stack([sample.windows, outcomes.predictions, outcomes.labels])
    chances = np.zeros((len(beside), 0)) if outcomes.chances is None else outcomes.chances
    rows = np.hstack([beside, sample.features, chances])
    np.save(folder / SAMPLE_FILE, rows, allow_pickle=False)
    return {"file": SAMPLE_FILE, "levels": sample.levels}


def _open_sample(document: Document | None, folder: Path) -> Sample | None:
    if document is None:
        return None
    with _READING:
        mapped = np.load(folder / document["file"], mmap_mode="r", allow_pickle=False)
    rows = np.asarray(mapped)
    levels = {name: names and tuple(names) for name, names in document["levels"].items()}
    windows, predictions, labels = rows[:, :3].T
    features, chances = np.split(rows[:, 3:], [len(levels)], axis=1)
    # Older bundles have none, nor have models that say classes alone.
    outcomes = Outcomes(predictions, labels, chances if chances.shape[1] else None)
    return Sample(levels, features, outcomes, windows.astype(np.int64))


def _decode_back_test(document: Document | None) -> BackTest | None:
    if document is None:
        return None
    alone = _decode_back_test(document.get("classes_alone"))  # older bundles have none
    errors = tuple(document["errors"])
    return BackTest(**{**document, "errors": errors, "classes_alone": alone})


def _decode_dependence(document: Document | None) -> Dependence | None:
    if document is None:
        return None
    return Dependence(**{**document, "logits": tuple(document["logits"])})


def _estimates(documents: Mapping[str, Document]) -> dict[str, Estimate]:
    return {name: Estimate(**value) for name, value in documents.items()}


def _time(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _encode_calibration(calibration: Calibration) -> Document:
    every = calibration.every
    return {
        "every_seconds": every.total_seconds() if every else None,
        "rows": calibration.rows,
        "n_windows": calibration.n_windows,
        "periods_seconds": [period.total_seconds() for period in calibration.periods],
        "columns": {
            name: {
                **{key: value.tolist() for key, value in vars(one).items() if key != "left_out"},
                "left_out": [at.isoformat() for at in one.left_out],
            }
            for name, one in calibration.columns.items()
        },
    }


def _decode_calibration(document: Document | None) -> Calibration | None:
    if document is None:
        return None
    every = document["every_seconds"]
    columns = {
        name: ColumnCalibration(
            **{key: np.array(value) for key, value in one.items() if key != "left_out"},
            left_out=tuple(map(datetime.fromisoformat, one["left_out"])),
        )
        for name, one in document["columns"].items()
    }
    return Calibration(
        timedelta(seconds=every) if every is not None else None,
        document["rows"],
        document["n_windows"],
        tuple(timedelta(seconds=one) for one in document["periods_seconds"]),
        columns,
    )
