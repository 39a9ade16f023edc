"""The table and the picture of docs/penalties.md: ``python -m tools.penalties --write``.

Without ``--write`` the table is printed. The picture needs the extra ``analysis``.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sloscore.core.curve import (
    ContinuousExponential,
    Curve,
    Exponential,
    Linear,
    Piecewise,
    Polynomial,
)

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/penalties.md"
PICTURE: Final = ROOT / "docs/images/penalties.svg"
CURVES: Final[Mapping[str, Curve]] = {
    "exponential": Exponential(),
    "continuous_exponential": ContinuousExponential(),
    "linear": Linear(),
    "polynomial": Polynomial(),
    "polynomial, degree 3": Polynomial(degree=3.0),
    "piecewise": Piecewise(((0.05, 0.0), (0.2, 3.0), (0.3, 10.0))),
}
_RATIOS: Final = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
_TABLE: Final = re.compile(r"(<!-- table: penalties -->\n)(?:\|[^\n]*\n)+")
# Colours that stay apart for the colour-blind (Okabe and Ito), and dashes for those without any.
_LOOKS: Final = (
    ("#D55E00", "-"),
    ("#E69F00", "--"),
    ("#0072B2", "-"),
    ("#009E73", "-"),
    ("#009E73", "--"),
    ("#333333", "-."),
)


def table() -> str:
    """Penalties at weight 1 as a table in Markdown."""
    head = ["over the threshold", *CURVES]
    rows = [
        [f"{ratio * 100:g} %", *(f"{curve.value(ratio):.4g}" for curve in CURVES.values())]
        for ratio in _RATIOS
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def draw(path: Path) -> None:
    """Draw all functions, near the threshold and far past it."""
    import matplotlib as mpl  # noqa: PLC0415  the table does without it
    from matplotlib.figure import Figure  # noqa: PLC0415  the same

    style = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E6E6E6",
        "svg.fonttype": "none",
        "svg.hashsalt": "sloscore",
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(10, 4.6), layout="constrained")
        near, far = figure.subplots(1, 2)
        for axis, last in ((near, 0.25), (far, 1.0)):
            # The third one shows a jump at the threshold as what it is.
            ratios = [-last / 5, 0.0, 1e-9, *(last * step / 100 for step in range(1, 101))]
            percent = [100 * ratio for ratio in ratios]
            for (name, curve), (color, dash) in zip(CURVES.items(), _LOOKS, strict=True):
                costs = [curve.value(ratio) for ratio in ratios]
                axis.plot(percent, costs, color=color, linestyle=dash, label=name)
            axis.axvline(0, color="#999999", linewidth=0.8)
            axis.set_xlabel("over the threshold, %")
            axis.set_ylabel("penalty at weight 1")
        near.set_ylim(-0.2, 10)
        near.set_title("near the threshold", loc="left")
        far.set_yscale("symlog", linthresh=1)
        far.set_ylim(-0.1, 3e4)
        far.set_title("far past it (linear up to 1, logarithmic above)", loc="left")
        handles, labels = near.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the table, or write it and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write page and picture anew")
    if not parser.parse_args().write:
        print(table(), end="")  # noqa: T201  a command prints
        return
    page, found = _TABLE.subn(lambda match: match[1] + table(), PAGE.read_text("utf-8"))
    if found != 1:
        raise SystemExit(f"{PAGE} has no table marked with <!-- table: penalties -->")
    PAGE.write_text(page, encoding="utf-8")
    draw(PICTURE)


if __name__ == "__main__":
    main()
