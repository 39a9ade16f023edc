"""Every page as axe-core sees it: names, roles, order and contrast."""

from collections.abc import Mapping

import pytest
import pytest_asyncio
from playwright.async_api import expect
from tests.e2e.axe import HOW, find_axe, violations
from tests.e2e.browser import PHONE
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
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, {**PHONE, "color_scheme": "light"}],
    ids=["light", "dark", "phone"],
)
@pytest.mark.parametrize(
    "path", ["/", "/?task=sweep&page=2", "/?task=none", "/experiments/exp-hard", "/new", "/status"]
)
async def test_nothing_is_in_the_way_of_anybody(
    open_page: Open, axe: str, path: str, options: Mapping[str, object]
) -> None:
    page = await open_page(path, **options)
    assert await violations(page, axe) == []


async def test_an_open_tip_can_be_read(open_page: Open, axe: str) -> None:
    page = await open_page("/?state=failed", color_scheme="dark")
    await page.get_by_role("button", name="SLO: hard violation").hover()
    await expect(page.get_by_role("tooltip")).to_be_visible()
    assert await violations(page, axe) == []
