"""Log join: the first row of each prediction id, with the first label that came for it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.adapters.log_rows import Stretch
from monitor.batch import LABEL, MODEL_VERSION, PREDICTION_ID
from monitor.ports import SHADOW, SHADOW_VERSION
from monitor.window import Counts


def first_of_each(rows: pa.Table) -> pa.Table:
    """Leave out the rows, in order, whose prediction id has come before."""
    ids = rows.column(PREDICTION_ID)
    if pc.count_distinct(ids).as_py() == rows.num_rows:
        return rows
    first_place = pc.index_in(ids, value_set=ids)
    return rows.filter(pc.equal(first_place, pa.array(np.arange(rows.num_rows, dtype=np.int32))))


def labelled(rows: pa.Table, labels: pa.Table, column: str) -> pa.Table:
    """Join a column of labels, in order of acknowledgement: `index_in` finds an id's first."""
    known = labels.filter(pc.field(LABEL).is_valid())
    places = pc.index_in(rows.column(PREDICTION_ID), value_set=known.column(PREDICTION_ID))
    return rows.append_column(column, known.column(column).take(places))


def paired(rows: pa.Table, shadows: pa.Table, labels: pa.Table, prediction: str) -> pa.Table:
    """Join each label, in order of acknowledgement, with the two predictions of its row."""
    known = first_of_each(labels.filter(pc.field(LABEL).is_valid()))
    ids = known.column(PREDICTION_ID)
    made = pc.index_in(ids, value_set=rows.column(PREDICTION_ID))
    shadow = pc.index_in(ids, value_set=shadows.column(PREDICTION_ID))
    pairs = pa.table(
        {
            LABEL: known.column(LABEL),
            prediction: rows.column(prediction).take(made),
            MODEL_VERSION: rows.column(MODEL_VERSION).take(made),
            SHADOW: shadows.column(prediction).take(shadow),
            SHADOW_VERSION: shadows.column(MODEL_VERSION).take(shadow),
        }
    )
    both = pc.field(prediction).is_valid() & pc.field(SHADOW).is_valid()
    return pairs.filter(both)


def counts(rows: pa.Table, came: Stretch) -> Counts:
    """Count a window's rows, of which each has the time its label was received."""
    kept = first_of_each(rows)
    n_labels = kept.filter(came.holds()).num_rows
    return Counts(kept.num_rows, n_labels, rows.num_rows - kept.num_rows)
