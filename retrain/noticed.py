"""Noticed: what a person should know of the rows that a version learned from."""

from sklearn.pipeline import Pipeline

from monitor.schema import Schema
from retrain.bundle import Notes
from retrain.dataset import Dataset
from retrain.leakage import leakage
from retrain.useless import useless


def noticed(model: Pipeline, rows: Dataset, schema: Schema, *, seed: int) -> Notes:
    """Return which features were left out, and which may know the label.

    Parameters
    ----------
    model : Pipeline
        Fitted.
    rows : Dataset
        What it has learned from.
    schema : Schema
        The features, task and classes.
    seed : int
        Of what is drawn at random.
    """
    return Notes(useless(rows.features, schema), leakage(model, rows, schema, seed=seed))


def warned(reason: str, notes: Notes) -> str:
    """Add the alarms to a reason.

    Examples
    --------
    >>> warned("it is better", Notes({}, ("'x' alone tells the label (ROC AUC 0.998)",)))
    "it is better; leakage alarm: 'x' alone tells the label (ROC AUC 0.998): is it known when a \
prediction is made?"
    """
    if not notes.leakage:
        return reason
    alarm = "; ".join(notes.leakage)
    return f"{reason}; leakage alarm: {alarm}: is it known when a prediction is made?"
