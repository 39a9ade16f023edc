"""What the service does for a tick and for a request, counted: what grows makes all of it slower."""

import asyncio
import contextlib
import gc
import math
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tests.integration.service import (
    EXPERIMENTS,
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
    until,
)

import sloscore
from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]

QUERIES = r'^sloscore_source_queries_total\{kind="snapshot"\} (\S+)$'
ROUNDS = r"^sloscore_evaluation_rounds_total (\S+)$"
AT_PROMETHEUS = r'^prometheus_http_requests_total\{code="200",handler="/api/v1/query"\} (\S+)$'
FEW, MANY = 4, 24
PACKAGE = str(Path(sloscore.__file__).parent)


def number_in(text: str, pattern: str) -> float:
    found = re.search(pattern, text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def is_evaluated(report: Json) -> bool:
    """Whether the report is that of an evaluation, by which its window is open."""
    return "not evaluated" not in str(report["reason"])


async def register(api: Api, number: int, selector: Json = None) -> None:
    """So many experiments of a task, each with a selector of its own where none is given."""
    names = (f"trial-{one}" for one in range(number))
    answers = await asyncio.gather(
        *(api.register(name, task_of(), selector=selector or {"instance": name}) for name in names)
    )
    assert {answer.status for answer in answers} <= {200, 201}


async def requests_of(prometheus: Api) -> float:
    """How many queries this Prometheus has answered so far."""
    return number_in((await prometheus.get("/metrics")).text, AT_PROMETHEUS)


@dataclass
class Tick:
    """Counters at one moment: rounds of evaluations, queries, and requests that Prometheus had."""

    rounds: float
    queries: float
    requests: float

    @classmethod
    async def now(cls, api: Api, prometheus: Api) -> "Tick":
        text, theirs = (await api.get("/metrics")).text, await requests_of(prometheus)
        return cls(number_in(text, ROUNDS), number_in(text, QUERIES), theirs)


async def asked_in_a_tick(api: Api, prometheus: Api, rounds: int = 5) -> tuple[float, float]:
    """Queries and HTTP requests of the average of so many ticks, once all windows are open."""
    before = await Tick.now(api, prometheus)
    after = await until(
        lambda: Tick.now(api, prometheus), lambda now: now.rounds >= before.rounds + rounds
    )
    # A round may have begun whose queries are not counted, at either end.
    ticks = after.rounds - before.rounds - 1
    return (after.queries - before.queries) / ticks, (after.requests - before.requests) / ticks


@pytest.mark.parametrize(("experiments", "together"), [(6, 2), (24, 8), (24, 200)])
async def test_a_tick_asks_one_query_for_as_many_experiments_as_share_one(
    prometheus: PrometheusProcess, tmp_path: Path, experiments: int, together: int
) -> None:
    source = {"max_query_targets": together}
    given = settings(tmp_path, prometheus.url, prometheus=source)
    wanted = math.ceil(experiments / together)
    async with serving(given) as api, asyncio.timeout(60):
        await register(api, experiments)
        for number in range(experiments):
            # To open a window takes queries of its own.
            await api.score_until(f"trial-{number}", is_evaluated)
        other = Api(api._session, prometheus.url)
        queries, requests = await asked_in_a_tick(api, other)
    # Rounds at both ends are seen in part: that is the half.
    most = wanted * 1.5
    assert queries <= most, (
        f"a tick of {experiments} experiments asks {queries:.1f} queries, not {wanted}: "
        f"up to {together} share one"
    )
    # The source's clock is looked at now and then.
    assert requests <= most + 1, (
        f"a tick of {experiments} experiments sends {requests:.1f} HTTP requests, not {wanted}"
    )


@dataclass
class Statements:
    """What was asked of the database: statements, and rows that they gave."""

    texts: list[str]
    rows: int = 0


@contextlib.contextmanager
def counted() -> Iterator[Statements]:
    """Counts what this process asks of databases from now on."""
    found = Statements([])

    def count(*given: Any) -> None:  # noqa: ANN401  as SQLAlchemy calls it
        _, cursor, text, *_ = given
        if not text.startswith(("BEGIN", "PRAGMA")):
            found.texts.append(text)
        # The driver's rows, as it has fetched them.
        found.rows += len(getattr(cursor, "_rows", None) or ())

    event.listen(Engine, "after_cursor_execute", count)
    try:
        yield found
    finally:
        event.remove(Engine, "after_cursor_execute", count)


@contextlib.asynccontextmanager
async def quiet(place: Path, experiments: int) -> AsyncIterator[Api]:
    """A service that evaluates nothing for now, with experiments that run and one that has ended."""
    calm = {"interval": "1h", "source_wait": "1ms"}
    async with serving(settings(place, evaluation=calm)) as api:
        await register(api, experiments)
        await api.finish("trial-0")
        await api.final("trial-0")
        yield api


# Most statements of each request, and most rows that they give.
REQUESTS = {
    f"GET {EXPERIMENTS}/trial-1": (1, 1),
    f"GET {EXPERIMENTS}/trial-0/score": (0, 0),
    f"GET {EXPERIMENTS}/trial-1/counts": (1, 1),
    f"GET {EXPERIMENTS}?limit=2": (1, 3),
    "GET /-/ready": (1, 2),
    "GET /-/healthy": (0, 0),
    "GET /api/v1/status": (1, 2),
    "GET /metrics": (3, 5),
    f"POST {EXPERIMENTS}": (4, 2),
    f"POST {EXPERIMENTS}/trial-2/finish": (4, 3),
    f"POST {EXPERIMENTS}/trial-3/abort": (2, 1),
    "POST /api/v1/score": (0, 0),
}
BODIES: dict[str, Json] = {
    f"POST {EXPERIMENTS}": {"id": "new", "task": task_of(), "selector": {"instance": "new"}},
    "POST /api/v1/score": {
        "base_score": 1.0,
        "slo": task_of()["slo"],
        "values": {"latency_p90": 1},
    },
}


async def asked_by_requests(api: Api) -> dict[str, tuple[int, int]]:
    """Statements and rows of each request."""
    found = {}
    for request in REQUESTS:
        method, path = request.split()
        body = BODIES.get(request, {} if method == "POST" else None)
        with counted() as statements:
            answer = await api.request(method, path, body=body)
        assert answer.status in {200, 201, 404}, answer.text
        found[request] = (len(statements.texts), statements.rows)
    return found


async def test_requests_ask_the_store_for_as_little_however_many_experiments_there_are(
    tmp_path: Path,
) -> None:
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for number in (FEW, MANY):
        (place := tmp_path / str(number)).mkdir()
        async with quiet(place, number) as api:
            found[number] = await asked_by_requests(api)
    # Rows are counted at all.
    assert found[FEW][f"GET {EXPERIMENTS}/trial-1"] == (1, 1)
    for request, (statements, rows) in REQUESTS.items():
        asked, read = found[MANY][request]
        assert (asked, read) == found[FEW][request], (
            f"{request} asks {asked} statements for {read} rows of {MANY} experiments, "
            f"and {found[FEW][request]} of {FEW}: it must not grow with them"
        )
        assert asked <= statements, f"{request} asks {asked} statements, not {statements}"
        assert read <= rows, f"{request} reads {read} rows, not {rows}"


@contextlib.contextmanager
def own_calls() -> Iterator[Counter[str]]:
    """Counts the calls of the service's own functions in this thread from now on, by their names."""
    found = Counter[str]()

    def watch(frame: FrameType, happened: str, _: object) -> None:
        if happened == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            found[frame.f_code.co_qualname] += 1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield found
    finally:
        sys.setprofile(before)


# Most calls of the service's own functions that a request takes.
CALLS = {f"GET {EXPERIMENTS}/trial-0/score": 20, "POST /api/v1/score": 38}


@pytest.mark.parametrize("request_line", CALLS)
async def test_requests_that_are_sent_often_take_few_calls(
    tmp_path: Path, request_line: str
) -> None:
    method, path = request_line.split()
    async with quiet(tmp_path, FEW) as api:
        for _ in range(3):
            with own_calls() as calls:
                # What the first ones prepare is there for the later ones.
                answer = await api.request(method, path, body=BODIES.get(request_line))
            assert answer.status == 200, answer.text
    found, most = calls.total(), CALLS[request_line]
    assert 0 < found <= most, f"{request_line} takes {found} calls, not {most}: {calls}"


async def test_a_tick_and_the_score_of_a_running_experiment_ask_the_store_for_nothing(
    prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api, asyncio.timeout(60):
        await register(api, FEW)
        await api.score_until("trial-0", is_evaluated)
        other = Api(api._session, prometheus.url)
        with counted() as statements:
            before = await requests_of(other)
            await until(lambda: requests_of(other), lambda now: now >= before + 3)
            await api.score("trial-0")
            await asyncio.gather(*(api.score("trial-0", wait=0.05) for _ in range(FEW)))
    assert statements.texts == [], "a tick or a running score asks the store, which it need not"


async def objects(api: Api, number: int, selector: Json) -> int:
    """Objects in this process once so many experiments are evaluated."""
    await register(api, number, selector)
    for one in range(number):
        await api.score_until(f"trial-{one}", has_requests(1))
    gc.collect()
    gc.freeze()
    try:
        return gc.get_freeze_count()
    finally:
        gc.unfreeze()


async def test_a_live_experiment_is_held_in_few_objects(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    selector = {"instance": deployments.quick.address}
    async with serving(settings(tmp_path, prometheus.url)) as api, asyncio.timeout(60):
        few = await objects(api, 10, selector)
        many = await objects(api, 60, selector)
    each = (many - few) / 50
    assert each <= MOST_OBJECTS, f"a live experiment is {each:.0f} objects, not {MOST_OBJECTS}"


# Containers, as the collector of garbage knows them; its numbers and texts are in those.
MOST_OBJECTS = 115
