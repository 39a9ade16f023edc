"""The pictures of the pages in docs/images, made anew on request: SLOSCORE_PICTURES=1."""

import os
from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.e2e.conftest import Open
from tests.e2e.site import Site

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(
        not os.environ.get("SLOSCORE_PICTURES"), reason="only SLOSCORE_PICTURES=1 makes pictures"
    ),
]

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MAX_BYTES = 200_000
# Latencies of a hundred requests each, in seconds.
CANDIDATES = {
    "tp1-batch32": [0.3, 0.4, 0.6, 0.9],
    "tp2-batch64": [0.2, 0.3, 0.4, 0.45],
    "tp2-batch256": [0.4, 0.8, 1.05, 1.05],
    "tp1-batch512": [0.9, 1.3, 1.8, 1.9],
    "tp4-batch64": [0.2, 0.2, 0.3, 0.4],
}


async def test_the_list_is_drawn(open_page: Open, site: Site) -> None:
    task = "llama-3-70b"
    for name, latencies in CANDIDATES.items():
        await site.run(name, latencies, task=task)
    await site.begin("tp4-batch128", [0.2, 0.3], task=task)
    page = await open_page(f"/?task={task}", viewport={"width": 1200, "height": 600})
    badge = page.get_by_role("button", name="SLO: hard violation")
    await badge.hover()
    await expect(page.get_by_role("tooltip")).to_be_visible()
    picture = IMAGES / "page-experiments.png"
    await page.screenshot(path=picture)
    assert picture.stat().st_size < MAX_BYTES


async def test_the_form_is_drawn(open_page: Open) -> None:
    page = await open_page("/new", viewport={"width": 1200, "height": 900})
    await expect(page.locator("#scored-example")).to_contain_text("84.63")
    picture = IMAGES / "page-new.png"
    await page.get_by_role("region", name="SLOs").screenshot(path=picture)
    assert picture.stat().st_size < MAX_BYTES


async def test_an_experiment_is_drawn(open_page: Open, site: Site) -> None:
    await site.begin("tp1-batch512", [0.4, 0.8], task="llama-3-8b")
    page = await open_page("/experiments/tp1-batch512", viewport={"width": 1200, "height": 1480})
    site.engine.finish(1.05, 60)
    await expect(page.get_by_role("button", name="SLO: soft violation")).to_be_visible()
    await expect(page.get_by_role("img", name="Penalty of P90")).to_be_visible()
    picture = IMAGES / "page-experiment.png"
    await page.screenshot(path=picture)
    assert picture.stat().st_size < MAX_BYTES


async def test_other_slos_are_drawn(open_page: Open, site: Site) -> None:
    task = "llama-3-13b"
    for name, latencies in CANDIDATES.items():
        await site.run(f"{name}-13b", latencies, task=task)
    page = await open_page(f"/what-if?task={task}", viewport={"width": 1200, "height": 1500})
    await page.get_by_label("Threshold, P90 of latency").fill("0.8")
    await expect(page.locator("#ranking")).to_contain_text("newly failed")
    picture = IMAGES / "page-what-if.png"
    await page.screenshot(path=picture)
    assert picture.stat().st_size < MAX_BYTES
