"""The list of experiments by its address: selected, sorted and a page at a time."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.e2e.site import store_trials
from tests.integration.page_reader import BROWSER, read
from tests.integration.service import PROBLEM, Api, serving, settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sweep(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A service that only reads: 120 scored experiments of one task, the newest the best."""
    place = tmp_path_factory.mktemp("sweep")
    await store_trials(place, 120)
    async with serving(settings(place, prometheus={"enabled": False})) as api:
        yield api


@pytest.mark.parametrize(
    ("query", "first", "number"),
    [
        ("", "sweep-119", 50),
        ("?page=3", "sweep-019", 20),
        ("?page=99", "sweep-019", 20),
        ("?sort=-score", "sweep-000", 50),
        ("?sort=score&page=2", "sweep-069", 50),
        ("?task=sweep&state=scored&sort=start", "sweep-000", 50),
        ("?task=&state=", "sweep-119", 50),
    ],
)
async def test_the_address_selects_sorts_and_pages(
    sweep: Api, query: str, first: str, number: int
) -> None:
    page = await read(sweep, f"/{query}")
    assert (next(iter(page.rows)), len(page.rows)) == (first, number)


async def test_following_next_shows_each_experiment_once(sweep: Api) -> None:
    seen: list[str] = []
    link: str | None = "?sort=experiment"
    while link is not None:
        page = await read(sweep, f"/{link}")
        seen += page.rows
        following = f"page={len(seen) // 50 + 1}"
        link = next((each for each in page.links if following in each), None)
    assert seen == [f"sweep-{number:03}" for number in range(120)]


async def test_a_selection_that_holds_nothing_says_so(sweep: Api) -> None:
    page = await read(sweep, "/?task=other&state=live")
    assert "No experiment is like that." in page.text
    assert page.rows == {}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("state=odd", "state: 'odd' is not one of live, running"),
        ("sort=size", "sort: 'size' is not one of start, -start"),
        ("page=0", "page: '0' must be a whole number from 1 on"),
        ("page=1e3", "page: '1e3' must be a whole number from 1 on"),
        ("tsk=chat", "tsk: unknown parameter; known ones: page, sort, state, task"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/experiments.csv", "/experiments.json"])
async def test_an_address_that_does_not_fit_is_refused(
    sweep: Api, path: str, query: str, sentence: str
) -> None:
    answer = await sweep.get(f"{path}?{query}")
    assert (answer.status, answer.type) == (422, PROBLEM)
    assert answer.json["detail"].startswith(sentence)


async def test_a_person_gets_a_problem_as_a_page(sweep: Api) -> None:
    unknown = await sweep.request("GET", "/experiments/nobody", headers=BROWSER)
    assert (unknown.status, unknown.type) == (404, "text/html")
    page = await read(sweep, "/?state=%3Cb%3E&page=0")
    assert "state: '<b>' is not one of" in page.text
    assert "page: '0' must be" in page.text
    assert "b" not in page.tags
