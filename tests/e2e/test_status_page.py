"""The status as a person reads it."""

import pytest
from playwright.async_api import expect
from tests.e2e.conftest import Open
from tests.e2e.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_status_follows_what_runs(open_page: Open, site: Site) -> None:
    page = await open_page("/status")
    await expect(page.get_by_role("navigation").locator("[aria-current=page]")).to_have_text(
        "Status"
    )
    scrapes = page.get_by_role("row", name="scrape")
    before = await scrapes.inner_text()
    await expect(scrapes).not_to_have_text(before)
    running = page.get_by_role("region", name="Running experiments")
    await expect(running.get_by_role("row", name="exp-live")).to_contain_text(site.target)
    await site.begin("followed", [], task="followed")
    await running.get_by_role("link", name="followed").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("followed")


async def test_a_setting_is_found_by_its_name(open_page: Open) -> None:
    page = await open_page("/status")
    setting = page.locator(".settings div", has_text="evaluation.interval")
    await expect(setting.get_by_role("definition")).to_have_text("0.2")
