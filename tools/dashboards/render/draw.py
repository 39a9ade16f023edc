"""A dashboard as a picture: panels at their places, numbers and tables in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

from tools.dashboards.board import WIDTH
from tools.dashboards.grafana import Span
from tools.dashboards.render import charts, looks
from tools.dashboards.render.frames import Shown, Value, table

COLUMN: Final = 60
ROW: Final = 34
GAP: Final = 4
TITLE: Final = 26
HEADER: Final = 66
DPI: Final = 100


class Picture:
    """The panels of a dashboard over a time range, below its title and what is chosen in it."""

    def __init__(
        self, title: str, chosen: Mapping[str, str], panels: Sequence[Shown], span: Span
    ) -> None:
        rows = max(one.y + one.height for one in panels)
        self._size = (WIDTH * COLUMN, HEADER + rows * ROW + GAP)
        inches = (self._size[0] / DPI, self._size[1] / DPI)
        self._figure = plt.figure(figsize=inches, dpi=DPI, facecolor=looks.PAGE)
        self._paper = self._axes(0, 0, *self._size)
        self._paper.set(xlim=(0, self._size[0]), ylim=(self._size[1], 0))
        self._paper.axis("off")
        self._span = span
        self._head(title, chosen)
        for one in panels:
            self._draw(one)

    def _head(self, title: str, chosen: Mapping[str, str]) -> None:
        self._write(GAP + 6, 20, title, size=13)
        x = GAP + 6.0
        for label, value in chosen.items():
            self._write(x, 48, label, size=8, color="#6e9fff")
            x += len(label) * 6.6 + 6
            self._write(x, 48, value, size=8)
            x += len(value) * 6.8 + 22

    def save(self, path: Path | BinaryIO) -> None:
        """Write it as PNG."""
        self._figure.savefig(path, facecolor=looks.PAGE)
        plt.close(self._figure)

    def _draw(self, one: Shown) -> None:
        left, top = one.x * COLUMN + GAP, HEADER + one.y * ROW + GAP
        width, height = one.width * COLUMN - 2 * GAP, one.height * ROW - 2 * GAP
        if one.panel["type"] == "row":
            self._write(left + 4, top + height / 2, f"\u2228  {one.title}", size=10)
            return
        self._fill(left, top, width, height, looks.PANEL, edge=looks.BORDER)
        if one.panel["type"] == "stat":
            self._stat(one, left, top, width, height)
        white = one.panel["type"] == "stat" and one.lines
        color = "#ffffff" if white else looks.TEXT
        self._write(left + 10, top + 14, one.title, size=8.5, color=color)
        if not one.lines:
            words = looks.defaults(one.panel).get("noValue", "No data")
            at = (left + width / 2, top + height / 2)
            self._write(*at, words, size=9, color=looks.FAINT, align="center")
        elif one.panel["type"] == "table":
            self._table(one, left, top + TITLE, width, height - TITLE)
        elif one.panel["type"] in charts.DRAWINGS:
            self._chart(one, left, top + TITLE, width, height - TITLE)

    def _stat(self, one: Shown, left: float, top: float, width: float, height: float) -> None:
        if not one.lines:
            return
        settings, line = looks.defaults(one.panel), one.lines[-1]
        value = line.points[-1][1]
        words = looks.formatted(value, settings["unit"], settings.get("decimals"))
        fill = looks.step_color(settings["thresholds"]["steps"], value)
        if found := looks.mapped(settings.get("mappings", ()), value):
            words, fill = found
        if one.panel["options"]["textMode"] == "name":
            words = line.name
            fill = looks.color(looks.override(one.panel, line.name)["color"]["fixedColor"])
        self._fill(left, top, width, height, fill)
        self._write(
            left + width / 2, top + height / 2 + 8, words, size=20, color="#ffffff", align="center"
        )

    def _table(self, one: Shown, left: float, top: float, width: float, height: float) -> None:
        titles, rows = table(one)
        cells = [[self._cell(one, t, v) for t, v in zip(titles, row, strict=True)] for row in rows]
        lengths = [
            max(_length(title), *(_length(cell[0]) for cell in column)) + 3.0
            for title, column in zip(titles, zip(*cells, strict=True), strict=True)
        ]
        widths = [width * length / sum(lengths) for length in lengths]
        step, x = 24.0, left
        for title, room, column in zip(titles, widths, zip(*cells, strict=True), strict=True):
            self._write(x + 9, top + step / 2, title, size=7.5, color="#6e9fff")
            for number, (words, text_color, fill) in enumerate(column):
                y = top + step * (number + 1)
                if y + step > top + height:
                    break
                if fill:
                    self._fill(x, y, room, step - 1, fill)
                self._write(x + 9, y + step / 2, words, size=8, color=text_color)
                self._paper.plot([x, x + room], [y, y], color=looks.BORDER, linewidth=0.6)
            x += room

    def _cell(self, one: Shown, title: str, value: Value) -> tuple[str, str, str | None]:
        """The words of a cell, their colour, and that of the cell."""
        own, general = looks.override(one.panel, title), looks.defaults(one.panel)
        unit, decimals = own.get("unit", general["unit"]), own.get("decimals")
        if unit == "dateTimeFromNow" and isinstance(value, float):
            return looks.ago(self._span.end - value / 1000), looks.TEXT, None
        if value is not None and (found := looks.mapped(own.get("mappings", ()), value)):
            return (
                (found[0], looks.TEXT, None)
                if found[1] == "none"
                else (found[0], "#ffffff", found[1])
            )
        words = looks.formatted(value, unit, decimals)
        steps = own.get("thresholds", {}).get("steps")
        if steps and isinstance(value, float):
            return words, looks.step_color(steps, value), None
        return words, looks.TEXT, None

    def _chart(self, one: Shown, left: float, top: float, width: float, height: float) -> None:
        names = list(dict.fromkeys(line.name for line in one.lines))
        legend = charts.legend(one, names)
        rows = self._legend(legend, left, top + height, width)
        side = 108 if one.panel["type"] == "state-timeline" else 62
        axes = self._axes(left + side, top + 6, width - side - 30, height - 32 - rows * 17)
        axes.set_facecolor(looks.PANEL)
        charts.DRAWINGS[one.panel["type"]](axes, one, self._span)
        if one.panel["type"] == "timeseries":
            for mark in one.marks:
                axes.axvline(mark, color=looks.color("red"), linewidth=1, linestyle=(0, (3, 3)))
        charts.dress(axes, self._span, ticks=max(1, int(width / 110)))

    def _legend(
        self, legend: Sequence[tuple[str, str]], left: float, bottom: float, width: float
    ) -> int:
        """Names from left to right, as many as fit into three rows; returns how many rows."""
        lines: list[list[tuple[float, str, str]]] = [[]]
        x = left + 10
        for name, line_color in legend:
            room = 24 + len(name) * 5.6
            if x + room > left + width and lines[-1]:
                lines.append([])
                x = left + 10
            lines[-1].append((x, name, line_color))
            x += room
        kept = [line for line in lines[:3] if line]
        for number, line in enumerate(kept):
            y = bottom - 11 - 17 * (len(kept) - 1 - number)
            for at, name, line_color in line:
                self._paper.plot([at, at + 10], [y, y], color=line_color, linewidth=3)
                self._write(at + 14, y, name, size=7)
        return len(kept)

    def _axes(self, left: float, top: float, width: float, height: float) -> charts.Axes:
        whole = self._size
        place = (
            left / whole[0],
            1 - (top + height) / whole[1],
            width / whole[0],
            height / whole[1],
        )
        return self._figure.add_axes(place)

    def _fill(  # noqa: PLR0913, PLR0917  a rectangle is made of these
        self, left: float, top: float, width: float, height: float, fill: str, edge: str = "none"
    ) -> None:
        self._paper.add_patch(
            Rectangle((left, top), width, height, facecolor=fill, edgecolor=edge, linewidth=0.8)
        )

    def _write(  # noqa: PLR0913  a text is made of these
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float,
        color: str = looks.TEXT,
        align: str = "left",
    ) -> None:
        # A dollar sign would begin a formula.
        text = words.replace("$", r"\$")
        self._paper.text(x, y, text, fontsize=size, color=color, ha=align, va="center")


def _length(words: str) -> float:
    """About how wide words are, in small letters."""
    return sum(1.3 if letter.isupper() else 1.0 for letter in words)
