"""What all pages have in common: their frame, their way by keyboard, their policy."""

import pytest
from playwright.async_api import Page, expect
from tests.e2e.conftest import Open
from tests.e2e.site import HOSTILE

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_first_key_leads_past_the_navigation(page: Page) -> None:
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()


async def test_the_navigation_says_where_one_is(page: Page) -> None:
    pages = page.get_by_role("navigation", name="Pages")
    await expect(pages.locator("[aria-current=page]")).to_have_text("Experiments")


async def test_markup_in_a_name_is_text(page: Page) -> None:
    await expect(page.get_by_role("cell", name=HOSTILE).first).to_be_visible()
    assert await page.locator("main script, main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_follows_the_scheme_that_is_preferred(open_page: Open, scheme: str) -> None:
    page = await open_page(color_scheme=scheme)
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(level) for level in ground.removeprefix("rgb(").removesuffix(")").split(",")]
    assert all(level < 64 for level in levels) == (scheme == "dark")
