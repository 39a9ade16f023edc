"""The picture of bench_optimisers.py: how many searches are there, by what they have spent."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

_COLOURS = ("#999999", "#56B4E9", "#0072B2", "#E69F00", "#CC79A7", "#009E73", "#D55E00")
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    # A picture of the same searches is the same file.
    "svg.hashsalt": "sloscore",
}


@dataclass(frozen=True)
class Curve:
    """A kind of search: what each of them spent until it was there (inf: never), and the budget."""

    name: str
    spent: Sequence[float]
    budget: float


def draw(rows: Mapping[str, Sequence[Sequence[Curve]]], units: Sequence[str], path: Path) -> None:
    """A row of panels for each problem, a panel for each unit that is spent, as SVG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 7), layout="constrained")
        grid = figure.subplots(len(rows), len(units), sharey=True, sharex="col")
        for axes, (problem, panels) in zip(grid, rows.items(), strict=True):
            for axis, curves in zip(axes, panels, strict=True):
                for number, (curve, colour) in enumerate(zip(curves, _COLOURS, strict=True)):
                    there = sorted(spent for spent in curve.spent if math.isfinite(spent))
                    shares = [place / len(curve.spent) for place in range(len(there) + 1)]
                    axis.step(
                        [0.0, *there, max([curve.budget, *there])],
                        [*shares, shares[-1]],
                        where="post",
                        label=curve.name,
                        color=colour,
                        # What lies under another line is to be seen beside it.
                        linewidth=1 + 0.7 * (len(curves) - 1 - number),
                    )
            axes[0].set(ylabel=f"{problem}: share of searches there", ylim=(0, 1.02))
        for axis, unit in zip(grid[-1], units, strict=True):
            axis.set(xlabel=unit)
        lines, names = grid[0][0].get_legend_handles_labels()
        figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
