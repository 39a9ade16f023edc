"""Whatever a server shows to the service that scrapes it: no answer of 5xx, and no pass for garbage.

SLOSCORE_FUZZ says how many batches of pages there are.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from hypothesis import Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.expositions import FILES, PLACE, preset_of_file
from tests.integration.pages import TEXT, PageServer, page_of
from tests.integration.scraping import OPEN_METRICS
from tests.integration.service import PROBLEM, Api, Json, serving, settings, task_of
from tests.mutations import mutated, shortened

# The first that Hypothesis makes is its simplest.
BATCHES = 1 + int(os.environ.get("SLOSCORE_FUZZ") or 1)
OFTEN = "100ms"
PAGES = {file: (PLACE / file).read_text(encoding="utf-8") for file in FILES}
VLLM = PAGES["vllm.txt"]
IDLE = "".join(f"{line}\n" for line in VLLM.split("\n") if line.startswith("process_start_time"))
# The latencies of the page are some seconds.
MISSED = {"min_requests": 1, "latency": {"p50": {"threshold": 0.01, "hard_fail": True}}}
KINDS = st.sampled_from([TEXT, OPEN_METRICS, "application/json", "text/html", ""])


@dataclass(frozen=True, slots=True)
class Page:
    """What a server shows, as what, and whose metrics they once were."""

    text: bytes
    kind: str = TEXT
    server: str = "vllm"


@dataclass
class Servers:
    """Each path is a server of its own."""

    pages: dict[str, Page] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        page = self.pages[request.path]
        return page_of(page.text, page.kind)


class Lab:
    """A service without a Prometheus, and servers that it scrapes."""

    def __init__(self, server: PageServer, api: Api) -> None:
        self._servers = Servers()
        self._server = server
        self._api = api
        self._numbers = itertools.count()
        server.answer = self._servers.answer

    async def reports(self, first: Mapping[str, Page], last: Mapping[str, Page]) -> list[Json]:
        """Final reports of experiments whose servers show one page at first and another at last.

        A first page that keeps an experiment from being registered has none.
        """
        self._servers.pages.update(first)
        answers = await asyncio.gather(*(self._register(path, first[path]) for path in first))
        taken = [path for path, is_taken in zip(first, answers, strict=True) if is_taken]
        self._servers.pages.update(last)
        await asyncio.gather(*(self._server.asked_again(2, path) for path in taken))
        for path in taken:
            assert (await self._api.finish(path[1:])).status == 200
        reports = await asyncio.gather(*(self._api.final(path[1:]) for path in taken))
        for path in ("/metrics", "/api/v1/status", "/-/ready", "/-/healthy"):
            assert (await self._api.get(path)).status == 200, path
        return reports

    def paths(self, number: int) -> list[str]:
        """Paths that no example has used."""
        return [f"/p{next(self._numbers)}" for _ in range(number)]

    async def _register(self, path: str, page: Page) -> bool:
        target = f"http://{self._server.address}{path}"
        body = task_of(server=page.server, slo=MISSED)
        answer = await self._api.register(path[1:], body, target=target, scrape_interval=OFTEN)
        assert answer.status < 500, answer
        assert answer.status == 201 or answer.type == PROBLEM, answer
        return answer.status == 201


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The loop of all examples."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner) -> Iterator[Lab]:
    """A lab for all examples."""
    place = tmp_path_factory.mktemp("service")
    evaluation = {"closing_wait": "1s", "source_wait": "1s"}
    given_settings = settings(place, prometheus={"enabled": False}, evaluation=evaluation)
    stack = contextlib.AsyncExitStack()

    async def start() -> Lab:
        server = await stack.enter_async_context(PageServer(Servers().answer))
        return Lab(server, await stack.enter_async_context(serving(given_settings)))

    yield runner.run(start())
    runner.run(stack.aclose())


@st.composite
def changed_pages(draw: st.DrawFn) -> Page:
    file = draw(st.sampled_from(FILES))
    text = draw(mutated(PAGES[file])).encode("utf-8", "surrogatepass")
    return Page(text, draw(KINDS), preset_of_file(file))


SHORTENED = st.builds(lambda text, kind: Page(text.encode(), kind), shortened(VLLM), KINDS)
GARBAGE = st.builds(Page, st.binary(max_size=200), KINDS) | st.builds(
    lambda text, kind: Page(text.encode(), kind), st.text(st.characters(codec="utf-8")), KINDS
)


def test_the_page_itself_fails_the_limit(lab: Lab, runner: asyncio.Runner) -> None:
    (path,) = lab.paths(1)
    (report,) = runner.run(lab.reports({path: Page(IDLE.encode())}, {path: Page(VLLM.encode())}))
    assert report["status"] == "FAILED"


@pytest.mark.timeout(60 + 20 * BATCHES)
@examples(max_examples=BATCHES, phases=[Phase.generate], deadline=None)
@given(pages=st.lists(SHORTENED | GARBAGE, min_size=20, max_size=20))
def test_garbage_passes_nothing(lab: Lab, runner: asyncio.Runner, pages: Sequence[Page]) -> None:
    paths = lab.paths(len(pages))
    first = {path: Page(IDLE.encode()) for path in paths}
    reports = runner.run(lab.reports(first, dict(zip(paths, pages, strict=True))))
    assert len(reports) == len(pages)
    assert "SUCCESS" not in {report["status"] for report in reports}


@pytest.mark.timeout(60 + 20 * BATCHES)
@examples(max_examples=BATCHES, phases=[Phase.generate], deadline=None)
@given(
    pages=st.lists(
        st.tuples(*[changed_pages() | SHORTENED | GARBAGE] * 2), min_size=20, max_size=20
    )
)
def test_any_page_at_the_start_and_at_the_end_leaves_the_service_answering(
    lab: Lab, runner: asyncio.Runner, pages: Sequence[tuple[Page, Page]]
) -> None:
    paths = lab.paths(len(pages))
    first, last = ({path: pair[n] for path, pair in zip(paths, pages, strict=True)} for n in (0, 1))
    for report in runner.run(lab.reports(first, last)):
        assert report["status"] in {"SUCCESS", "FAILED", "NO_DATA"}
