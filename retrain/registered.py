"""Registered: a version as the registry knows it, its file, and its return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Version:
    """A registered bundle.

    Parameters
    ----------
    model : str
        The model.
    number : int
        From 1; given again only where the run that made it has failed.
    created_at : datetime
        When it was registered.
    has_model : bool
        False when it is only watched.
    metrics : mapping of str to object
        Name to value, standard error and rows, on rows it was not fitted on.
    recipe, lineage : mapping of str to object
        How it was made, and of what.
    """

    model: str
    number: int
    created_at: datetime
    has_model: bool
    metrics: Mapping[str, Any]
    recipe: Mapping[str, Any]
    lineage: Mapping[str, Any]


@dataclass(frozen=True)
class ModelFile:
    """The model file of a version.

    Parameters
    ----------
    path : Path
        Where it can be read here.
    sha256 : str
        Its SHA-256.
    bundle_sha256 : str
        That of its bundle's record.
    n_bytes : int
        Its size.
    """

    path: Path
    sha256: str
    bundle_sha256: str
    n_bytes: int


@dataclass(frozen=True)
class Undone:
    """A rollback that was decided, and has been carried out.

    Parameters
    ----------
    model : str
        The model.
    version, target : int
        Who was champion, and who is again.
    why : str
        What was decided on.
    """

    model: str
    version: int
    target: int
    why: str
