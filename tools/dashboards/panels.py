"""Panels as the dashboards use them, with the settings that are the same everywhere."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from tools.dashboards.queries import SOURCE, Query, targets
from tools.dashboards.sdk import (
    common,
    common_models,
    dashboard,
    heatmap,
    heatmap_models,
    models,
    stat,
    statetimeline,
    table,
    timeseries,
)

Steps = Sequence[tuple[str, float | None]]
Properties = Mapping[str, object]
Panel = TypeVar(
    "Panel", stat.Panel, table.Panel, timeseries.Panel, heatmap.Panel, statetimeline.Panel
)

SECONDS: Final = "s"
NEUTRAL: Final[Steps] = (("blue", None),)
BAD: Final[Steps] = (("green", None), ("red", 1))
DOUBTFUL: Final[Steps] = (("green", None), ("orange", 1))
PENALTY: Final[Steps] = (("green", None), ("orange", 1e-9), ("red", 10))
Words = Mapping[str, tuple[str, str]]
# The text and the colour of a value.
STATUS: Final[Words] = {
    "RUNNING": ("RUNNING", "blue"),
    "SUCCESS": ("SUCCESS", "green"),
    "FAILED": ("FAILED", "red"),
    "NO_DATA": ("NO_DATA", "orange"),
}
SURE: Final[Words] = {"1": ("certain", "green"), "0": ("uncertain", "orange")}
MEASURED: Final[Words] = {"0": ("measured", "green"), "1": ("no data", "orange")}

COMPARED: Final[Words] = {
    "1": ("better", "green"),
    "0": ("cannot tell", "transparent"),
    "-1": ("worse", "red"),
}


def properties(given: Properties) -> list[models.DynamicConfigValue]:
    """Settings of an override."""
    return [models.DynamicConfigValue(id_val=name, value=value) for name, value in given.items()]


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Colours from values on; the first has none."""
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for color, value in steps])
    )


def mapping(words: Words) -> models.ValueMap:
    """Words and colours in place of values."""
    return models.ValueMap(
        {
            value: models.ValueMappingResult(text=text, color=color, index=place)
            for place, (value, (text, color)) in enumerate(words.items())
        }
    )


def one(  # noqa: PLR0913  each is a setting of the panel
    title: str,
    description: str,
    query: Query,
    steps: Steps,
    *,
    unit: str = "short",
    decimals: int | None = None,
    filled: bool = True,
) -> stat.Panel:
    """One number, coloured by its steps."""
    panel = (
        _common(stat.Panel(), title, description, [query], unit)
        .thresholds(thresholds(steps))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .color_mode(
            common_models.BigValueColorMode.BACKGROUND
            if filled
            else common_models.BigValueColorMode.VALUE
        )
        .text_mode(common_models.BigValueTextMode.VALUE)
        .no_value("no data")
    )
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    title: str, description: str, queries: Sequence[Query], *, unit: str = "short"
) -> timeseries.Panel:
    """Lines over time; a gap is a gap."""
    return (
        _common(timeseries.Panel(), title, description, queries, unit)
        .draw_style(common_models.GraphDrawStyle.LINE)
        .line_interpolation(common_models.LineInterpolation.STEP_AFTER)
        .line_width(1)
        .fill_opacity(0)
        .show_points(common_models.VisibilityMode.NEVER)
        .span_nulls(span_nulls=False)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
            .calcs([])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
    )


