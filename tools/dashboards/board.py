"""A dashboard from its rows: panels get their ids and places here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tools.dashboards.sdk import Builder, JSONEncoder, dashboard, models

# Grafana 10.0 writes 38; later releases read it and bring it up to date themselves.
SCHEMA_VERSION: Final = 38
WIDTH: Final = 24
TAG: Final = "sloscore"

Panel = Builder[models.Panel]


@dataclass(frozen=True, slots=True)
class Band:
    """Panels side by side, each with its width in columns of 24."""

    height: int
    panels: Sequence[tuple[Panel, int]]


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of the dashboard."""

    title: str
    bands: Sequence[Band]


@dataclass(frozen=True, slots=True)
class Board:
    """A whole dashboard; ``uid`` is in links to it and must never change."""

    uid: str
    title: str
    description: str
    variables: Sequence[Builder[models.VariableModel]]
    rows: Sequence[Row]
    annotations: Sequence[Builder[models.AnnotationQuery]] = ()
    links: Sequence[Builder[models.DashboardLink]] = ()

    def to_json(self) -> str:
        """The dashboard as Grafana reads it, the same at each call."""
        built = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG, "slo"])
            .time("now-30m", "now")
            .refresh("10s")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .variables(list(self.variables))
            .annotations(list(self.annotations))
            .links([*_links(), *self.links])
            .build()
        )
        built.schema_version = SCHEMA_VERSION
        built.version = 1
        built.panels = _place(self.rows)
        return json.dumps(built, cls=JSONEncoder, indent=2) + "\n"


def _links() -> Sequence[Builder[models.DashboardLink]]:
    """To the other dashboards, with the same experiment and time range."""
    others = (
        dashboard.DashboardLink("Dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )
    return [others]


def _place(rows: Sequence[Row]) -> list[models.Panel | models.RowPanel]:
    placed: list[models.Panel | models.RowPanel] = []
    y = 0
    for row in rows:
        title = dashboard.Row(row.title).id(len(placed) + 1)
        placed.append(title.grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=y)).build())
        y += 1
        for band in row.bands:
            x = 0
            for panel, width in band.panels:
                built = panel.build()
                built.id_val = len(placed) + 1
                built.grid_pos = models.GridPos(h=band.height, w=width, x=x, y=y)
                placed.append(built)
                x += width
            y += band.height
    return placed
