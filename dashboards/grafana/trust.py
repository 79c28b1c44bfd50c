"""What a model's drift alerts rest on, and how good its estimates were."""

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMappingResult

from dashboards.grafana.panel import number, setting
from dashboards.grafana.query import ONE_MODEL, ask_now, newest, series
from dashboards.grafana.status import COLOURS, absent
from monitor.calibration import MIN_WINDOWS
from monitor.checks.score import Status


def alert_budget() -> stat.Panel:
    """Return whether the reference has windows enough to tell how much drift is usual."""
    calibrated, n_windows = (
        newest("model", series(f"leeway_{name}", *ONE_MODEL))
        for name in ("calibrated", "reference_windows")
    )
    shown = {
        "0": ValueMappingResult(text="uncalibrated", color=COLOURS[Status.WARNING], index=0),
        "1": ValueMappingResult(text="calibrated", color=COLOURS[Status.OK], index=1),
    }
    panel = number(
        "Who judges drift",
        f"Calibrated: the reference has {MIN_WINDOWS} windows or more, so that Leeway knows how "
        "much columns wobble from one to the next, and false alerts keep to the alert budget. "
        "Uncalibrated: it has fewer, Evidently's thresholds judge, and nothing bounds how often "
        "they are wrong. Then make windows shorter, or promote a version with a longer reference. "
        "No budget: leeway.yaml wants Evidently's thresholds.",
        ask_now(calibrated, "drift is"),
        ask_now(n_windows, "reference windows"),
    )
    panel = panel.unit("none").decimals(0).text_mode(BigValueTextMode.VALUE_AND_NAME)
    mapped = setting("mappings", [ValueMap(options=shown), absent()])
    return panel.no_value("no budget").override_by_name("drift is", [mapped]).span(8).height(7)


def estimates_kept() -> stat.Panel:
    """Return in how many windows labels have borne out what was estimated before they came."""
    inside, compared, error = (
        newest("model", series(f"leeway_estimates_{name}", *ONE_MODEL))
        for name in ("inside", "compared", "error")
    )
    panel = number(
        "Can estimates be trusted?",
        "Windows that had an estimate before their outcomes were known, and how many of them were "
        "then measured inside its 95 % band: of many about 19 in 20. Far fewer: something that the "
        "model does not see has changed, do not rely on estimates. Off by: the mean distance, in "
        "the unit of the measure that decides. 0 compared: none has been tested yet.",
        ask_now(inside, "in the band"),
        ask_now(compared, "compared"),
        ask_now(error, "off by"),
    )
    panel = panel.unit("none").text_mode(BigValueTextMode.VALUE_AND_NAME)
    digits = [setting("decimals", 3)]
    return panel.decimals(0).override_by_name("off by", digits).span(8).height(7)
