"""Whatever labels a selector names: their series are counted and no others, and no query is refused.

SLOSCORE_FUZZ says how many batches of selectors there are.
"""

import asyncio
import contextlib
import itertools
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from hypothesis import Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.integration.pages import PageServer, page_of
from tests.integration.service import PROBLEM, Api, serving, settings, task_of

from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus

# The first that Hypothesis makes is its simplest.
BATCHES = 1 + int(os.environ.get("SLOSCORE_FUZZ") or 1)
COUNTED = 20
NOT_YET = "not evaluated yet"
Label = tuple[str, str]

NAMES = st.sampled_from(["model_name", "engine", "_", "A", "on", "by", "inf", "bool"]) | (
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True).filter(
        lambda name: not name.startswith("__") and name not in {"le", "job", "instance"}
    )
)
# What PromQL, its regexes and the text of a page give a meaning, beside any text.
SPECIAL = st.sampled_from(
    [".*", ".+", "a|b", "a", "b", "|", "^a$", "(?i)A", "[a-z]", "\\", "\\d", "\\\\", '"', "'", "`",
     '"} or up{a="', "{}", "#", "\n", "\r\n", "\t", " ", " a", "a ", "{{.}}", "$1", "\x7f", "\x85",
     "\u2028", "\ufeff", "\ufffd", "a\ufffdb", "\ud7ff", "\U0010ffff", "é", "e\u0301", "NaN", "0",
     "%41", "+", "a+b", "a&b=c", "x" * 1024]
)  # fmt: skip
VALUES = SPECIAL | st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8
)
# No page can expose these.
MORE_VALUES = VALUES | st.sampled_from(["\x00", "a\x00b"])


@dataclass
class Fleet:
    """A vLLM whose series carry labels of any text; ``counts`` are its requests by label."""

    counts: Mapping[Label, int] = field(default_factory=dict)

    async def answer(self, _: web.Request) -> web.StreamResponse:
        name = "vllm:e2e_request_latency_seconds"
        lines = [f"# TYPE {name} histogram"]
        for (label, value), count in self.counts.items():
            own = f"{label}={exposed(value)}"
            lines += [f'{name}_bucket{{{own},le="{bound}"}} {count}' for bound in ("1.0", "+Inf")]
            lines += [f"{name}_sum{{{own}}} {count / 2}", f"{name}_count{{{own}}} {count}"]
        return page_of("\n".join([*lines, ""]))


def exposed(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'"{escaped}"'


class Lab:
    """A service with a real Prometheus that scrapes the fleet."""

    def __init__(self, prometheus: PrometheusProcess, server: PageServer, api: Api) -> None:
        self.fleet = Fleet()
        self._prometheus = prometheus
        self._server = server
        self._api = api
        self._numbers = itertools.count()
        server.answer = self.fleet.answer

    async def requests(
        self, counts: Mapping[Label, int], others: set[Label]
    ) -> Mapping[Label, int | None]:
        """Requests that an experiment on each label sees, where those of the counts finish some."""
        self.fleet.counts = dict.fromkeys(counts, 0)
        await self._scraped()
        ids = {label: f"e{next(self._numbers)}" for label in (*counts, *sorted(others))}
        for (label, value), name in ids.items():
            selector = {"instance": self._server.address, label: value}
            answer = await self._api.register(name, task_of(selector=selector))
            assert answer.status == 201, answer
        await self._scraped()
        self.fleet.counts = counts
        await self._scraped()
        for name in ids.values():
            assert (await self._api.finish(name)).status == 200
        reports = await asyncio.gather(*(self._api.final(name) for name in ids.values()))
        return {
            label: report["window"]["requests"] if report["score"] is not None else None
            for label, report in zip(ids, reports, strict=True)
        }

    async def _scraped(self) -> None:
        await self._prometheus.wait_for_scrape(self._server.address, time.time())

    async def refusals(self) -> list[str]:
        """Counts of queries that failed."""
        text = (await self._api.get("/metrics")).text
        return re.findall(r"^sloscore_source_query_errors_total\{.*\} [1-9].*$", text, re.MULTILINE)

    async def takes(self, selectors: Sequence[Mapping[str, str]]) -> list[bool]:
        """Of each selector whether it is registered; those that are have been evaluated then."""
        names = [f"e{next(self._numbers)}" for _ in selectors]
        answers = [
            await self._api.register(name, task_of(selector=selector))
            for name, selector in zip(names, selectors, strict=True)
        ]
        for answer in answers:
            assert answer.status == 201 or (answer.status < 500 and answer.type == PROBLEM), answer
        taken = [answer.status == 201 for answer in answers]
        for name in itertools.compress(names, taken):
            await self._api.score_until(name, lambda report: report["reason"] != NOT_YET)
            await self._api.abort(name)
        return taken


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The loop of all examples."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def lab(
    prometheus: PrometheusProcess, tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner
) -> Iterator[Lab]:
    """A lab for all examples, as Prometheus notices a new target only after a while."""
    place = tmp_path_factory.mktemp("service")
    stack = contextlib.AsyncExitStack()

    async def start() -> Lab:
        server = await stack.enter_async_context(PageServer(Fleet().answer))
        api = await stack.enter_async_context(serving(settings(place, prometheus.url)))
        prometheus.add_targets("fuzz", [server.address])
        stack.callback(prometheus.remove_targets, [server.address])
        return Lab(prometheus, server, api)

    yield runner.run(start())
    runner.run(stack.aclose())


@pytest.mark.timeout(60 + 20 * BATCHES)
@examples(max_examples=BATCHES, phases=[Phase.generate], deadline=None)
@given(
    counted=st.lists(st.tuples(NAMES, VALUES), min_size=COUNTED, max_size=COUNTED, unique=True),
    others=st.sets(st.tuples(NAMES, MORE_VALUES), min_size=6, max_size=6),
)
def test_a_selector_counts_exactly_the_series_with_its_values(
    lab: Lab, runner: asyncio.Runner, counted: list[Label], others: set[Label]
) -> None:
    # Enough for a percentile, each its own number, and none of them the sum of others.
    counts = {label: 16 * 2**number for number, label in enumerate(counted)}
    others -= counts.keys()

    found = runner.run(lab.requests(counts, others))

    assert found == {**counts, **dict.fromkeys(others)}
    assert runner.run(lab.refusals()) == []


@pytest.mark.timeout(60 + 20 * BATCHES)
@examples(max_examples=BATCHES, phases=[Phase.generate], deadline=None)
@given(
    selectors=st.lists(
        st.dictionaries(NAMES, MORE_VALUES, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=4), st.text(max_size=4), max_size=4),
        min_size=40,
        max_size=40,
    )
)
def test_any_selector_is_taken_or_refused_and_none_makes_a_query_that_is_no_promql(
    lab: Lab, runner: asyncio.Runner, selectors: list[dict[str, str]]
) -> None:
    assert runner.run(lab.takes(selectors)) == [is_sound(selector) for selector in selectors]
    assert runner.run(lab.refusals()) == []


def is_sound(selector: Mapping[str, str]) -> bool:
    return bool(selector) and all(
        re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) and name not in {"__name__", "le"} and value
        for name, value in selector.items()
    )
