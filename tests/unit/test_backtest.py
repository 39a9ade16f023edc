"""Windows scored one by one over a source in memory, and what they come to."""

import asyncio
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from tests.unit.memory_source import AWAY, MemorySource, sample

from sloscore.core.objective import Direction
from sloscore.core.samples import Target
from sloscore.errors import SourceError
from sloscore.evaluation.backtest import (
    Row,
    Window,
    backtest,
    summarise,
    with_server_of,
    worst_sli,
)
from sloscore.evaluation.report import report_values
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import Snapshot
from sloscore.wire import ScoreRequest

NOW = 2000.0
SLO = {
    "latency": {"p50": {"threshold": 1.0}, "p90": {"threshold": 10.0, "hard_fail": True}},
    "ttft": {"threshold": 1.0},
}


@dataclass
class History(MemorySource):
    """A server's samples; queries that reach into ``bad`` times fail, and all once ``gone``.

    Those that ask beyond ``stuck_from`` are never answered. ``most`` is how many were under way at
    once; ``known`` are the names that are told of its series.
    """

    bad: set[float] = field(default_factory=set)
    gone: bool = False
    stuck_from: float = math.inf
    known: frozenset[str] = frozenset()
    under_way: int = 0
    most: int = 0

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        # Lets the others begin, as a real source does.
        await asyncio.sleep(0)
        self.under_way -= 1
        if until > self.stuck_from:
            await asyncio.Event().wait()
        if any(after < time <= until for time in self.bad):
            raise AWAY
        return await super().samples(target, after, until)

    async def check(self) -> None:
        if self.gone:
            raise SourceError("it is gone", kind="unreachable")

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        shown = (at - seconds < each.time <= at for each in self.scrapes[target.key])
        return self.known if any(shown) else frozenset()


def history(*times: float, each: int = 10) -> History:
    """A server that finishes some requests before each of its scrapes."""
    scrapes = [sample(time, each * number) for number, time in enumerate(times)]
    return History({"window": scrapes}, now=NOW)


def request(server: str | None = "vllm", **more: object) -> ScoreRequest:
    slo = {"latency": {"p50": {"threshold": 2.0}}}
    window = {"start": 1, "end": 2}
    document = {"slo": slo, "selector": {"instance": "a"}, "server": server, "window": window}
    return ScoreRequest.model_validate({**document, **more})


SETTINGS = EvaluationSettings(closing_wait=10.0)


async def rows_of(
    source: MemorySource,
    windows: Sequence[Window],
    asked: ScoreRequest | None = None,
    into: list[Row] | None = None,
) -> list[Row]:
    rows = [] if into is None else into
    async with aclosing(backtest(source, asked or request(), windows, SETTINGS, NOW)) as found:
        async for row in found:
            rows.append(row)
    return rows


def counted(row: Row) -> float | None:
    return row.report.window.requests if row.report and row.report.window else None


TENS = [Window(start=start, end=start + 10) for start in range(1000, 1100, 10)]


async def test_rows_come_in_order_each_with_what_its_window_counts() -> None:
    source = history(*range(1000, 1101, 5))
    rows = await rows_of(source, TENS)
    assert [row.window for row in rows] == TENS
    assert [counted(row) for row in rows] == [20.0] * 10
    assert {row.status for row in rows} == {"SUCCESS"}


async def test_a_few_windows_are_under_way_at_once_but_never_many() -> None:
    source = history(*range(1000, 1101, 5))
    await rows_of(source, TENS)
    assert 1 < source.most <= 4


async def test_neighbours_both_count_the_scrape_interval_that_holds_their_seam() -> None:
    source = history(*range(1000, 1061, 4))
    seam = Window(start=1010, end=1010.001)
    whole = Window(start=1000, end=1020)
    parts = (Window(start=1000, end=1010), Window(start=1010, end=1020))
    first, second, twice, once = [
        counted(row) for row in await rows_of(source, (*parts, seam, whole))
    ]
    assert (first, second, twice, once) == (30, 30, 10, 50)


async def test_neighbours_that_meet_at_a_scrape_add_up() -> None:
    source = history(*range(1000, 1061, 4))
    cuts = (1000, 1004, 1016, 1020)
    parts = [Window(start=a, end=b) for a, b in pairwise(cuts)]
    rows = await rows_of(source, [*parts, Window(start=1000, end=1020)])
    *counts, whole = [counted(row) for row in rows]
    assert (counts, whole) == ([10, 30, 10], 50)


