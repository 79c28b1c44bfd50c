"""What can go wrong, one small tree.

::

    LeewayError
    ├── ConfigError             leeway.yaml or the environment is wrong
    ├── SchemaError             a reference table does not fit what is said of it
    ├── BatchRefusedError       a batch cannot be stored; nothing of it is kept
    ├── BodyTooLargeError       a request's body is larger than is taken
    ├── RequestConflictError    a request id came again with another body
    ├── NotFoundError           no such model, version, window, run or incident
    ├── NotPossibleError        the thing exists, but not now: no champion, paused, already running
    │   └── SupersededError     a version was compared with a champion that has been replaced
    ├── StorageError            disk or database do not answer; nothing was acknowledged
    ├── SourceError             a source of rows does not answer, or not with rows
    ├── BundleRefusedError      a bundle's bytes or types are not the ones it may hold
    ├── MissingDependencyError  an optional package is needed
    └── StoppedError            a person stopped what was going on, by Ctrl-C

The doors (HTTP, command line) map them to responses; no error knows about HTTP.
"""


class LeewayError(Exception):
    """Anything Leeway raises on purpose; the message says what, where and what to do."""


class ConfigError(LeewayError):
    """The configuration cannot be used.

    Parameters
    ----------
    file : str
        The file (or the environment) that was read.
    path : str
        Path of the key, dotted: ``models.flights.window.every``.
    expected : str
        What was expected there, and what was found.
    """

    def __init__(self, file: str, path: str, expected: str) -> None:
        super().__init__(f"{file}: {path}: {expected}")
        self.file = file
        self.path = path
        self.expected = expected


class SchemaError(LeewayError):
    """A reference table does not fit its description."""


REFUSALS = ("unparseable", "bad_time", "bad_id", "bad_label", "schema")
"""Why rows are refused, in the words of the counter ``leeway_rows_refused_total``."""


class BatchRefusedError(LeewayError):
    """Nothing of the batch was kept.

    Parameters
    ----------
    problem : str
        What is wrong, and what to send instead.
    row : int or None
        Index of the first offending row in the batch, from 0.
    field : str or None
        The offending column.
    reason : str
        One of `REFUSALS`.
    """

    def __init__(
        self,
        problem: str,
        *,
        row: int | None = None,
        field: str | None = None,
        reason: str = "unparseable",
    ) -> None:
        place = "".join(
            [f"row {row}, " if row is not None else "", f"field {field!r}: " if field else ""]
        )
        super().__init__(f"{place}{problem}")
        self.problem = problem
        self.row = row
        self.field = field
        self.reason = reason


class BodyTooLargeError(LeewayError):
    """A request's body, or what it unfolds to, is larger than is taken.

    Parameters
    ----------
    max_bytes : int
        The limit.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"the body is larger than {max_bytes} bytes, as it came or unpacked; send fewer rows "
            "at a time, or raise max_body_bytes in leeway.yaml"
        )


class RequestConflictError(LeewayError):
    """The same request id was acknowledged with another body."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request id {request_id!r} was acknowledged before with a different body; "
            "send a new Idempotency-Key for new rows"
        )


class NotFoundError(LeewayError):
    """Nothing is known under this name.

    Parameters
    ----------
    kind : str
        model, version, window, run or incident.
    name : str
        The name that was asked for.
    """

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name!r}")
        self.kind = kind
        self.name = name


class NotPossibleError(LeewayError):
    """The thing exists, but what was asked cannot be done with it now."""


class SupersededError(NotPossibleError):
    """A version would replace another champion than the one it was compared with."""


class StorageError(LeewayError):
    """Disk or database do not answer; nothing was acknowledged, so try again."""


class SourceError(LeewayError):
    """A source of rows does not answer, or not with rows; it is tried again later.

    Parameters
    ----------
    problem : str
        What is wrong, where, and what to do.
    retry_after_seconds : float or None
        When the source itself wants to be asked again.
    """

    def __init__(self, problem: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_seconds = retry_after_seconds


class BundleRefusedError(LeewayError):
    """A bundle was altered, or holds a type that is not on the allow-list."""


class MissingDependencyError(LeewayError):
    """An optional package is needed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'leeway-ml[{extra}]'")


class StoppedError(LeewayError):
    """A person stopped what was going on."""
