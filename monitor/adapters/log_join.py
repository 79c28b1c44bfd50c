"""Log join: the first row of each prediction id, with the first label that came for it."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.adapters.log_rows import Stretch, integers
from monitor.adapters.log_tables import micros
from monitor.batch import CHANCES, LABEL, MODEL_VERSION, PREDICTION_ID, RECEIVED_AT
from monitor.label_lag import steps_of
from monitor.ports import SHADOW, SHADOW_CHANCES
from monitor.window import Counts


def first_of_each(rows: pa.Table) -> pa.Table:
    """Leave out the rows, in order, whose prediction id has come before."""
    ids = rows.column(PREDICTION_ID)
    if _all_differ(ids):
        return rows
    first_place = pc.index_in(ids, value_set=ids)
    return rows.filter(pc.equal(first_place, pa.array(np.arange(rows.num_rows, dtype=np.int32))))


def _all_differ(ids: pa.ChunkedArray) -> bool:
    """Say whether all texts surely differ; a fifth of the cost of counting the distinct ones.

    Compared is what mixes the first eight bytes, the last eight and the length: of texts that
    differ in the middle only, as of those that are the same, nothing is sure.
    """
    if not len(ids) or ids.null_count or not pa.types.is_string(ids.type):
        return not len(ids)
    keys = np.concatenate([_keys(chunk) for chunk in ids.chunks if len(chunk)])
    keys.sort()
    return not (keys[1:] == keys[:-1]).any()


def _keys(texts: pa.StringArray) -> np.ndarray:
    _, offsets, content = texts.buffers()
    ends = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4)
    margin = np.zeros(_WORD, np.uint8)
    padded = np.concatenate([margin, np.frombuffer(content or b"", np.uint8), margin])
    # The eight bytes from any place on.
    words = np.ndarray((len(padded) - _WORD + 1,), np.uint64, padded, strides=(1,))
    lengths = np.diff(ends).astype(np.uint64)
    # Of a short text what follows it is masked, and what precedes it left out.
    bits = np.minimum(lengths, _WORD - 1) * np.uint64(8)
    long = lengths >= _WORD
    ones = np.where(long, ~np.uint64(0), (np.uint64(1) << bits) - np.uint64(1))
    first = words[ends[:-1] + _WORD] & ones
    last = np.where(long, words[ends[1:]], np.uint64(0))
    keys = first * _MIXERS[0]
    keys ^= keys >> np.uint64(32)
    return (keys + last) * _MIXERS[1] + lengths


_WORD = 8
_MIXERS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
"""Odd numbers of which half the bits are set: two of the constants of xxHash."""


def labelled(rows: pa.Table, labels: pa.Table, column: str) -> pa.Table:
    """Join a column of labels, in order of acknowledgement: `index_in` finds an id's first."""
    known = labels.filter(pc.field(LABEL).is_valid())
    places = pc.index_in(rows.column(PREDICTION_ID), value_set=known.column(PREDICTION_ID))
    return rows.append_column(column, known.column(column).take(places))


def paired(
    rows: pa.Table, shadows: pa.Table, labels: pa.Table, column: str, by: tuple[int, int]
) -> pa.Table:
    """Join each label, in order of acknowledgement, with what two versions predicted of its row.

    The first version has answered it, the other one predicted it beside.
    """
    known = first_of_each(labels.filter(pc.field(LABEL).is_valid()))
    # Several versions may have predicted the same rows beside the champion.
    its = shadows.filter(pc.field(MODEL_VERSION) == by[1])
    ids = known.column(PREDICTION_ID)
    made = pc.index_in(ids, value_set=rows.column(PREDICTION_ID))
    shadow = pc.index_in(ids, value_set=its.column(PREDICTION_ID))
    answered = rows.column(MODEL_VERSION).take(made)
    pairs = pa.table(
        {
            LABEL: known.column(LABEL),
            column: rows.column(column).take(made),
            SHADOW: its.column(column).take(shadow),
            CHANCES: rows.column(CHANCES).take(made),
            SHADOW_CHANCES: its.column(CHANCES).take(shadow),
        }
    )
    both = pc.field(column).is_valid() & pc.field(SHADOW).is_valid()
    return pairs.filter(pc.equal(answered, by[0])).filter(both)


def counts(rows: pa.Table, came: Stretch, end: datetime) -> Counts:
    """Count a window's rows, of which each has the time its label was received; it has an end."""
    kept = first_of_each(rows)
    received = integers(kept.filter(came.holds()).column(RECEIVED_AT))
    lags = steps_of((received - micros(end)) / 1e6)
    return Counts(kept.num_rows, received.size, rows.num_rows - kept.num_rows, lags)
