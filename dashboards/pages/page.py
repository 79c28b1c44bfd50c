"""Page: a template filled in, as an HTTP response."""

import re
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dashboards.pages import account, estimated, held, phrase, uncalibrated
from dashboards.pages.record import version_made
from monitor.checks.multivariate import ATTRIBUTION
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from retrain.gate import N_LOOKS
from retrain.odd_windows import judged_without

HEADERS = {
    # The pages need nothing but themselves; whatever text slips in can load and run nothing.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(template: str, **values: Any) -> HTMLResponse:
    """Render a template of this package; all that is put in is escaped."""
    return HTMLResponse(rendered(template, **values), headers=HEADERS)


def rendered(template: str, **values: Any) -> str:
    """Fill in a template of this package; all that is put in is escaped."""
    return _ENVIRONMENT.get_template(template).render(values)


def model_path(model: str) -> str:
    """Return the address of a model's page.

    Examples
    --------
    >>> model_path("late flights")
    '/models/late%20flights'
    """
    return f"/models/{quote(model, safe='')}"


def window_path(model: str, window: str) -> str:
    """Return the address of a window's page, as alert messages give it.

    Examples
    --------
    >>> window_path("flights", "2013-05-13T00:00:00Z")
    '/models/flights/windows/2013-05-13T00:00:00Z'
    """
    return f"{model_path(model)}/windows/{quote(window, safe=':')}"


def run_path(model: str, run: int) -> str:
    """Return the address of a retrain run's page.

    Examples
    --------
    >>> run_path("flights", 3)
    '/models/flights/runs/3'
    """
    return f"{model_path(model)}/runs/{run}"


def prose(text: str) -> Markup:
    """Escape a sentence and keep its dates whole, where a line would break at their hyphens.

    Examples
    --------
    >>> prose("Drift since 2013-05-13: <temp>")
    Markup('Drift since <span class="t">2013-05-13</span>: &lt;temp&gt;')
    """
    # Safe: the text is escaped first, and a date holds no character that means anything in HTML.
    return Markup(_DATE.sub(r'<span class="t">\g<0></span>', str(escape(text))))  # noqa: S704


_DATE = re.compile(r"\b\d{4}-\d\d-\d\d(?: \d\d:\d\d)?\b")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dashboards.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {
            one.__name__: one
            for one in (
                account.checked,
                account.effort,
                account.from_to,
                account.in_order,
                account.learned_from,
                account.segments,
                account.settings,
                account.signed,
                account.sure,
                estimated.estimated,
                estimated.kept_promises,
                estimated.taken_apart,
                held.slow_fall,
                held.together,
                judged_without,
                phrase.counted,
                phrase.day,
                phrase.lasted,
                phrase.metric_title,
                phrase.moment,
                phrase.number,
                phrase.parsed,
                phrase.stretch,
                prose,
                uncalibrated.uncalibrated,
            )
        }
    )
    environment.globals.update(
        model_path=model_path,
        n_looks=N_LOOKS,
        run_path=run_path,
        window_path=window_path,
        version_made=version_made,
        blind=estimated.BLIND,
        slow_fall_method=SLOW_FALL,
        attribution=ATTRIBUTION,
    )
    return environment


_ENVIRONMENT = _environment()
