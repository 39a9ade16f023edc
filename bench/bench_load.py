"""The service under load: thousands of live experiments, and requests that do not wait for each other.

A real Prometheus scrapes a page for each experiment (bench/page_server.py), a real `sloscore serve`
evaluates them at its default interval, and requests are sent at their times whatever becomes of
those before: a latency counts from the time at which its request was due. Every second 0.6 of the
requests read the score of a live experiment, 0.25 score numbers, 0.1 list experiments, and 0.05
finish an experiment or register the next on its server; /metrics is read every 5 s.

    python bench/bench_load.py [--seconds 600] [--live 2000] [--rate 200] [--write [docs/load.md]]
"""

import argparse
import asyncio
import itertools
import random
import re
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from document import publish
from laboratory import MEBIBYTE, Laboratory, Usage, laboratory, machine

from sloscore import conventions as names

EXPERIMENTS = "/api/v1/experiments"
METRICS_SECONDS = PROGRESS_SECONDS = 5.0
TASKS = 10
# Servers that wait for the next experiment while others finish.
SPARE = 100
SLO = {
    "latency": {
        "p50": {"threshold": 2.0},
        "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
    },
    "ttft": {"threshold": 1.0},
    "tpot": {"threshold": 0.05},
}
NUMBERS = {
    "slo": SLO,
    "base_score": 2.5,
    "values": {"latency_p50": 2.3, "latency_p90": 4.5, "ttft": 0.4, "tpot": 0.02},
}
SHARES = {"score": 0.6, "score numbers": 0.25, "list": 0.1, "register": 0.025, "finish": 0.025}
METRICS = "/metrics"


@dataclass
class Load:
    """Requests to a service: ``latencies`` in seconds by kind, and what went wrong."""

    session: aiohttp.ClientSession
    url: str
    servers: int
    live: deque[str] = field(default_factory=deque)
    latencies: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  nothing to guess
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ask(self, kind: str, due: float) -> None:
        """One request, which was due at this time of the event loop."""
        try:
            await self._send(kind)
        except (aiohttp.ClientError, OSError) as error:
            self.failed[kind] += 1
            self.errors[f"{kind}: {type(error).__name__}: {error}"] += 1
        self.latencies[kind].append(asyncio.get_running_loop().time() - due)

    async def _send(self, kind: str) -> None:
        match kind:
            case "score":
                name = self.chance.choice(self.live)
                await self._get(f"{EXPERIMENTS}/{name}/score")
            case "score numbers":
                await self._post("/api/v1/score", NUMBERS)
            case "list":
                await self._get(f"{EXPERIMENTS}?limit=100&task=load-{self.chance.randrange(TASKS)}")
            case "register":
                await self.register()
            case "finish":
                await self._post(f"{EXPERIMENTS}/{self.live.popleft()}/finish", {})
            case _:
                await self._get(METRICS)

    async def register(self) -> None:
        """An experiment on the next server, as that of its last one has finished by now."""
        number = next(self.numbers)
        name = f"trial-{number:07}"
        task = {"task_name": f"load-{number % TASKS}", "server": "vllm", "slo": SLO}
        selector = {"instance": f"server-{number % self.servers}"}
        await self._post(EXPERIMENTS, {"id": name, "task": task, "selector": selector})
        self.live.append(name)

    async def _get(self, path: str) -> None:
        async with self.session.get(self.url + path) as answer:
            await self._judge(answer)

    async def _post(self, path: str, body: object) -> None:
        async with self.session.post(self.url + path, json=body) as answer:
            await self._judge(answer)

    @staticmethod
    async def _judge(answer: aiohttp.ClientResponse) -> None:
        text = await answer.read()
        if answer.status not in {200, 201}:
            raise aiohttp.ClientError(f"{answer.status}: {text[:300]!r}")


async def begin(load: Load, live: int) -> None:
    """Register the live experiments, and return once the service has evaluated all of them."""

    async def some(number: int) -> None:
        for _ in range(number):
            await load.register()

    await asyncio.gather(
        *(some(len(part)) for part in (range(at, min(at + 50, live)) for at in range(0, live, 50)))
    )
    began, waited_for = time.monotonic(), set(load.live)
    while waited_for:
        if time.monotonic() - began > 180:
            raise SystemExit(f"{len(waited_for)} experiments have no requests after 180 s")
        for name in tuple(waited_for):
            async with load.session.get(f"{load.url}{EXPERIMENTS}/{name}/score") as answer:
                window = (await answer.json())["window"]
            if not (window and window["requests"]):
                break
            waited_for.discard(name)
        say(f"{live - len(waited_for)} of {live} experiments have requests")
        await asyncio.sleep(1)


async def run(load: Load, rate: float, seconds: float) -> None:
    """Send requests at their times, and return when all are answered."""
    loop = asyncio.get_running_loop()
    kinds, weights = list(SHARES), list(SHARES.values())
    began = loop.time()
    plan: deque[tuple[float, str]] = deque(sorted(
        [(number / rate, load.chance.choices(kinds, weights)[0]) for number in range(int(rate * seconds))]
        + [(number * METRICS_SECONDS, METRICS) for number in range(int(seconds / METRICS_SECONDS))]
    ))  # fmt: skip
    asked: set[asyncio.Task[None]] = set()
    while plan:
        due, kind = plan.popleft()
        if (ahead := began + due - loop.time()) > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(load.ask(kind, began + due))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)


