"""Run the stage and write docs/images/*.png: ``python -m tools.dashboards.render``."""

import argparse
import asyncio
import io
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from PIL import Image

from sloscore.simulate.fetch import ensure_prometheus
from sloscore.simulate.prometheus import PrometheusProcess
from tools.dashboards.__main__ import DIRECTORY
from tools.dashboards.grafana import ALL, Json, Span
from tools.dashboards.render.draw import Picture
from tools.dashboards.render.frames import Chosen, shown
from tools.dashboards.render.stage import CHAT, CLOSE_UP, JOB, SCRAPE_INTERVAL, Stage, played

IMAGES: Final = DIRECTORY.parent / "docs" / "images"
RULES: Final = sorted((DIRECTORY.parent / "rules").glob("*.yml"))
MAX_BYTES: Final = 200_000


def choices(stage: Stage) -> Mapping[str, Chosen]:
    """What is chosen in each dashboard."""
    return {
        "experiments": {"task": [ALL], "experiment": [ALL], "sli": ["latency_p90"]},
        "experiment": {
            "task": [CHAT],
            "experiment": [CLOSE_UP],
            "sli": [ALL],
            "rate": [ALL],
            "histogram": ["vllm:e2e_request_latency_seconds_bucket"],
            "label": ["instance"],
            "deployment": [stage.servers[CLOSE_UP]],
        },
        "service": {"job": [JOB], "instance": [ALL]},
    }


def draw(stage: Stage, images: Path) -> None:
    """Write a picture of each dashboard."""
    images.mkdir(parents=True, exist_ok=True)
    for name, chosen in choices(stage).items():
        board: Json = json.loads((DIRECTORY / f"{name}.json").read_text())
        start = stage.close_up if name == "experiment" else stage.start
        span = Span(start, stage.end, SCRAPE_INTERVAL, points=240)
        labels = {variable["name"]: variable["label"] for variable in board["templating"]["list"]}
        said = {labels[name]: "All" if v == [ALL] else " + ".join(v) for name, v in chosen.items()}
        panels = list(shown(stage.prometheus, board, chosen, span))
        write(Picture(board["title"], said, panels, span), images / f"{name}.png")


def write(picture: Picture, path: Path) -> None:
    """Write a picture in few colours, which keeps it small."""
    whole = io.BytesIO()
    picture.save(whole)
    Image.open(whole).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        path, optimize=True
    )
    size = path.stat().st_size
    sys.stdout.write(f"{path} {size / 1000:.0f} kB\n")
    if size > MAX_BYTES:
        raise SystemExit(f"{path} is larger than {MAX_BYTES / 1000:.0f} kB")


async def run(place: Path, images: Path) -> None:
    """Play the stage, then draw what Prometheus has seen of it."""
    with PrometheusProcess(
        ensure_prometheus(), place / "prometheus", SCRAPE_INTERVAL
    ) as prometheus:
        async with played(place, prometheus) as stage:
            await asyncio.to_thread(draw, stage, images)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=IMAGES, help="where to write them")
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(run(Path(place), parser.parse_args().images))
