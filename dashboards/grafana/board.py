"""Board: a whole dashboard, its panels laid out from left to right and from top to bottom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLink,
    GridPos,
    Panel,
    RowPanel,
    VariableModel,
)

from dashboards.grafana import variable
from dashboards.grafana.link import TAG, Uid, pages, siblings

N_COLUMNS = 24
"""Columns of Grafana's grid."""

PanelBuilder: TypeAlias = Builder[Panel]


@dataclass(frozen=True)
class Section:
    """Panels under a heading.

    Parameters
    ----------
    title : str
        The question that the panels answer.
    panels : sequence of panels
        With their widths and heights.
    folded : bool
        Shown as a heading alone until it is opened.
    """

    title: str
    panels: Sequence[PanelBuilder]
    folded: bool = False


@dataclass(frozen=True)
class Board:
    """What a dashboard is about.

    Parameters
    ----------
    uid : Uid
        Its address.
    description : str
        Which question it answers.
    since : str
        Where its time range starts, for instance ``now-30d``.
    model : str
        What its links say of the model; empty where none was chosen, or several may be.
    page : str
        The page of Leeway's own that its panels link to.
    """

    uid: Uid
    description: str
    since: str
    model: str = ""
    page: str = "/"


def assemble(
    board: Board,
    choices: Sequence[Builder[VariableModel]],
    sections: Sequence[Section],
    annotations: Sequence[d.AnnotationQuery] = (),
) -> Dashboard:
    """Put a dashboard together.

    Parameters
    ----------
    board : Board
        What it is about.
    choices : sequence of variables
        What can be chosen besides data source, deployment and Leeway's address.
    sections : sequence of Section
        The panels.
    annotations : sequence of annotations
        What is drawn across the panels.
    """
    shown = (
        d.Dashboard(f"Leeway / {board.uid.title_text}")
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .time(board.since, "now")
        .timezone("browser")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables([variable.data_source(), variable.deployment(), *choices, variable.leeway_url()])
        .annotations(list(annotations))
        .links(siblings(board.uid, board.model))
        .build()
    )
    shown.panels = list(_laid_out(sections))
    _link(shown, pages(board.page, "Open in Leeway").build())
    return shown


def _link(shown: Dashboard, fallback: DashboardLink) -> None:
    """Give panels without a link one."""
    for panel in every_panel(shown):
        panel.links = panel.links or [fallback]


def every_panel(shown: Dashboard) -> Iterator[Panel]:
    """Yield the panels, those in folded rows too."""
    for panel in shown.panels or []:
        if isinstance(panel, RowPanel):
            yield from panel.panels
        else:
            yield panel


def _laid_out(sections: Sequence[Section]) -> Iterator[Panel | RowPanel]:
    """Give every panel its number and its place."""
    y, number = 0, 1
    for section in sections:
        row = d.Row(section.title).id(number).collapsed(section.folded).build()
        row.grid_pos = GridPos(h=1, w=N_COLUMNS, x=0, y=y)
        placed = list(_placed(section.panels, y + 1, number + 1))
        row.panels = placed if section.folded else []
        yield row
        if section.folded:
            y += 1
        else:
            yield from placed
            y = max(_bottom(panel) for panel in placed)
        number += 1 + len(placed)


def _placed(panels: Sequence[PanelBuilder], top: int, first_number: int) -> Iterator[Panel]:
    x, y, height = 0, top, 0
    for number, builder in enumerate(panels, first_number):
        panel = builder.build()
        size = panel.grid_pos or GridPos()
        if x + size.w > N_COLUMNS:
            x, y, height = 0, y + height, 0
        panel.grid_pos = GridPos(h=size.h, w=size.w, x=x, y=y)
        panel.id_val = number
        yield panel
        x, height = x + size.w, max(height, size.h)


def _bottom(panel: Panel) -> int:
    return panel.grid_pos.y + panel.grid_pos.h if panel.grid_pos else 0
