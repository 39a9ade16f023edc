"""What docs/benchmarks.md makes of its own tables: the table of goals, and the pictures.

    python bench/digest.py docs/benchmarks.md

Nothing is measured. Pictures go into ``images`` beside the document.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from chart import Line, Panel, svg
from document import number_in, replaced, rows_of
from goals import goals

# Prometheus tells its processor time in steps of 0.01 s; half of one is drawn where it tells of none.
CPU_FLOOR = 0.005
WALL_FLOOR = 0.0005
# In the order of their colours, the same in each picture.
CLIENTS = (
    "sloscore",
    "12 grouped queries",
    "sloscore's HTTP calls alone",
    "sloscore, no new scrape",
    "prometheus-api-client",
    "slo-generator",
)


def tick(text: str) -> str:
    """A tick by how many experiments run, a line for each client."""
    head, *rows = rows_of(text, "tick")
    client = head.index("client")
    names = sorted({_client(row[client]) for row in rows}, key=CLIENTS.index)

    def panel(title: str, column: str, floor: float) -> Panel:
        value = head.index(column)
        lines = [
            Line(
                name,
                [
                    (number_in(row[0]), number_in(row[value]))
                    for row in rows
                    if _client(row[client]) == name
                ],
            )
            for name in names
        ]
        return Panel(title, head[0], lines, floor)

    panels = (
        panel("wall time, s", "wall", WALL_FLOOR),
        panel("processor time of Prometheus, s", "Prometheus CPU", CPU_FLOOR),
    )
    return svg(panels, "A tick by experiments")


def windows(text: str) -> str:
    """Processor time of Prometheus by how long windows are."""
    head, *rows = rows_of(text, "windows")
    # The columns of each client follow the one of its wall time.
    lines = [
        Line(
            name.removesuffix(", wall"),
            [(number_in(row[0]), number_in(row[place + 1])) for row in rows],
        )
        for place, name in enumerate(head)
        if name.endswith(", wall")
    ]
    panel = Panel("processor time of Prometheus, s", f"{head[0]}, s", lines, CPU_FLOOR)
    return svg([panel], "A tick by the length of the windows")


PICTURES: Mapping[str, Callable[[str], str]] = {
    "bench-tick.svg": tick,
    "bench-windows.svg": windows,
}


def digest(document: Path) -> Sequence[Path]:
    """Make the goals and the pictures of a document anew; returns where these are.

    Raises ValueError where it lacks a table.
    """
    text = document.read_text(encoding="utf-8")
    document.write_text(replaced(text, "goals", goals(text)), encoding="utf-8")
    images = document.parent / "images"
    images.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (images / name).write_text(draw(text), encoding="utf-8")
    return [images / name for name in PICTURES]


def _client(cell: str) -> str:
    """The name of a client, without how much of it was measured."""
    return re.sub(r" \(.* measured\)$", "", cell)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("document", type=Path, help="docs/benchmarks.md or a copy")
    for picture in digest(parser.parse_args().document):
        print(picture)


if __name__ == "__main__":
    main()