async def test_a_window_that_fails_is_a_row_and_the_others_are_scored() -> None:
    source = history(*range(1000, 1101, 5))
    source.bad = {1035}
    rows = await rows_of(source, TENS)
    # Samples up to 10 s later are asked for, as the closing scrape may be among them.
    assert [row.status for row in rows] == ["SUCCESS"] * 2 + ["ERROR"] * 2 + ["SUCCESS"] * 6
    assert [(row.report, row.failure) for row in rows[2:4]] == [(None, AWAY)] * 2
    assert rows[2].reason == "it is away"


async def test_a_source_that_is_gone_ends_it_after_the_rows_before() -> None:
    source = history(*range(1000, 1101, 5))
    source.bad, source.gone = {1055}, True
    rows: list[Row] = []
    with pytest.raises(SourceError, match="it is gone"):
        await rows_of(source, TENS, into=rows)
    assert [row.window for row in rows] == TENS[:4]
    assert len(asyncio.all_tasks()) == 1


async def test_nothing_goes_on_once_nobody_wants_more_rows() -> None:
    source = history(*range(1000, 1101, 5))
    source.stuck_from = 1025
    async with aclosing(backtest(source, request(), TENS, SETTINGS, NOW)) as found:
        await anext(found)
        assert len(asyncio.all_tasks()) == 4
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(
    ("known", "statuses", "reason"),
    [
        (
            {"vllm:e2e_request_latency_seconds_bucket"},
            ["SUCCESS", "NO_DATA"],
            "the selector matched no series in the window",
        ),
        (
            {"node_load1"},
            ["ERROR", "NO_DATA"],
            "the selector matched no series in the window",
        ),
    ],
)
async def test_a_server_is_recognised_window_by_window_where_nobody_names_it(
    known: set[str], statuses: list[str], reason: str
) -> None:
    source = history(*range(1000, 1041, 5))
    source.known = frozenset(known)
    windows = (Window(start=1010, end=1030), Window(start=1200, end=1220))
    rows = await rows_of(source, windows, request(server=None))
    assert [row.status for row in rows] == statuses
    assert rows[1].reason == reason
    if statuses[0] == "ERROR":
        assert "server: no preset fits the metrics that are exposed (node_load1)" in str(
            rows[0].reason
        )
    plan = await with_server_of(source, request(server=None), rows)
    assert plan.is_open is (statuses[0] == "ERROR")


def measured(ttft: float, p50: float = 0.5, p90: float = 5.0, **more: object) -> Row:
    values = {"latency_p50": p50, "latency_p90": p90, "ttft": ttft}
    numbers = {"slo": SLO, "base_score": 1.0, "values": values, **more}
    return Row(Window(start=0, end=1), report_values(ScoreRequest.model_validate(numbers), now=NOW))


def test_the_summary_counts_by_status_and_names_the_best() -> None:
    rows = [
        Row(Window(start=0, end=1), failure=AWAY),
        measured(ttft=1.1),
        measured(ttft=0.5),
        measured(ttft=0.9),
        measured(ttft=0.1, p90=20.0),
        measured(ttft=0.1, base_score=None),
    ]
    found = summarise(rows, Direction.MINIMIZE)
    assert (found.scored, found.failed, found.no_data, found.errors) == (3, 1, 1, 1)
    assert found.best is rows[2]
    assert found.hard_violation_share == 0.25


def test_the_best_of_what_is_maximised_is_the_largest() -> None:
    rows = [
        measured(ttft=0.5, base_score=base, objective="maximize_throughput")
        for base in (10.0, 30.0, 20.0)
    ]
    assert summarise(rows, Direction.MAXIMIZE).best is rows[1]


def test_without_data_there_is_neither_a_best_nor_a_share() -> None:
    found = summarise([measured(ttft=math.nan)], Direction.MINIMIZE)
    assert (found.no_data, found.best, found.hard_violation_share) == (1, None, None)


@pytest.mark.parametrize(
    ("row", "worst"),
    [
        (measured(ttft=0.5, p50=0.9), "latency_p50"),
        (measured(ttft=1.3, p50=1.2), "ttft"),
        (measured(ttft=9.0, p90=15.0), "latency_p90"),
        (measured(ttft=math.nan, p50=0.1), "latency_p90"),
    ],
)
def test_the_worst_sli_failed_hard_or_is_furthest_past_its_threshold(row: Row, worst: str) -> None:
    assert row.report is not None
    found = worst_sli(row.report)
    assert found is not None
    assert found.sli == worst
