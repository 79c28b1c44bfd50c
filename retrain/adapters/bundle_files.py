"""Bundles as folders: a skops file, a JSON record, and arrays that are memory-mapped."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from monitor.adapters.reference_files import open_reference, reference_files, save_reference
from monitor.errors import BundleRefusedError
from monitor.reference import Estimate, Reference
from retrain.bundle import TRUSTED_TYPES, Bundle, Lineage, Notes
from retrain.card import card

MODEL_FILE = "model.skops"
RECORD_FILE = "bundle.json"
CARD_FILE = "card.md"


def save_bundle(bundle: Bundle, folder: Path) -> str:
    """Write a bundle to a new folder, whole or not at all.

    Returns
    -------
    str
        SHA-256 of the record, which holds those of every other file.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        if bundle.pipeline is not None:
            (aside / MODEL_FILE).write_bytes(dump_model(bundle.pipeline))
        (aside / CARD_FILE).write_text(card(bundle), encoding="utf-8")
        record = _record(bundle, save_reference(bundle.reference, aside))
        record["files"] = {path.name: sha256_of(path) for path in sorted(aside.iterdir())}
        (aside / RECORD_FILE).write_text(json.dumps(record, indent=1, default=_json_value))
        digest = sha256_of(aside / RECORD_FILE)
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return digest


def load_bundle(folder: Path, digest: str, trusted: frozenset[str] = TRUSTED_TYPES) -> Bundle:
    """Read a bundle, refusing one that is not what was registered.

    Parameters
    ----------
    folder : Path
        Where it is.
    digest : str
        From `save_bundle`.
    trusted : frozenset of str
        Types that its model may hold beside skops' own.

    Raises
    ------
    BundleRefusedError
        If a file is missing or altered, or the model holds a type that is not trusted.
    """
    record = _checked_record(folder, digest)
    for name, expected in record["files"].items():
        check_file(folder / name, expected)
    pipeline = load_model(folder / MODEL_FILE, trusted) if MODEL_FILE in record["files"] else None
    return Bundle(
        model=record["model"],
        reference=open_reference(record["reference"], folder),
        pipeline=pipeline,
        recipe=record["recipe"],
        gate={name: Estimate(**value) for name, value in record["gate"].items()},
        lineage=_lineage(record["lineage"]),
    )


def load_reference(folder: Path, digest: str) -> Reference:
    """Read a bundle's reference alone, without its model."""
    record = _checked_record(folder, digest)
    for name in reference_files(record["reference"]):
        check_file(folder / name, record["files"][name])
    return open_reference(record["reference"], folder)


def model_digest(folder: Path, digest: str) -> str | None:
    """Return the SHA-256 of a bundle's model file; None for a model that is only watched."""
    found: str | None = _checked_record(folder, digest)["files"].get(MODEL_FILE)
    return found


def load_model(path: Path, trusted: frozenset[str] = TRUSTED_TYPES) -> Any:
    """Read a model file; only trusted types and skops' own are let in."""
    import skops.io  # noqa: PLC0415 - loads scikit-learn, which a watch alone never needs
    from skops.io.exceptions import UntrustedTypesFoundException  # noqa: PLC0415

    try:
        return skops.io.load(path, trusted=sorted(trusted))
    except UntrustedTypesFoundException as error:
        raise BundleRefusedError(f"{path}: {error}") from error
    except Exception as error:
        raise BundleRefusedError(f"{path} is not a skops model file: {error}") from error


def dump_model(pipeline: Any) -> bytes:
    """Return a fitted pipeline as the bytes of a model file."""
    import skops.io  # noqa: PLC0415 - see load_model

    return bytes(skops.io.dumps(pipeline, compression=8, compresslevel=1))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, expected: str) -> None:
    """Refuse a file that is missing, or whose SHA-256 is another one."""
    if not path.is_file():
        raise BundleRefusedError(f"{path} is missing; restore it from a backup or roll back")
    if sha256_of(path) != expected:
        raise BundleRefusedError(f"{path} is not the file that was registered")


def _checked_record(folder: Path, digest: str) -> dict[str, Any]:
    check_file(folder / RECORD_FILE, digest)
    record: dict[str, Any] = json.loads((folder / RECORD_FILE).read_text())
    return record


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value)} cannot be written as JSON")


def _record(bundle: Bundle, reference: Mapping[str, object]) -> dict[str, Any]:
    return {
        "model": bundle.model,
        "recipe": bundle.recipe,
        "gate": {name: asdict(value) for name, value in bundle.gate.items()},
        "lineage": asdict(bundle.lineage),
        "reference": reference,
    }


def _lineage(document: dict[str, Any]) -> Lineage:
    times = {name: _time(document[name]) for name in ("trained_from", "trained_until")}
    notes = document.get("notes", {})
    noted = Notes(**{**notes, "leakage": tuple(notes.get("leakage", ()))})
    return Lineage(**{**document, **times, "notes": noted})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
