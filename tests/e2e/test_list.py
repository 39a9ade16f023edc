"""The list of experiments as a person uses it."""

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect
from tests.e2e.browser import PHONE, Watch
from tests.e2e.conftest import Open
from tests.e2e.site import HOSTILE, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


def row(page: Page, name: str) -> Locator:
    return page.locator(f'tr[data-name="{name}"]')


async def shown(page: Page) -> list[str]:
    return await page.locator("tbody th").all_inner_texts()


async def test_filters_stay_in_the_address_and_back_undoes_them(page: Page) -> None:
    await page.get_by_label("State").select_option("failed")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["exp-hard"])
    assert "state=failed" in page.url
    await page.go_back()
    await expect(row(page, "exp-met")).to_be_visible()
    await page.get_by_label("Task").select_option(HOSTILE)
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("rowheader")).to_have_text(["exp-hostile"])
    await page.reload()
    await expect(page.get_by_label("Task")).to_have_value(HOSTILE)
    await page.get_by_role("link", name="Show all").click()
    await expect(row(page, "exp-met")).to_be_visible()


async def test_a_click_on_a_column_sorts_and_another_turns_it(open_page: Open) -> None:
    page = await open_page("/?task=chat&state=scored")
    score = page.get_by_role("columnheader", name="Score")
    await score.get_by_role("link").click()
    await expect(score).to_have_attribute("aria-sort", "ascending")
    assert await shown(page) == ["exp-met", "exp-soft"]
    await score.get_by_role("link").click()
    await expect(score).to_have_attribute("aria-sort", "descending")
    assert await shown(page) == ["exp-soft", "exp-met"]
    assert "task=chat" in page.url


async def test_pages_are_turned(open_page: Open) -> None:
    page = await open_page("/?task=sweep&sort=experiment")
    pages = page.get_by_role("navigation", name="Pages of the list")
    await expect(pages).to_contain_text("Page 1 of 3")
    assert (await shown(page))[0] == "sweep-000"
    await pages.get_by_role("link", name="Next").click()
    await expect(pages).to_contain_text("Page 2 of 3")
    assert (await shown(page))[0] == "sweep-050"
    await pages.get_by_role("link", name="Last").click()
    assert (await shown(page))[-1] == "sweep-119"
    await expect(pages.get_by_role("link", name="Next")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("exp-hard", "hard violation", "95.0% over the threshold of 1 s and past the hard limit"),
        ("exp-soft", "soft violation", "5.0% over the threshold of 1 s"),
        ("exp-silent", "no data", "latency"),
    ],
)
async def test_a_badge_tells_which_sli_misses_by_how_much(
    page: Page, name: str, kind: str, says: str
) -> None:
    badge = row(page, name).get_by_role("button", name=f"SLO: {kind}")
    tip = row(page, name).get_by_role("tooltip", include_hidden=True)
    await expect(tip).to_be_hidden()
    await expect(badge).to_have_accessible_description(_holding(says))
    await badge.hover()
    await expect(tip).to_be_visible()
    await expect(tip).to_contain_text(says)
    # The pointer may go to the tip, and Escape takes it away.
    await tip.hover()
    await expect(tip).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()


async def test_what_meets_its_slos_has_no_badge(page: Page) -> None:
    await expect(row(page, "exp-met")).to_be_visible()
    await expect(row(page, "exp-met").get_by_role("button")).to_have_count(0)


async def test_a_bar_has_words_for_who_does_not_see_it(page: Page) -> None:
    bars = row(page, "exp-hard").get_by_role("img")
    await expect(bars).to_have_count(2)
    await expect(bars.last).to_have_accessible_name("between 1.5 s and 2 s, hard fail")


async def test_the_keyboard_reaches_a_tip_and_an_experiment(open_page: Open) -> None:
    page = await open_page("/?state=failed")
    badge = row(page, "exp-hard").get_by_role("button", name="SLO: hard violation")
    for _ in range(60):
        await page.keyboard.press("Tab")
        seen = await page.evaluate(_FOCUS)
        assert seen["ring"] == "solid", seen
        if seen["name"] == "SLO: hard violation":
            break
    await expect(badge).to_be_focused()
    await expect(row(page, "exp-hard").get_by_role("tooltip")).to_be_visible()
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("exp-hard")
    await expect(page.get_by_text("P90 of latency is 1.95 s, 95.0% over")).to_have_count(2)


