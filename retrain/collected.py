"""Collected: labelled rows, and a record by which the same rows can be collected again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import pyarrow as pa


@dataclass(frozen=True)
class Part:
    """Where some of the rows come from: the reference file, or one window of the log.

    Parameters
    ----------
    name : str
        The file's name, or the window's id.
    n_rows : int
        Labelled rows taken from it.
    sha256 : str
        Of the file, or of the rows taken.
    as_of : datetime or None
        What was received later is not among them; None for the file.
    """

    name: str
    n_rows: int
    sha256: str
    as_of: datetime | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**vars(self), "as_of": self.as_of.isoformat() if self.as_of else None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read back what `document` gave."""
        as_of = document["as_of"]
        return cls(**{**document, "as_of": datetime.fromisoformat(as_of) if as_of else None})


@dataclass(frozen=True)
class Collected:
    """Labelled rows in time order, and the parts they were taken from."""

    rows: pa.Table
    parts: tuple[Part, ...]
