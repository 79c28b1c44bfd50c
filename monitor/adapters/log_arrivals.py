"""Log arrivals: the rows of one large body in a file of their own, until they are sealed.

They are written before the transaction that acknowledges them, several at once, and so do not know
their numbers: those are in the catalog.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pyarrow as pa

from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import decode, encode, numbered
from monitor.batch import Batch, RowKind
from monitor.errors import StorageError

ARRIVALS = "arrivals"
"""What their paths begin with."""

LARGE_BYTES = 1 << 20
"""A batch with this much Arrow data goes past the inbox; labels wait there for predictions."""

UNREGISTERED = timedelta(minutes=10)
"""How old an arrival is that nobody will register any more."""


@dataclass(frozen=True, slots=True)
class Filed(Batch):
    """A batch whose rows are in a file that the catalog does not know yet.

    Parameters
    ----------
    file : mapping of str to object
        What the catalog keeps of the file itself.
    """

    file: Mapping[str, Any] = field(default_factory=dict)


def is_large(batch: Batch) -> bool:
    """Say whether a batch goes past the inbox."""
    return batch.kind is not RowKind.LABEL and n_bytes(batch.rows) >= LARGE_BYTES


def filed(folder: LogFolder, batch: Batch) -> Filed:
    """Write the rows of a batch to a file of their own, durably."""
    owner = f"model={quote(batch.model, safe='')}/kind={batch.kind.value}"
    path = f"{ARRIVALS}/{owner}/{uuid4().hex}.arrow"
    content = encode(batch.rows)
    file = {"path": path, "bytes": content.size, "sha256": folder.put(path, content)}
    return Filed(**{one.name: getattr(batch, one.name) for one in fields(Batch)}, file=file)


def is_arrival(path: str) -> bool:
    """Say whether a path of the catalog is that of an arrival."""
    return path.startswith(f"{ARRIVALS}/")


def read_arrival(folder: LogFolder, path: str, sha256: str, first_row: int) -> pa.Table:
    """Read an arrival with the numbers of its rows.

    Raises
    ------
    StorageError
        When the file is not what was written: Arrow follows damaged offsets wherever they lead.
    """
    with folder.system.open_input_file(folder.full(path)) as file:
        content = file.read_buffer()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StorageError(f"{path} is altered; `leeway log verify` names all such files")
    return numbered(decode(content), first_row)


def n_bytes(rows: pa.Table) -> int:
    """Return the size of rows, or what they are at most where that is small."""
    # Exact sizes of slices take long; most tables are small even with what they are sliced from.
    at_most = int(rows.get_total_buffer_size())
    return at_most if at_most < LARGE_BYTES else int(rows.nbytes)
