"""What is broken in the feed, on the Model dashboard."""

from grafana_foundation_sdk.builders import table

from dashboards.grafana.panel import columns, rows, setting
from dashboards.grafana.query import ONE_MODEL, ask_rows, newest, series

FIELDS = {"column": "Column", "sign": "How it shows", "Value #B": "Since"}


def broken() -> table.Panel:
    """Return what an open incident says is broken: a row for each of the first three findings."""
    since = series("leeway_incident_since_timestamp_seconds", *ONE_MODEL)
    panel = rows(
        "What is broken",
        "While an incident is open: the columns that are broken, how it shows, and the time of the "
        "first broken row. No column: it is whole rows. Leeway's own pages say it in full.",
        ask_rows(f"count by (column, sign) ({since})"),  # also where since when is not known
        ask_rows(newest("column, sign", f"{since} * 1000")),
    )
    panel = columns(panel, FIELDS, "Value #A").unit("none").height(6).no_value("nothing")
    return panel.override_by_name("Since", [setting("unit", "dateTimeAsLocal")])
