"""Every page as axe-core sees it: names, roles, order and contrast."""

import pytest
import pytest_asyncio
from playwright.async_api import expect
from tests.e2e.axe import HOW, find_axe, violations
from tests.e2e.conftest import Open

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def axe() -> str:
    """The script that checks; without it these tests are left out."""
    found = find_axe()
    if found is None:
        pytest.skip(HOW)
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/?task=chat",
        "/?task=sweep&page=3",
        "/?task=none",
        "/experiments/exp-hard",
        "/experiments/exp-live",
        "/new",
        "/status",
        "/what-if?task=chat",
    ],
)
async def test_nothing_is_in_the_way_of_anybody(open_page: Open, axe: str, path: str) -> None:
    page = await open_page(path, color_scheme="light")
    found = {"light": await violations(page, axe)}
    await page.emulate_media(color_scheme="dark")
    found["dark"] = await violations(page, axe)
    await page.set_viewport_size({"width": 360, "height": 740})
    found["phone"] = await violations(page, axe)
    assert found == {"light": [], "dark": [], "phone": []}


async def test_an_open_tip_can_be_read(open_page: Open, axe: str) -> None:
    page = await open_page("/?state=failed", color_scheme="dark")
    await page.get_by_role("button", name="SLO: hard violation").hover()
    await expect(page.get_by_role("tooltip")).to_be_visible()
    assert await violations(page, axe) == []
