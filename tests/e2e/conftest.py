"""Fixtures of the tests of the pages in a browser, all in one event loop for the whole session."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright
from tests.e2e.browser import FLAGS, HOW, Watch, find_chromium
from tests.e2e.site import Site, fill, open_site, store_trials

Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium of its own; without one the test is left out."""
    found = find_chromium()
    if found is None:
        pytest.skip(HOW)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The service that all tests of the pages share; who changes it uses names of its own."""
    place = tmp_path_factory.mktemp("site")
    await store_trials(place, 120)
    async with open_site(place) as opened:
        await fill(opened)
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def watch(site: Site) -> Watch:
    """What went wrong so far; a test adds to ``allowed`` what it provokes."""
    return Watch(site.url())


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser, site: Site, watch: Watch) -> AsyncIterator[Open]:
    """Opens a path of the site as a new visitor, with options of Playwright's ``new_context``.

    The test fails where a page raised or logged an error, asked another host or broke its policy.
    """
    async with AsyncExitStack() as stack:

        async def visit(path: str = "/", **options: object) -> Page:
            context = await chromium.new_context(**options)  # type: ignore[arg-type]  # its own names
            stack.push_async_callback(context.close)
            context.set_default_timeout(20_000)
            await watch.over(context)
            page = await context.new_page()
            answer = await page.goto(site.url(path))
            assert answer is not None
            assert answer.ok, await answer.text()
            return page

        yield visit
        assert watch.troubles == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: Open) -> Page:
    """The experiments, in a window of a desk."""
    return await open_page()


@pytest_asyncio.fixture(loop_scope="session")
async def form(open_page: Open) -> Page:
    """The form of a new task."""
    return await open_page("/new", permissions=["clipboard-read", "clipboard-write"])
