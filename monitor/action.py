"""Action: what is done about a verdict, what may ask for it, and why."""

from enum import StrEnum

GATE = "gate"
"""What asks for a run that only looks again at the challenger in the gate."""


class Action(StrEnum):
    """What is done."""

    NONE = "none"
    HOLD = "hold"
    RETRAIN = "retrain"
    ROLL_BACK = "roll_back"


class Trigger(StrEnum):
    """What can open a retrain run."""

    GAIN = "gain"
    PERFORMANCE = "performance"
    DRIFT = "drift"
    SCHEDULE = "schedule"
    NEW_ROWS = "new_rows"


class Ask(StrEnum):
    """What is asked for: a run, a trial whether one would pay, a look at the gate, a rollback."""

    RETRAIN = "retrain"
    ROLL_BACK = "roll_back"
    TRIAL = "trial"
    LOOK = "look"


class Reason(StrEnum):
    """Why it is done, or not done."""

    ALL_WELL = "all well"
    NOT_ENOUGH_ROWS = "not enough rows"
    INCIDENT = "incident"
    PERFORMANCE = "performance breach"
    DRIFT = "drift breach"
    SCHEDULE = "schedule"
    NEW_ROWS = "new rows"
    PROBATION = "probation breach"
    CHECK_FAILED = "a check failed"
    DECIDED_BEFORE = "decided before"
    NOT_ASKED = "not a trigger"
    WITHIN_LIMITS = "within its limits"
    SUPERSEDED = "champion has changed since"
    PAUSED = "paused"
    RUN_PENDING = "a run is already asked for"
    TRIED = "a trial tells"
    IN_THE_GATE = "a challenger is in the gate"
    WAITS_FOR_A_PERSON = "a version waits for a person"
    COOLING_DOWN = "cooling down"
    TOO_FEW_LABELS = "too few new labels"
