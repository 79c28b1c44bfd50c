"""Arrival: a request with rows as it came, and what it is answered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.batch import PREDICTION_ID, Batch, Receipt, RowKind


@dataclass(frozen=True)
class Arrival:
    """A request as it came.

    Parameters
    ----------
    model : str
        Whose rows they are.
    body : bytes
        The body.
    content_type, encoding : str
        What the body is, and how it is compressed.
    key : str or None
        Its Idempotency-Key.
    """

    model: str
    body: bytes
    content_type: str
    encoding: str
    key: str | None


@dataclass(frozen=True)
class Taken:
    """What was acknowledged.

    Parameters
    ----------
    batches : sequence of Batch
        The rows as they were logged.
    receipt : Receipt
        What the log said.
    """

    batches: Sequence[Batch]
    receipt: Receipt

    def document(self) -> bytes:
        """Return the answer as JSON."""
        answer: dict[str, Any] = {
            "acknowledged": self.receipt.n_rows,
            "repeated": self.receipt.repeated,
        }
        if self.batches[0].kind is RowKind.PREDICTION:
            answer["prediction_ids"] = self.batches[0].column(PREDICTION_ID).to_pylist()
        return msgspec.json.encode(answer)


def arrived(model: str, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Arrival:
    """Return a request as it came, out of its body and raw headers."""
    known = dict(headers)
    content_type, encoding, key = (
        known.get(name, b"").decode("latin-1")
        for name in (b"content-type", b"content-encoding", b"idempotency-key")
    )
    return Arrival(model, body, content_type, encoding, key or None)
