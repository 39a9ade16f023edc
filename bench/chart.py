"""Lines on logarithmic axes, as SVG that is the same bytes for the same data.

A picture brings its own background, in the colours that the reader's browser prefers, light or dark.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 400, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 20, 34, 46
_INSET = 12
_LEGEND_WIDTH, _LEGEND_LINE = 250, 19
_LABEL_GAP = 4
# Colours that stay apart for the colour-blind (Okabe and Ito), darker ones on white.
_LIGHT = ("#D55E00", "#0072B2", "#009E73", "#B07AA1", "#A67500", "#444444")
_DARK = ("#FF8A3D", "#56B4E9", "#2FC79B", "#DDA0CC", "#E6B800", "#CCCCCC")
# And shapes for those without any: paths around the place of a point.
_SHAPES = (
    "m-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "m-3.5,-3.5h7v7h-7z",
    "m0,-4.5l4.5,8h-9z",
    "m0,-5l5,5l-5,5l-5,-5z",
    "m0,4.5l4.5,-8h-9z",
    "m-4.5,-1.5h3v-3h3v3h3v3h-3v3h-3v-3h-3z",
)


@dataclass(frozen=True)
class Line:
    """Points from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """Lines by the same names as those of other panels; what lies below ``floor`` is drawn on it, hollow."""

    title: str
    across: str
    lines: Sequence[Line]
    floor: float


def svg(panels: Sequence[Panel], title: str) -> str:
    """The panels side by side with one legend; the data stand in its description.

    Raises ValueError where there are more lines than colours, or a panel has no points.
    """
    names = [line.name for line in panels[0].lines]
    if len(names) > len(_LIGHT):
        raise ValueError(f"{len(names)} lines, and colours for {len(_LIGHT)}")
    width = _WIDTH * len(panels)
    columns = width // _LEGEND_WIDTH
    height = _HEIGHT + _LEGEND_LINE * math.ceil(len(names) / columns) + 8
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_described(panels))}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="page" {size}/>',
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({_WIDTH * number})">', *_drawn(panel), "</g>"]
    for number, name in enumerate(names):
        left = _LEFT + number % columns * _LEGEND_WIDTH
        top = _HEIGHT + _LEGEND_LINE * (number // columns) + 4
        parts += [
            f'<g class="c{number}"><path class="line" d="M{left - 14},{top}h28"/>',
            f'<path class="dot" d="M{left},{top}{_SHAPES[number]}"/></g>',
            f'<text x="{left + 20}" y="{top + _LABEL_GAP}">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _style() -> str:
    """The looks: light ones, and dark ones for browsers that prefer them."""

    def scheme(page: str, ink: str, grid: str, colours: Sequence[str]) -> str:
        drawn = "".join(f".c{number}{{color:{one}}}" for number, one in enumerate(colours))
        return f".page{{fill:{page}}}text{{fill:{ink}}}.grid{{stroke:{grid}}}{drawn}"

    return (
        "text{font:12px sans-serif}.end{text-anchor:end}.middle{text-anchor:middle}"
        ".line{fill:none;stroke:currentColor;stroke-width:2}.grid{fill:none}"
        ".dot{fill:currentColor}.dot,.hollow{stroke:currentColor}.hollow{fill:none;stroke-width:1.5}"
        + scheme("#FFFFFF", "#222222", "#DDDDDD", _LIGHT)
        + "@media(prefers-color-scheme:dark){"
        + scheme("#15181C", "#E2E2E2", "#3A3F45", _DARK)
        + "}"
    )


def _described(panels: Sequence[Panel]) -> str:
    return "\n".join(
        f"{panel.title}; {line.name}: " + ", ".join(f"{x:,g}: {y:g}" for x, y in line.points)
        for panel in panels
        for line in panel.lines
    )


def _drawn(panel: Panel) -> Iterator[str]:
    """A panel's grid, then its lines."""
    points = [(x, max(y, panel.floor)) for line in panel.lines for x, y in line.points]
    if not points:
        raise ValueError(f"nothing is drawn in {panel.title!r}")
    ticks = sorted({x for x, _ in points})
    steps = _steps([y for _, y in points])
    left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM

    def across(x: float) -> float:
        return _between(x, (ticks[0], ticks[-1]), (left + _INSET, right - _INSET))

    def up(y: float) -> float:
        return _between(y, (steps[0], steps[-1]), (bottom, top))

    yield f'<text x="{left}" y="{_TOP - 14}">{escape(panel.title)}</text>'
    for y in steps:
        yield f'<path class="grid" d="M{left},{up(y):.1f}H{right}"/>'
        yield f'<text class="end" x="{left - 6}" y="{up(y) + _LABEL_GAP:.1f}">{y:,g}</text>'
    for x in ticks:
        yield f'<path class="grid" d="M{across(x):.1f},{top}V{bottom}"/>'
        yield f'<text class="middle" x="{across(x):.1f}" y="{bottom + 17}">{x:,g}</text>'
    middle = (left + right) / 2
    yield f'<text class="middle" x="{middle:g}" y="{bottom + 34}">{escape(panel.across)}</text>'
    for number, line in enumerate(panel.lines):
        places = [(across(x), up(max(y, panel.floor))) for x, y in line.points]
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<g class="c{number}"><path class="line" d="M{path}"/>'
        for (x, y), (_, value) in zip(places, line.points, strict=True):
            kind = "dot" if value >= panel.floor else "hollow"
            yield f'<path class="{kind}" d="M{x:.1f},{y:.1f}{_SHAPES[number]}"/>'
        yield "</g>"


def _between(value: float, values: tuple[float, float], places: tuple[float, float]) -> float:
    """The place of a value on a logarithmic axis; the middle of one that has no extent."""
    low, high = (math.log10(one) for one in values)
    share = (math.log10(value) - low) / (high - low) if high > low else 0.5
    return places[0] + share * (places[1] - places[0])


def _steps(values: Sequence[float]) -> list[float]:
    """The lines of a grid around the values: powers of ten, and 2 and 5 times them where those are few."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    last = max(last, first + 1)
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    steps = [factor * 10.0**power for power in range(first, last) for factor in factors]
    return [*steps, 10.0**last]
