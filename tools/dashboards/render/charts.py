"""Lines, heatmaps and states over time, on axes of matplotlib."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, NullFormatter

from tools.dashboards.grafana import Span
from tools.dashboards.render import looks
from tools.dashboards.render.frames import Line, Shown

# matplotlib comes with an extra, so its types are not known here.
Axes = Any

_EMBERS: Final = LinearSegmentedColormap.from_list(
    "embers", [looks.PANEL, "#5a2d0c", "#b3541e", "#ff9830", "#ffe6b3"]
)


def dress(axes: Axes, span: Span, *, ticks: int) -> None:
    """Colours and times of the axes."""
    axes.set_xlim(span.start, span.end)
    room = (span.end - span.start) / ticks
    step = next(step for step in (15, 30, 60, 120, 300, 600, 1800) if step >= room)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: looks.clock(value)))
    axes.tick_params(colors=looks.FAINT, labelsize=6.5, length=0, pad=4)
    axes.grid(visible=True, color=looks.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def legend(one: Shown, names: Sequence[str]) -> list[tuple[str, str]]:
    """The names and colours below a chart."""
    if one.panel["type"] == "timeseries":
        return [(name, _line_color(one, name, place)) for place, name in enumerate(names)]
    if one.panel["type"] == "state-timeline":
        (mapping,) = looks.defaults(one.panel)["mappings"]
        return [(o["text"], looks.color(o["color"])) for o in mapping["options"].values()]
    return []


def lines(axes: Axes, one: Shown, span: Span) -> None:
    """Lines in steps, bands between two of them, and shades past thresholds."""
    settings = looks.defaults(one.panel)
    names = list(dict.fromkeys(line.name for line in one.lines))
    by_name = {line.name: line for line in one.lines}
    scale = settings["custom"].get("scaleDistribution", {})
    if scale.get("type") == "symlog":
        axes.set_yscale("symlog", linthresh=scale["linearThreshold"], base=scale["log"])
        axes.yaxis.set_minor_formatter(NullFormatter())
    bottom: Sequence[float] | None = None
    for line in one.lines:
        color = _line_color(one, line.name, names.index(line.name))
        own = looks.override(one.panel, line.name)
        times, values = _stepped(line, span)
        if settings["custom"].get("stacking", {}).get("mode") == "normal":
            base = bottom or [0.0] * len(values)
            values = [a + b for a, b in zip(base, values, strict=True)]
            axes.fill_between(times, base, values, color=color, alpha=0.3, linewidth=0, step="post")
            bottom = values
        if below := own.get("custom.fillBelowTo"):
            lower = dict(zip(*_stepped(by_name[below], span), strict=True))
            under = [lower.get(time, math.nan) for time in times]
            alpha = own["custom.fillOpacity"] / 100
            axes.fill_between(
                times, under, values, color=color, alpha=alpha, linewidth=0, step="post"
            )
        width = own.get("custom.lineWidth", settings["custom"]["lineWidth"])
        dash = (0, (5, 4)) if "custom.lineStyle" in own else "-"
        if width:
            axes.step(times, values, where="post", color=color, linewidth=width, linestyle=dash)
    if "min" in settings:
        high = axes.get_ylim()[1]
        axes.set_ylim(settings["min"], high * (1.05 if scale.get("type") != "symlog" else 1.0))
    elif "thresholdsStyle" in settings["custom"]:
        _shade(axes, settings)
    unit, decimals = settings["unit"], settings.get("decimals")
    if scale.get("type") != "symlog":
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: looks.formatted(value, unit, decimals))
    )


def heat(axes: Axes, one: Shown, span: Span) -> None:
    """The rate of each bucket, from the cumulative ones."""
    by_bound = {float(line.labels["le"].replace("+Inf", "inf")): line for line in one.lines}
    bounds = sorted(by_bound)
    times = _times(span)
    cells: list[list[float]] = []
    before = [0.0] * len(times)
    for bound in bounds:
        known = {round(at, 3): value for at, value in by_bound[bound].points}
        rates = [known.get(time, math.nan) for time in times]
        cells.append([max(0.0, b - a) for a, b in zip(before, rates, strict=True)])
        before = rates
    hit = [n for n, row in enumerate(cells) if any(value > 0 for value in row)]
    first, last = max(0, hit[0] - 1), min(len(bounds), hit[-1] + 2)
    top = max(value for row in cells for value in row if not math.isnan(value))
    edges = [*times, times[-1] + span.step()]
    norm = PowerNorm(0.5, vmin=0, vmax=top)
    axes.pcolormesh(edges, range(last - first + 1), cells[first:last], cmap=_EMBERS, norm=norm)
    unit = looks.defaults(one.panel)["unit"]
    axes.set_yticks(
        range(1, last - first + 1), [looks.formatted(b, unit) for b in bounds[first:last]]
    )


def states(axes: Axes, one: Shown, span: Span) -> None:
    """A bar for each series, in the colours of its values."""
    mappings = looks.defaults(one.panel)["mappings"]
    ordered = sorted(one.lines, key=lambda line: line.name, reverse=True)
    for row, line in enumerate(ordered):
        for at, value in line.points:
            if found := looks.mapped(mappings, value):
                axes.broken_barh([(at, span.step())], (row + 0.1, 0.8), color=found[1], linewidth=0)
    axes.set_ylim(0, len(ordered))
    axes.set_yticks([row + 0.5 for row in range(len(ordered))], [line.name for line in ordered])


DRAWINGS: Final[Mapping[str, Callable[[Axes, Shown, Span], None]]] = {
    "timeseries": lines,
    "heatmap": heat,
    "state-timeline": states,
}


def _line_color(one: Shown, name: str, place: int) -> str:
    own = looks.override(one.panel, name).get("color")
    return looks.color(own["fixedColor"]) if own else looks.PALETTE[place % len(looks.PALETTE)]


def _times(span: Span) -> list[float]:
    step = span.step()
    first, last = int(span.start // step), int(span.end // step)
    return [round(number * step, 3) for number in range(first, last + 1)]


def _stepped(line: Line, span: Span) -> tuple[list[float], list[float]]:
    """The values at each time of the span; nothing where the series is not there."""
    known = {round(at, 3): value for at, value in line.points}
    times = _times(span)
    return times, [known.get(time, math.nan) for time in times]


def _shade(axes: Axes, settings: Mapping[str, Any]) -> None:
    """Red over the threshold of a distance from a threshold."""
    low, high = axes.get_ylim()
    limit = settings["thresholds"]["steps"][-1]
    if high > limit["value"]:
        axes.axhspan(
            limit["value"], high, color=looks.color(limit["color"]), alpha=0.12, linewidth=0
        )
    axes.set_ylim(low, high)
