"""Annotation: what happened, drawn across every panel of a dashboard."""

from grafana_foundation_sdk.builders import dashboard as d

from dashboards.grafana.query import SOURCE, ask, series

STEP = "$__rate_interval"
"""At least one step of the panel and two scrapes: no change falls between two looks."""


def annotations(*matchers: str) -> list[d.AnnotationQuery]:
    """Return all annotations, about the models that the matchers select."""
    return [
        incidents(*matchers),
        runs(*matchers),
        promotions(*matchers),
        rollbacks(*matchers),
    ]


def incidents(*matchers: str) -> d.AnnotationQuery:
    """Mark the time during which an incident is open."""
    is_open = f"max by (model, kind) ({series('leeway_incident_open', *matchers)}) == 1"
    return _mark("Incidents", "red", is_open, "{{model}}: {{kind}} incident is open")


def runs(*matchers: str) -> d.AnnotationQuery:
    """Mark retrain runs that have ended."""
    ended = series("leeway_retrain_runs_total", *matchers, over=STEP)
    grown = f"max by (model, outcome) (increase({ended})) > 0"
    return _mark("Retrain runs", "blue", grown, "{{model}}: retrain run {{outcome}}")


def promotions(*matchers: str) -> d.AnnotationQuery:
    """Mark the instants at which another version became champion, rollbacks aside."""
    new = f"{_arrived(*matchers)} unless on (model) {_rolled_back(*matchers)}"
    return _mark("Promotions", "green", new, "{{model}}: version {{version}} is champion")


def rollbacks(*matchers: str) -> d.AnnotationQuery:
    """Mark the instants at which the champion was taken back."""
    champion = f"max by (model, version) ({series('leeway_champion_info', *matchers)})"
    back = f"{champion} and on (model) {_rolled_back(*matchers)}"
    return _mark("Rollbacks", "orange", back, "{{model}}: back to version {{version}}")


def _arrived(*matchers: str) -> str:
    """Return champions that were not champion a step ago, of models that had one."""
    info = series("leeway_champion_info", *matchers)
    now, before = (f"max by (model, version) ({one})" for one in (info, f"{info} offset {STEP}"))
    return f"(({now} unless on (model, version) {before}) and on (model) {before})"


def _rolled_back(*matchers: str) -> str:
    taken = series("leeway_rollbacks_total", *matchers, over=STEP)
    return f"(max by (model) (increase({taken})) > 0)"


def _mark(name: str, colour: str, expression: str, title: str) -> d.AnnotationQuery:
    mark = d.AnnotationQuery().name(name).datasource(SOURCE).icon_color(colour)
    mark = mark.target(ask(expression).ref_id("Anno")).enable(enable=True).hide(hide=False)
    return mark.title_format(title).tag_keys("model").text_format("")
