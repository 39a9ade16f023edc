"""A backtest as a picture: score and penalty over time, and each SLI against its limits."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sloscore.core.penalty import Slo, hard_limit
from sloscore.core.scoring import Status
from sloscore.core.sli import Sli
from sloscore.core.verdict import Verdict
from sloscore.evaluation.backtest import ERROR, Row
from sloscore.wire import SliReport

# Colours that stay apart for the colour-blind (Okabe and Ito).
_BLUE, _ORANGE, _RED, _GREY, _INK = "#0072B2", "#E69F00", "#D55E00", "#999999", "#333333"
_OF_VERDICT = {Verdict.MET: _BLUE, Verdict.VIOLATED: _ORANGE, Verdict.HARD_FAIL: _RED}
# From this ratio of the largest to the smallest value on a linear axis hides the small ones.
_LOG_FROM = 20.0
# Beyond them the room at the top of an axis would leave the range of floats.
_MOST_DECADES = 280.0
_MARKS: Mapping[str, tuple[str, dict[str, object]]] = {
    Status.FAILED: ("hard fail", {"facecolor": _RED, "alpha": 0.13}),
    Status.NO_DATA: ("no data", {"facecolor": "none", "edgecolor": _GREY, "hatch": "///"}),
    ERROR: ("error", {"facecolor": _GREY, "alpha": 0.5}),
}
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "hatch.linewidth": 0.5,
    # Text stays text, so that it can be searched.
    "svg.fonttype": "none",
    # A picture of the same rows is the same file.
    "svg.hashsalt": "sloscore",
}

Span = tuple[float, float]
Shown = tuple[Span, Row]
"""A row, and from where to where it is drawn on the time axis (days)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn: rows, the SLIs with their limits, and Prometheus' own figures by SLI id.

    ``own_label`` says how Prometheus came to its figures.
    """

    title: str
    subtitle: str
    rows: Sequence[Row]
    limits: Sequence[tuple[Sli, Slo]]
    base_unit: str
    own: Mapping[str, pd.Series]
    own_label: str


def draw(picture: Picture, ending: str) -> bytes:
    """The picture as PNG (``.png``) or SVG (``.svg``)."""
    with mpl.rc_context(_STYLE):
        panels = 2 + len(picture.limits)
        figure = Figure(figsize=(12, 1.6 + 1.75 * panels), layout="constrained")
        axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        shown = _shown(picture.rows)
        _score(axes[0], shown, picture.base_unit)
        _penalty(axes[1], shown)
        for axis, (sli, slo) in zip(axes[2:], picture.limits, strict=True):
            _sli(axis, shown, sli, slo, picture.own.get(sli.id))
        for number, axis in enumerate(axes):
            _mark(axis, shown, number)
        _time_axis(axes[-1], picture.rows)
        figure.suptitle(
            picture.title, x=0.01, ha="left", fontsize=12, fontweight="bold", parse_math=False
        )
        axes[0].set_title(picture.subtitle, loc="left", fontsize=9, parse_math=False)
        figure.align_ylabels()
        figure.legend(handles=_legend(picture), loc="outside lower left", ncols=5, frameon=False)
        file = io.BytesIO()
        kind = ending.removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(file, format=kind, dpi=120, metadata=metadata)
    return file.getvalue()


def _score(axis: Axes, shown: Sequence[Shown], unit: str) -> None:
    known = [
        (span, row.report)
        for span, row in shown
        if row.report is not None and row.report.status == Status.SUCCESS
    ]
    segments = [(span, report.score) for span, report in known if report.score is not None]
    bands = [(span, r.score_interval) for span, r in known if r.score_interval is not None]
    ends = [end for _, band in bands for end in band]
    _scale(axis, [*(value for _, value in segments), *ends])
    _bands(axis, bands, [_BLUE] * len(bands), "score-bands")
    _segments(axis, segments, [_BLUE] * len(segments), "scores")
    infinite = [(start + end) / 2 for (start, end), row in shown if row.status == Status.FAILED]
    if infinite:
        place = {"transform": axis.get_xaxis_transform(), "gid": "infinite"}
        axis.scatter(infinite, [0.93] * len(infinite), c=_RED, s=22, marker="x", **place)
    axis.set_ylabel(f"score ({unit})")


def _penalty(axis: Axes, shown: Sequence[Shown]) -> None:
    known = [
        (span, row.report.penalty, _RED if row.status == Status.FAILED else _BLUE)
        for span, row in shown
        if row.report is not None and row.report.penalty is not None
    ]
    highest = max((value for _, value, _ in known if math.isfinite(value)), default=0.0)
    if highest > _LOG_FROM:
        # A penalty is 0, or mostly above 1.
        decades = min(math.log10(highest), _MOST_DECADES)
        axis.set_yscale("symlog", linthresh=1.0, linscale=0.5)
        axis.set_ylim(-(10 ** (0.04 * decades)), 10 ** (1.08 * decades))
        step = math.ceil(decades / 4)
        axis.set_yticks([0.0, *(10.0**power for power in range(step, int(decades) + 1, step))])
        axis.minorticks_off()
    else:
        axis.set_ylim(-0.05 * max(highest, 1.0), 1.1 * max(highest, 1.0))
    segments = [(span, value) for span, value, _ in known]
    _segments(axis, segments, [color for _, _, color in known], "penalties")
    axis.set_ylabel("penalty")


def _sli(axis: Axes, shown: Sequence[Shown], sli: Sli, slo: Slo, own: pd.Series | None) -> None:
    known = [
        (span, found)
        for span, row in shown
        if (found := _find(row, sli.id)) is not None and found.value is not None
    ]
    segments = [(span, found.value) for span, found in known if found.value is not None]
    bands = [
        (span, (found.lower, found.upper))
        for span, found in known
        if found.lower is not None and found.upper is not None
    ]
    colors = [_OF_VERDICT.get(found.verdict, _GREY) for _, found in known]
    values = [slo.threshold, *(value for _, value in segments)]
    values += [hard_limit(slo)] if slo.hard_fail else []
    values += [end for _, band in bands for end in band]
    values += [] if own is None else list(own.dropna())
    _scale(axis, values)
    _bands(axis, bands, colors, f"{sli.id}-bands")
    if own is not None:
        axis.plot(own.index, own, color=_INK, linewidth=0.9, gid=f"{sli.id}-prometheus")
    _segments(axis, segments, colors, f"{sli.id}-values")
    axis.axhline(slo.threshold, color=_INK, linestyle="--", linewidth=1)
    if slo.hard_fail:
        axis.axhline(hard_limit(slo), color=_RED, linestyle=":", linewidth=1.4)
    axis.set_ylabel(f"{sli.id} ({sli.signal.unit})")


def _find(row: Row, sli: str) -> SliReport | None:
    slis = row.report.slis if row.report else ()
    return next((found for found in slis if found.sli == sli), None)


def _scale(axis: Axes, values: Iterable[float]) -> None:
    """An axis that shows all finite values, logarithmic where they lie far apart."""
    finite = [value for value in values if math.isfinite(value)]
    above = [value for value in finite if value > 0]
    low, high = min(above, default=0.1), max(above, default=1.0)
    if high > _LOG_FROM * low:
        axis.set_yscale("log")
        axis.set_ylim(low / 1.3, high * 1.3)
    else:
        axis.set_ylim(0, high * 1.08)


def _segments(
    axis: Axes, segments: Sequence[tuple[Span, float]], colors: Sequence[str], gid: str
) -> None:
    """A line over each window, and a dot that stays visible where windows are narrow."""
    top = axis.get_ylim()[1]
    cut = [(span, min(value, top)) for span, value in segments]
    lines = [[(start, value), (end, value)] for (start, end), value in cut]
    axis.add_collection(LineCollection(lines, colors=list(colors), linewidths=2.2, gid=gid))
    middles = [((start + end) / 2, value) for (start, end), value in cut]
    if middles:
        axis.scatter(*zip(*middles, strict=True), c=list(colors), s=5, zorder=3)


def _bands(axis: Axes, bands: Sequence[tuple[Span, Span]], colors: Sequence[str], gid: str) -> None:
    bottom, top = axis.get_ylim()
    boxes = []
    for (left, right), ends in bands:
        low, high = max(ends[0], bottom), min(ends[1], top)
        boxes.append([(left, low), (right, low), (right, high), (left, high)])
    look = {"alpha": 0.2, "linewidths": 0, "antialiased": False}
    axis.add_collection(PolyCollection(boxes, facecolors=list(colors), gid=gid, **look))


def _mark(axis: Axes, shown: Sequence[Shown], panel: int) -> None:
    """Windows without a score are marked over the whole height."""
    for status, (word, look) in _MARKS.items():
        spans = [(start, end - start) for (start, end), row in shown if row.status == status]
        if spans:
            place = {"transform": axis.get_xaxis_transform(), "zorder": 0, "antialiased": False}
            gid = f"{word.replace(' ', '-')}-{panel}"
            axis.broken_barh(spans, (0, 1), gid=gid, linewidth=0, **place, **look)


def _time_axis(axis: Axes, rows: Sequence[Row]) -> None:
    start = _day(min(row.window.start for row in rows))
    end = _day(max(row.window.end for row in rows))
    margin = 0.01 * (end - start)
    axis.set_xlim(start - margin, end + margin)
    locator = mdates.AutoDateLocator(tz="UTC")
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz="UTC"))
    axis.set_xlabel("time (UTC)")


def _shown(rows: Sequence[Row]) -> list[Shown]:
    """Rows with where they are drawn; of a window that overlaps the one before only what is new."""
    shown = []
    before = -math.inf
    for row in sorted(rows, key=lambda row: row.window.end):
        start, end = row.window.start, row.window.end
        begin = max(start, before) if before < end else start
        shown.append(((_day(begin), _day(end)), row))
        before = end
    return shown


def _legend(picture: Picture) -> list[object]:
    handles: list[object] = [
        Line2D([], [], color=color, linewidth=2.2, label=f"value, {word}")
        for color, word in ((_BLUE, "met"), (_ORANGE, "violated"), (_RED, "hard fail"))
    ]
    handles.append(Patch(color=_BLUE, alpha=0.2, linewidth=0, label="what buckets leave open"))
    if picture.limits:
        handles.append(Line2D([], [], color=_INK, linestyle="--", label="threshold"))
    if any(slo.hard_fail for _, slo in picture.limits):
        handles.append(Line2D([], [], color=_RED, linestyle=":", label="hard limit"))
    if picture.own:
        handles.append(Line2D([], [], color=_INK, linewidth=0.9, label=picture.own_label))
    seen = {row.status for row in picture.rows}
    if Status.FAILED in seen:
        mark = {"color": _RED, "marker": "x", "linestyle": "", "label": "infinitely bad score"}
        handles.append(Line2D([], [], **mark))
    handles += [
        Patch(label=f"window: {word}", **look)
        for status, (word, look) in _MARKS.items()
        if status in seen
    ]
    return handles


def _day(seconds: float) -> float:
    """Unix seconds as matplotlib counts time."""
    return float(mdates.date2num(np.datetime64(round(seconds * 1000), "ms")))
