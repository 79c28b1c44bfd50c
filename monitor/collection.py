"""Collection: what is new in a source, taken in as a request would be, once."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from monitor import intake
from monitor.batch import EVENT_AT, PREDICTION_ID, RECEIVED_AT, TIMESTAMP, Batch, RowKind
from monitor.body import Body
from monitor.errors import BatchRefusedError, RequestConflictError
from monitor.piece import Piece, Position
from monitor.ports import Clock, Cursors, Log, References, Source, Store, Stream
from monitor.schema import Schema
from monitor.sieve import Refusal, sieve

MAX_PIECES = 1_000
"""A collection ends after so many pieces, and the next one goes on: nothing may keep it busy."""

ASKING = hashlib.sha256(b"has this request been acknowledged?").hexdigest()
"""Digest of the empty request that asks the log whether it knows a request id."""

_NO_ROWS = pa.table(
    {
        PREDICTION_ID: pa.array([], pa.string()),
        EVENT_AT: pa.array([], TIMESTAMP),
        RECEIVED_AT: pa.array([], TIMESTAMP),
    }
)


@dataclass(frozen=True)
class Collected:
    """One stream, and how its rows are taken in.

    Parameters
    ----------
    stream : Stream
        Whose rows, and which.
    source : Source
        Where they are.
    refuse_changes : bool
        Refuse rows with missing, extra or retyped columns.
    """

    stream: Stream
    source: Source
    refuse_changes: bool = False


@dataclass(frozen=True)
class World:
    """Everything outside that a collection touches.

    Parameters
    ----------
    log, store, references, cursors, clock
        The ports of `monitor.ports`.
    predictor : callable
        Returns what predicts a model's rows that come without a prediction; None where the model
        is served elsewhere.
    predicted : callable
        Told what the predictor has predicted, once it is on disk.
    """

    log: Log
    store: Store
    references: References
    cursors: Cursors
    clock: Clock
    predictor: Callable[[str], tuple[int, intake.Predict] | None]
    predicted: Callable[[Batch], object] = lambda _batch: None


def collect(collected: Collected, world: World) -> Iterator[Sequence[Refusal]]:
    """Take in what is new, piece by piece; yields the rows of each that were refused.

    Each piece is noted, appended, and noted as done. The request id is made of the place and the
    number of the request there, so no number is appended twice; a request that was cut off is
    looked up in the log before anything else.
    """
    stream, cursors = collected.stream, world.cursors
    positions = {
        place: _recovered(stream, place, position, world)
        for place, position in cursors.load(stream).items()
    }
    known = {place: position.cursor for place, position in positions.items()}
    for piece in islice(collected.source.pieces(known), MAX_PIECES):
        position = positions.get(piece.place, Position())
        if piece.cursor != position.cursor or piece.body is not None:
            refusals = _take_in(collected, piece, position, world)
            done = Position(position.n_requests + 1, piece.cursor)
            positions[piece.place] = _settled(stream, piece.place, done, world)
            yield refusals
        else:
            yield ()


def request_id(stream: Stream, place: str, position: Position) -> str:
    """Return the id of the next request at a place.

    Examples
    --------
    >>> request_id(Stream("m", RowKind.LABEL, "sql"), "", Position(3))
    'source-sql-e3b0c44298fc-3'
    """
    where = hashlib.sha256(place.encode()).hexdigest()[:12]
    return f"source-{stream.source}-{where}-{position.n_requests}"


def _recovered(stream: Stream, place: str, position: Position, world: World) -> Position:
    """Find out what became of a request that was cut off between its note and its end."""
    if position.pending is None:
        return position
    now = world.clock.now()
    same_id = request_id(stream, place, position)
    asking = Batch(stream.model, stream.kind, same_id, ASKING, now, _NO_ROWS)
    cursor = position.cursor
    try:
        # With this nobody can make the request any more, so what is answered now stays true.
        world.log.append([asking]).result()
    except RequestConflictError:
        cursor = position.pending
    return _settled(stream, place, Position(position.n_requests + 1, cursor), world)


def _take_in(
    collected: Collected, piece: Piece, position: Position, world: World
) -> Sequence[Refusal]:
    """Append a piece's rows, and count those that are refused."""
    stream, refusals = collected.stream, _unread(piece)
    if piece.body is not None:
        batches, refusals = _fitted(collected, piece, position, world)
        if batches:
            begun = Position(position.n_requests, position.cursor, piece.cursor)
            world.cursors.intend(stream, piece.place, begun)
            world.log.append(batches).result()
            if batches[0].kind is RowKind.PREDICTION:
                world.predicted(batches[0])
    n_refused: Counter[str] = Counter()
    for refusal in refusals:
        n_refused[refusal.error.reason] += refusal.n_rows
    for reason, n_rows in n_refused.items():
        world.store.refuse(stream.model, reason, n_rows, world.clock.now())
    return refusals


def _settled(stream: Stream, place: str, position: Position, world: World) -> Position:
    world.cursors.settle(stream, place, position)
    return position


def _unread(piece: Piece) -> list[Refusal]:
    """Return the refusal of a place that holds no rows: counted as one, as an unread body is."""
    return [Refusal(piece.refused, 1)] if piece.refused else []


def _fitted(
    collected: Collected, piece: Piece, position: Position, world: World
) -> tuple[list[Batch], list[Refusal]]:
    """Fit a piece's rows; when one is refused, fit the others."""
    stream, body, now = collected.stream, piece.body, world.clock.now()
    assert body is not None
    champion = world.references.at(stream.model, now)
    served = world.predictor(stream.model) if stream.kind is RowKind.PREDICTION else None
    version = served[0] if served else champion.version
    known = request_id(stream, piece.place, position)
    fit = _Fit(
        intake.Request(stream.model, known, piece.digest, now, version),
        champion.reference.schema,
        stream.kind,
        served[1] if served else None,
        collected.refuse_changes,
    )
    with suppress(BatchRefusedError):
        return fit(body), []
    sieved = sieve(body, fit.without_predicting())
    return (fit(sieved.body) if sieved.body.n_rows else []), list(sieved.refusals)


@dataclass(frozen=True)
class _Fit:
    """Makes a body fit a model's schema, as the doors for requests do."""

    request: intake.Request
    schema: Schema
    kind: RowKind
    predict: intake.Predict | None
    refuse_changes: bool

    def __call__(self, body: Body) -> list[Batch]:
        if self.kind is RowKind.LABEL:
            batches = [intake.labels(body, self.schema, self.request)]
        else:
            predicted = self.schema.prediction in body.columns
            predict = None if predicted else self.predict
            batches = intake.predictions(body, self.schema, self.request, predict)
        if self.refuse_changes:
            intake.refuse_changes(batches)
        return batches

    def without_predicting(self) -> "_Fit":
        """Return a fit that only finds out whether rows are refused."""
        blank = None if self.predict is None else self._nothing
        return _Fit(self.request, self.schema, self.kind, blank, self.refuse_changes)

    def _nothing(self, features: pa.Table) -> dict[str, pa.Array]:
        return {self.schema.prediction: pa.nulls(features.num_rows)}