async def test_the_table_stays_fresh_and_keeps_the_focus(open_page: Open, site: Site) -> None:
    page = await open_page("/?task=fresh")
    await expect(page.get_by_text("No experiment is like that.")).to_be_visible()
    await site.begin("fresh-1", [0.3], task="fresh")
    link = row(page, "fresh-1").get_by_role("link", name="fresh-1")
    await link.focus()
    await site.begin("fresh-2", [0.3], task="fresh")
    await expect(page.get_by_role("rowheader")).to_have_text(["fresh-2", "fresh-1"])
    await expect(link).to_be_focused()
    await site.api.finish("fresh-1")
    await expect(row(page, "fresh-1")).to_contain_text("SCORED")
    await expect(page.get_by_role("status")).to_contain_text("fresh-1: scored.")
    await expect(link).to_be_focused()


async def test_while_paused_or_hidden_nothing_is_asked_for(open_page: Open) -> None:
    page = await open_page("/?task=chat")
    await page.clock.install()
    await page.reload()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    async with page.expect_request(page.url):
        await page.clock.run_for(2_000)
    button = page.get_by_role("button", name="Pause updates")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    asked.clear()
    await page.clock.run_for(60_000)
    assert asked == []
    async with page.expect_request(page.url):
        await button.click()
    await page.evaluate(_HIDDEN, arg=True)
    asked.clear()
    await page.clock.run_for(60_000)
    assert asked == []
    async with page.expect_request(page.url):
        await page.evaluate(_HIDDEN, arg=False)


async def test_a_service_that_is_gone_is_told_and_found_again(
    open_page: Open, watch: Watch
) -> None:
    watch.allowed += ["Failed to load resource: net::ERR_FAILED"]
    page = await open_page("/?task=chat")
    await page.route("**/*", lambda route: route.abort())
    status = page.get_by_role("status")
    await expect(status).to_have_text("The service does not answer. What is shown may be old.")
    await expect(row(page, "exp-met")).to_be_visible()
    await page.unroute("**/*")
    await expect(status).to_have_text("")


@pytest.mark.parametrize("path", ["/", "/experiments/exp-hard", "/status"])
async def test_a_phone_shows_all_without_scrolling_sideways(open_page: Open, path: str) -> None:
    page = await open_page(path, **PHONE)
    width = await page.evaluate("document.scrollingElement.scrollWidth")
    assert width == 360
    badge = page.get_by_role("button", name="SLO: hard violation").first
    if path != "/status":
        await badge.tap()
        tip = page.get_by_role("tooltip").first
        await expect(tip).to_be_visible()
        box = await tip.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert await page.evaluate("document.scrollingElement.scrollWidth") == 360


async def test_all_of_it_works_without_scripts(open_page: Open) -> None:
    page = await open_page(java_script_enabled=False)
    await page.get_by_label("State").select_option("scored")
    await page.get_by_label("Sorted by").select_option("-score")
    await page.get_by_label("Task").select_option("chat")
    await page.get_by_role("button", name="Show").click()
    assert await shown(page) == ["exp-soft", "exp-met"]
    await expect(page.get_by_role("button", name="Pause updates")).to_be_hidden()
    badge = page.get_by_role("button", name="SLO: soft violation")
    await badge.hover()
    await expect(page.get_by_role("tooltip")).to_be_visible()
    await page.get_by_role("link", name="exp-soft").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("exp-soft")


async def test_what_is_selected_can_be_saved(open_page: Open, tmp_path: Path) -> None:
    page = await open_page("/?state=scored&sort=experiment")
    names = {}
    for kind in ("CSV", "JSON"):
        async with page.expect_download() as saving:
            await page.get_by_role("link", name=kind).click()
        names[kind] = tmp_path / (await saving.value).suggested_filename
        await (await saving.value).save_as(names[kind])
    with names["CSV"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    documents = json.loads(names["JSON"].read_text())
    assert [name.name for name in names.values()] == [
        "sloscore-experiments.csv",
        "sloscore-experiments.json",
    ]
    ids = [line["id"] for line in rows]
    assert [document["experiment"]["id"] for document in documents] == ids
    assert {"exp-hostile", "exp-met", "exp-soft"} < set(ids)
    assert ids == sorted(ids)


def _holding(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


_FOCUS = """() => ({
  name: document.activeElement.getAttribute("aria-label"),
  ring: getComputedStyle(document.activeElement).outlineStyle,
  html: document.activeElement.outerHTML,
})"""
_HIDDEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
