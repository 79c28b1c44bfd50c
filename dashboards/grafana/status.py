"""Status: the words and colours of `leeway_check_status`, and of one model as a whole."""

from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    SpecialValueMap,
    SpecialValueMatch,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from dashboards.grafana.query import series
from monitor.checks.score import Status

METRIC = "leeway_check_status"
ALERTS = "leeway_alert_status"

COLOURS = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.BREACH: "red",
    Status.NO_DATA: "#8e8e8e",
    Status.ERROR: "purple",
}

WORDS = {Status.NO_DATA: "NO DATA"}

MEANING = (
    "OK: nothing is wrong. WARNING: something moved, too little or too uncertain to act on. "
    "BREACH: beyond the limit. NO DATA: too few rows or labels to say. "
    "ERROR: Leeway itself could not judge."
)


def status_mappings() -> list[ValueMapping]:
    """Return what Grafana shows in place of the five numbers."""
    shown = {
        str(status.code): ValueMappingResult(
            text=WORDS.get(status, status.value), color=colour, index=status.code
        )
        for status, colour in COLOURS.items()
    }
    return [ValueMap(options=shown), absent()]


def absent(text: str = "no data") -> SpecialValueMap:
    """Return what Grafana shows where there is no number."""
    result = ValueMappingResult(text=text, color=COLOURS[Status.NO_DATA], index=9)
    options = DashboardSpecialValueMapOptions(match=SpecialValueMatch.NULL_AND_NAN, result=result)
    return SpecialValueMap(options=options)


def switch_mappings(off: str, on: str) -> list[ValueMapping]:
    """Return what Grafana shows in place of 0, which is well, and of 1, which is not."""
    shown = {
        "0": ValueMappingResult(text=off, color=COLOURS[Status.OK], index=0),
        "1": ValueMappingResult(text=on, color=COLOURS[Status.BREACH], index=1),
    }
    return [ValueMap(options=shown), absent()]


def check_status(check: str, *matchers: str) -> str:
    """Return the status of one check by model."""
    narrowed = (*matchers, f'check="{check}"')
    return f"max by (model) ({series(METRIC, *narrowed)})"


def overall_status(*matchers: str) -> str:
    """Return the weightiest status of a model's checks and of the alerts that are open.

    BREACH > ERROR > WARNING > OK, as `monitor.checks.score.worst` has it; NO_DATA counts when there
    is nothing else. That Leeway could look (check cycle) does not make a model OK.
    """
    checks, judged = series(METRIC, *matchers), series(METRIC, *matchers, 'check!="cycle"')
    alerts = series(ALERTS, *matchers)
    steps = [f"max by (model) ({checks} == {s.code} or {alerts} == {s.code})" for s in _ALERTING]
    for one, status in ((checks, Status.WARNING), (judged, Status.OK)):
        steps.append(f"max by (model) ({one} == {status.code})")
    return " or ".join([*steps, f"max by (model) ({checks})"])


_ALERTING = (Status.BREACH, Status.ERROR)


def models_in_breach(*matchers: str) -> str:
    """Count the models that are in breach; nothing where there is no model."""
    return f"sum(({overall_status(*matchers)}) == bool {Status.BREACH.code})"


def models_in_error(*matchers: str) -> str:
    """Count the models of which a check failed; nothing where there is no model."""
    return f"sum(max by (model) ({series(METRIC, *matchers)} == bool {Status.ERROR.code}))"
