"""Link: the way to the next level, to Leeway's own pages, and back."""

from enum import StrEnum
from typing import TypeAlias

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DashboardLink, DashboardLinkType

Links: TypeAlias = list[Builder[DashboardLink]]

TAG = "leeway"
"""What all of Leeway's dashboards are tagged with."""


class Uid(StrEnum):
    """The dashboards' fixed addresses."""

    FLEET = "leeway-fleet"
    MODEL = "leeway-model"
    RETRAINING = "leeway-retraining"
    SERVICE = "leeway-service"

    @property
    def title_text(self) -> str:
        """The dashboard's name."""
        return self.removeprefix("leeway-").capitalize()


_ABOUT_MODELS = (Uid.MODEL, Uid.RETRAINING)


_KEPT = "var-datasource=${datasource}&var-job=${job}&var-leeway=${leeway:percentencode}"


def siblings(uid: Uid, model: str) -> Links:
    """Return the menu at the top of a dashboard: the others, and Leeway's own pages.

    Not Grafana's list by tag: it would hand the choice of all models to the dashboard of one.
    """
    about = {other: model if other in _ABOUT_MODELS else "" for other in Uid}
    boards = [_board(other, other.title_text, about[other]) for other in Uid if other is not uid]
    return [*(one.keep_time(keep_time=True) for one in boards), pages("/", "Leeway's pages")]


def pages(path: str, title: str) -> d.DashboardLink:
    """Return a link to Leeway's own pages."""
    link = d.DashboardLink(title).type(DashboardLinkType.LINK).url(f"${{leeway:raw}}{path}")
    return link.icon("external link").tooltip("Opens Leeway itself").target_blank(target_blank=True)


def board(uid: Uid, title: str, model: str = "") -> d.DashboardLink:
    """Return a link from a panel to another dashboard, about a model if one is given."""
    link = _board(uid, title, model)
    return link.url(f"{_url(uid, model)}&${{__url_time_range}}")


def _board(uid: Uid, title: str, model: str) -> d.DashboardLink:
    return d.DashboardLink(title).type(DashboardLinkType.LINK).url(_url(uid, model))


def _url(uid: Uid, model: str) -> str:
    return f"/d/{uid}?{_KEPT}" + (f"&var-model={model}" if model else "")


def of_model(model: str) -> Links:
    """Return the links from something that shows a model: to its dashboard and to its page."""
    return [
        board(Uid.MODEL, f"Model {model}", model),
        pages(f"/models/{model}", f"Leeway's page of {model}"),
    ]


def data_links(model: str) -> list[dict[str, object]]:
    """Return the same links as an override has them."""
    links = (one.build() for one in of_model(model))
    return [{"title": x.title, "url": x.url, "targetBlank": x.target_blank} for x in links]


IN_ROW = "${__data.fields.model}"
IN_SERIES = "${__field.labels.model}"
"""How Grafana names the model of a table's row, and of a line."""
