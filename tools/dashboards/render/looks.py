"""Colours, units and settings of panels, as Grafana's dark theme has them."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tools.dashboards.grafana import Json

PAGE: Final = "#111217"
PANEL: Final = "#181b1f"
BORDER: Final = "#2c3235"
GRID: Final = "#2a2e33"
TEXT: Final = "#ccccdc"
FAINT: Final = "#8e8e9c"
NAMED: Final[Mapping[str, str]] = {
    "green": "#56a64b",
    "orange": "#ff9830",
    "red": "#e0344a",
    "blue": "#3274d9",
    "text": TEXT,
    "transparent": "none",
}
PALETTE: Final = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c",
    "#5794f2", "#b877d9", "#96d98d", "#ffb357", "#56d0e0",
)  # fmt: skip


def color(name: str) -> str:
    """A colour of the theme by its name."""
    return NAMED.get(name, name)


Value = float | str | None


def formatted(value: Value, unit: str, decimals: int | None = None) -> str:
    """A value as Grafana writes it, more or less."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if math.isinf(value):
        return "\u221e" if value > 0 else "-\u221e"
    return _number(value, unit, decimals)


def ago(seconds: float) -> str:
    """A time in the past, as Grafana words it."""
    if seconds < 45:
        return "a few seconds ago"
    return "a minute ago" if seconds < 90 else f"{seconds / 60:.0f} minutes ago"


def _number(value: float, unit: str, decimals: int | None) -> str:
    if unit == "percentunit":
        return _trimmed(value * 100, decimals) + "%"
    if unit == "s":
        return _seconds(value, decimals)
    text = _short(value, decimals)
    suffix = {"ops": " ops/s", "reqps": " req/s"}.get(unit, unit.removeprefix("suffix:"))
    return text if unit in {"short", "none"} else text + suffix


def _seconds(value: float, decimals: int | None) -> str:
    for factor, name in ((1e-6, "\u00b5s"), (1e-3, "ms"), (1.0, "s")):
        if abs(value) < factor * 1000 or name == "s":
            return "0 s" if value == 0 else f"{_trimmed(value / factor, decimals)} {name}"
    raise AssertionError(value)


def _short(value: float, decimals: int | None) -> str:
    for factor, name in (
        (1e15, " Quadr"),
        (1e12, " Tri"),
        (1e9, " Bil"),
        (1e6, " Mil"),
        (1e3, " K"),
    ):
        if abs(value) >= factor:
            return _trimmed(value / factor, decimals) + name
    return _trimmed(value, decimals)


def _trimmed(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def clock(seconds: float) -> str:
    """The time on an axis."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def step_color(steps: list[Json], value: float) -> str:
    """The colour of the last step that a value reaches."""
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return color(reached[-1]["color"])


def defaults(panel: Json) -> Json:
    """The settings that all series of a panel have."""
    return panel["fieldConfig"]["defaults"]


def override(panel: Json, name: str) -> dict[str, Any]:
    """The settings that the series or column of this name has for itself."""
    found: dict[str, Any] = {}
    for one in panel["fieldConfig"].get("overrides", ()):
        if one["matcher"] == {"id": "byName", "options": name}:
            found |= {given["id"]: given["value"] for given in one["properties"]}
    return found


def mapped(mappings: Sequence[Json], value: Value) -> tuple[str, str] | None:
    """The words and the colour that stand for a value."""
    key = f"{value:g}" if isinstance(value, float) else str(value)
    for one in mappings:
        if key in one["options"]:
            return one["options"][key]["text"], color(one["options"][key]["color"])
    return None