def between(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw `value` as a line in the band from `at least` to `at most`, `threshold` as a limit."""
    panel.override_by_name("value", properties({"color": _fixed("blue"), "custom.lineWidth": 2}))
    panel.override_by_name("at least", properties({"color": _fixed("blue"), "custom.lineWidth": 0}))
    panel.override_by_name(
        "at most",
        properties(
            {
                "color": _fixed("blue"),
                "custom.lineWidth": 0,
                "custom.fillBelowTo": "at least",
                "custom.fillOpacity": 20,
            }
        ),
    )
    return panel.override_by_name(
        "threshold",
        properties(
            {
                "color": _fixed("red"),
                "custom.lineWidth": 2,
                "custom.lineStyle": {"fill": "dash", "dash": [10, 10]},
            }
        ),
    )


def symlog(panel: timeseries.Panel) -> timeseries.Panel:
    """A logarithmic axis that has a 0, for what grows exponentially."""
    scale = common.ScaleDistributionConfig().type(common_models.ScaleDistribution.SYMLOG)
    return panel.scale_distribution(scale.log(10).linear_threshold(1)).min(0)


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Areas on top of each other."""
    mode = common.StackingConfig().mode(common_models.StackingMode.NORMAL)
    return panel.stacking(mode).fill_opacity(30).min(0)


def shaded(panel: timeseries.Panel, steps: Steps) -> timeseries.Panel:
    """Fill the part of the panel that lies past a step."""
    style = common.GraphThresholdsStyleConfig()
    panel.thresholds(thresholds(steps))
    return panel.thresholds_style(style.mode(common_models.GraphThresholdsStyleMode.AREA))


def states(
    title: str,
    description: str,
    queries: Sequence[Query],
    mappings: Words,
) -> statetimeline.Panel:
    """States over time, a line each."""
    return (
        _common(statetimeline.Panel(), title, description, queries, "none")
        .mappings([mapping(mappings)])
        .show_value(common_models.VisibilityMode.NEVER)
        .merge_values(merge_values=True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(80)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
            .calcs([])
        )
    )


def cells(
    title: str, description: str, queries: Sequence[Query], *, unit: str = "short"
) -> table.Panel:
    """A table."""
    return (
        _common(table.Panel(), title, description, queries, unit)
        .thresholds(thresholds((("text", None),)))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .show_header(show_header=True)
        .cell_height(common_models.TableCellHeight.SM)
        .no_value("-")
    )


def columns(panel: table.Panel, shown: Mapping[str, str], *, sort: str) -> table.Panel:
    """One row a set of labels, sorted by a field; these fields under these titles, in this order."""
    steps: Mapping[str, Mapping[str, object]] = {
        "merge": {},
        "sortBy": {"fields": {}, "sort": [{"field": sort, "desc": False}]},
        "filterFieldsByName": {"include": {"names": list(shown)}},
        "organize": {
            "excludeByName": {},
            "indexByName": {name: place for place, name in enumerate(shown)},
            "renameByName": dict(shown),
        },
    }
    return panel.transformations(
        [models.DataTransformerConfig(id_val=name, options=given) for name, given in steps.items()]
    )


def heat(title: str, description: str, query: Query, *, unit: str) -> heatmap.Panel:
    """How often each bucket of a histogram was hit over time."""
    return (
        _common(heatmap.Panel(), title, description, [query], unit)
        .calculate(calculate=False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_models.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .fill("dark-orange")
            .scale(heatmap_models.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
        )
        .y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(common_models.AxisPlacement.LEFT))
        .cell_gap(1)
        .cell_values(heatmap.CellValues().unit("reqps"))
        .show_legend()
    )


def background(words: Words) -> Properties:
    """A column whose cells are filled by their value."""
    return {
        "mappings": [mapping(words)],
        "custom.cellOptions": {"type": "color-background", "mode": "basic"},
    }


def colored(steps: Steps, *, unit: str = "short", decimals: int | None = None) -> Properties:
    """A column whose text is coloured by its steps."""
    given: dict[str, object] = {
        "unit": unit,
        "thresholds": thresholds(steps).build(),
        "custom.cellOptions": {"type": "color-text"},
    }
    return given if decimals is None else {**given, "decimals": decimals}


def _fixed(color: str) -> Mapping[str, str]:
    return {"mode": "fixed", "fixedColor": color}


def _common(
    panel: Panel, title: str, description: str, queries: Sequence[Query], unit: str
) -> Panel:
    return (
        panel.title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(list(targets(queries)))
        .unit(unit)
    )