async def counters(load: Load) -> dict[str, float]:
    """What the service counts of its own evaluations, from /metrics."""
    async with load.session.get(load.url + METRICS) as answer:
        text = await answer.text()
    wanted = (names.EVALUATION_ROUNDS, names.EVALUATION_LATE, names.EVALUATION_ERRORS,
              names.EVALUATION_DURATION, names.EVALUATION_INTERVAL)  # fmt: skip
    found = {"bytes": float(len(text))}
    for series, value in re.findall(rf"^((?:{'|'.join(wanted)})\S*) (\S+)$", text, re.MULTILINE):
        found[series] = float(value)
    return found


def say(text: str) -> None:
    """Progress, beside the table."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


async def watch(load: Load, lab: Laboratory, samples: list[Mapping[str, Usage]]) -> None:
    """Take samples of the processes, and tell how it goes."""
    for number in itertools.count():
        samples.append(lab.usage())
        if number % 4 == 0:
            done = sum(map(len, load.latencies.values()))
            rss = samples[-1]["service"].rss / MEBIBYTE
            say(f"{done} requests, {load.errors.total()} errors, service {rss:.0f} MiB")
        await asyncio.sleep(PROGRESS_SECONDS)


async def measured(given: argparse.Namespace) -> list[str]:
    """The lines of the document."""
    lines: list[str] = []
    with laboratory(given.live + SPARE, given.scrape) as lab:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            load = Load(session, lab.url, given.live + SPARE)
            await begin(load, given.live)
            before, began = await counters(load), time.monotonic()
            samples: list[Mapping[str, Usage]] = []
            watching = asyncio.create_task(watch(load, lab, samples))
            await run(load, given.rate, given.seconds)
            watching.cancel()
            samples.append(lab.usage())
            after, seconds = await counters(load), time.monotonic() - began
    for error, number in load.errors.most_common(5):
        say(f"{number} times: {error}")
    interval = after[names.EVALUATION_INTERVAL]
    lines += [
        "",
        heading(given, interval),
        "",
        "| request | answered | errors | p50 | p99 | longest |",
        "| --- | --- | --- | --- | --- | --- |",
        *(row(kind, load) for kind in (*SHARES, METRICS)),
        "",
        "| process | CPUs | memory at start | in the middle | at the end |",
        "| --- | --- | --- | --- | --- |",
        *usage_rows(samples, seconds),
        "",
        *evaluation_rows(before, after, seconds, interval),
    ]
    return lines


def heading(given: argparse.Namespace, interval: float) -> str:
    """What was measured, and on what."""
    return (
        f"{given.live:,} live experiments, {given.rate:g} requests/s for {given.seconds:g} s, "
        f"evaluations every {interval:g} s, scrapes every {given.scrape:g} s. {machine()}."
    )


def row(kind: str, load: Load) -> str:
    """What became of the requests of a kind."""
    latencies = sorted(load.latencies[kind])
    answered = len(latencies) - load.failed[kind]
    at = [latencies[int((len(latencies) - 1) * share)] * 1000 for share in (0.5, 0.99, 1.0)]
    times = " | ".join(f"{each:,.0f} ms" for each in at)
    return f"| {kind} | {answered:,} | {load.failed[kind]} | {times} |"


def usage_rows(samples: list[Mapping[str, Usage]], seconds: float) -> Iterator[str]:
    """CPUs that the processes took, and their memory."""
    first, middle, last = samples[0], samples[len(samples) // 2], samples[-1]
    for name in first:
        cpus = (last[name].cpu - first[name].cpu) / seconds
        memory = " | ".join(f"{at[name].rss / MEBIBYTE:,.0f} MiB" for at in (first, middle, last))
        yield f"| {name} | {cpus:.2f} | {memory} |"


def evaluation_rows(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float, interval: float
) -> Iterator[str]:
    """What the service counted of its evaluations in so many seconds."""

    def grown(series: str) -> float:
        return after.get(series, 0.0) - before.get(series, 0.0)

    evaluations = grown(f"{names.EVALUATION_DURATION}_count")
    spent = grown(f"{names.EVALUATION_DURATION}_sum")
    errors = sum(grown(series) for series in after if series.startswith(names.EVALUATION_ERRORS))
    in_time = grown(f'{names.EVALUATION_DURATION}_bucket{{le="{interval}"}}')
    figures: Mapping[str, Any] = {
        "rounds of evaluations, due": f"{seconds / interval:.0f}",
        "rounds of evaluations, begun": f"{grown(names.EVALUATION_ROUNDS + '_total'):.0f}",
        "experiments passed over as their last evaluation had not ended": (
            f"{grown(names.EVALUATION_LATE + '_total'):.0f}"
        ),
        "evaluations that failed": f"{errors:.0f}",
        "shared evaluations (200 experiments)": f"{evaluations:.0f}",
        f"of them done within {interval:g} s": f"{in_time / evaluations:.2%}",
        "mean time of a shared evaluation": f"{spent / evaluations:.2f} s",
        "size of /metrics at the end": f"{after['bytes'] / MEBIBYTE:.1f} MiB",
    }
    yield "| evaluations | |"
    yield "| --- | --- |"
    for name, figure in figures.items():
        yield f"| {name} | {figure} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="how long the load lasts")
    parser.add_argument("--live", type=int, default=2000, help="live experiments")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--scrape", type=float, default=15.0, help="seconds between scrapes")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=Path("docs/load.md"), help="put the tables there"
    )
    given = parser.parse_args()
    publish(asyncio.run(measured(given)), "load", given.write)


if __name__ == "__main__":
    main()
