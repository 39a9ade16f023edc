"""Scoring, rescoring, starting and memory: what sloscore takes besides its queries.

    python bench/bench_core.py [--short] [--write docs/benchmarks.md]

Scoring and rescoring run in this process, in seconds of the processor, as medians of runs. Starts are those
of whole processes, and so is memory (bench/live_memory.py).
"""

import asyncio
import contextlib
import http.client
import itertools
import json
import math
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from bench_compat import CONFIG, VIOLATED, bare
from document import part_options, publish
from laboratory import usage
from live_memory import BOUNDS, ROLES

from sloscore.compat import calculate_slo_penalty
from sloscore.core.histogram import Histogram
from sloscore.core.judge import judge
from sloscore.core.objective import Direction, Signal
from sloscore.core.penalty import Slo
from sloscore.core.scorer import Measured, Scorer
from sloscore.core.scoring import combine
from sloscore.core.sli import Estimate, Sli
from sloscore.evaluation.report import report_values
from sloscore.evaluation.rescore import rescore
from sloscore.evaluation.rescorer import judged_again, scored
from sloscore.experiments.counted import CountedWindow, documents_of
from sloscore.experiments.model import Experiment, State, new_experiment
from sloscore.experiments.store import ExperimentStore
from sloscore.experiments.window import WindowCounts
from sloscore.spec.slo import SloSpec
from sloscore.wire import ScoreRequest

BENCH = Path(__file__).resolve().parent
START, SECONDS = 1_700_000_000.0, 300.0
# All past their limits, as in bench_compat.py.
VALUES = (2.3, 5.5, 11.0, 1.2)
SLOS = (Slo(2.0), Slo(5.0, 2.0, hard_fail=True, fail_ratio=0.2), Slo(10.0, 3.0), Slo(1.0, 2.0))
P90 = Sli("latency_p90", Signal.LATENCY, "p90")
RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    """Seconds of the processor that it takes, as the median of some runs."""
    took = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return statistics.median(took)


def scoring(calls: int) -> Iterator[str]:
    """Scores of four SLOs a second, by how much is said of each."""
    estimates = [Estimate.exact(value) for value in VALUES]
    measured = [Measured.of(estimate) for estimate in estimates]
    scorer = Scorer(SLOS, Direction.MINIMIZE)
    slo = {key: value for key, value in CONFIG.items() if key != "steepness"}
    names = ("latency_p50", "latency_p90", "latency_p99", "ttft")
    numbers = {"slo": slo, "base_score": 2.5, "values": dict(zip(names, VALUES, strict=True))}
    request = ScoreRequest.model_validate(numbers)

    def judged() -> object:
        results = [judge(P90, slo, one) for slo, one in zip(SLOS, estimates, strict=True)]
        return combine(2.5, Direction.MINIMIZE, results)

    cases: Mapping[str, Callable[[], object]] = {
        "the formula alone, as a tuner would write it": lambda: bare(VIOLATED, CONFIG),
        "`sloscore.compat.calculate_slo_penalty`": lambda: calculate_slo_penalty(VIOLATED, CONFIG),
        "numbers of many windows under the same SLOs": lambda: scorer.score(2.5, measured),
        "with intervals, errors and a sentence for each SLI": judged,
        "the whole report, as JSON": lambda: report_values(request, START).model_dump_json(),
    }
    seconds(lambda: [call() for call in cases.values() for _ in range(100)])
    yield "| what is made | a second | time each |"
    yield "| --- | --- | --- |"
    for name, call in cases.items():
        each = seconds(lambda call=call: [call() for _ in range(calls)]) / calls  # type: ignore[misc]
        yield f"| {name} | {1 / each:,.0f} | {each * 1e6:.1f} us |"


def arithmetic(sizes: Sequence[int]) -> Iterator[str]:
    """Windows of which the numbers are known, under other SLOs."""
    scorer = Scorer(SLOS, Direction.MINIMIZE)
    yield "| windows of four SLIs | seconds |"
    yield "| --- | --- |"
    for size in sizes:
        factors = [0.5 + place / size for place in range(size)]
        measured = [
            [Measured.of(Estimate.exact(value * factor)) for value in VALUES] for factor in factors
        ]
        took = seconds(lambda measured=measured: [scorer.score(2.5, one) for one in measured])  # type: ignore[misc]
        yield f"| {size:,} | {took:.3f} |"


def counted(number: int) -> dict[str, Any]:
    """The documents of the counts of an experiment's window."""
    middle = 6 + number % 7
    shares = [1 / (1 + math.exp(-(place - middle) / 2)) for place in range(len(BOUNDS) - 1)]
    cumulative = (*(float(math.floor(3000 * share)) for share in shares), 3000.0)
    histogram = Histogram(BOUNDS, cumulative, 3000 * BOUNDS[middle])
    end = START + SECONDS
    counts = WindowCounts(
        dict.fromkeys(ROLES, histogram), {}, START, end, 0.0, 0.0, 1, 0, 15.0,
    )  # fmt: skip
    return dict(documents_of(CountedWindow(START, end, counts), {}))


def ended(number: int, section: Mapping[str, Any]) -> tuple[Experiment, dict[str, Any]]:
    """An experiment of a task, and the documents of its counts."""
    name = f"trial-{number:06}"
    task = {"task_name": "chat", "server": "vllm", "slo": section}
    body = {"id": name, "task": task, "selector": {"instance": f"10.1.0.{number % 250}:8000"}}
    return (
        new_experiment(name, "chat", body, "minimize_latency", "minimize", START, START + number),
        counted(number),
    )


async def stored(store: ExperimentStore, number: int, section: Mapping[str, Any]) -> None:
    """Put an experiment into the store as the service does, with its report."""
    experiment, counts = ended(number, section)
    await store.register(experiment)
    end = START + SECONDS + number
    settled = await store.finish(experiment.id, end, end)
    report = judged_again(settled, counts, SloSpec.model_validate(section))
    document = orjson.loads(report.model_dump_json())
    await store.finalize(experiment.id, State.SCORED, document, report.score, end, counts)


async def rescoring(number: int) -> list[str]:
    """A task's experiments under other SLOs, as /api/v1/rescore does it."""
    section = {role: {"p90": {"threshold": 1.5, "weight": 2.0}} for role in ROLES}
    other = SloSpec.model_validate({**section, "steepness": 0.2})
    with tempfile.TemporaryDirectory() as place:
        store = await ExperimentStore.open(Path(place) / "sloscore.db")
        for one in range(number):
            await stored(store, one, section)
        began = time.process_time()
        newest = await store.task_experiments("chat", number)
        counts = await store.counts_of([experiment.id for experiment in newest])
        read = time.process_time() - began
        await store.close()
    pairs = [(experiment, counts[experiment.id]) for experiment in newest]
    numbers = seconds(lambda: rescore(pairs, other, Direction.MINIMIZE))
    reports = seconds(lambda: [scored(judged_again(*pair, other)) for pair in pairs])
    rows = rescore(pairs, other, Direction.MINIMIZE)
    assert {row.experiment: row.after for row in rows if row.after}.keys() == counts.keys()
    return [
        f"| experiments of a task | {number:,} |",
        "| --- | --- |",
        f"| read from the store | {read:.2f} s |",
        f"| judged again and ranked | {numbers:.2f} s |",
        f"| the same by a report for each | {reports:.2f} s |",
    ]


Took = tuple[float, float]
"""Seconds that passed, and seconds of the processor, which a busy machine changes less."""


@contextlib.contextmanager
def compiled() -> Iterator[None]:
    """Processes that begin meanwhile keep their bytecode, as an installation has it for them."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as place:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = place
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def process(*command: str) -> Took:
    """How long a process takes from its start to its end."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  our own commands
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return time.perf_counter() - began, cpu


def ready() -> Took:
    """From the start of a service on an empty store to its first 200 of /-/ready."""
    with tempfile.TemporaryDirectory() as place, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        given = ["--no-prometheus", "--port", str(port), "--store", f"{place}/sloscore.db"]
        began = time.perf_counter()
        with subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-m", "sloscore", "serve", *given],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as service:
            while not is_ready(port):
                time.sleep(0.002)
            took = time.perf_counter() - began, usage(service.pid).cpu
            service.terminate()
        return took


def is_ready(port: int) -> bool:
    """Whether a service answers, and says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    return False


def starts(runs: int) -> Iterator[str]:
    """Whole processes, as medians of so many, after a first one of each that is not counted."""
    python = sys.executable

    def imported(what: str) -> Callable[[], Took]:
        return lambda: process(python, "-c", f"import {what}")

    cases: Sequence[tuple[str, str, Callable[[], Took]]] = (
        ("Python that does nothing", "", imported("sys")),
        (
            "`sloscore --help`",
            "0.25 s",
            lambda: process(python, "-m", "sloscore", "--help"),
        ),
        ("import of aiohttp", "", imported("aiohttp")),
        ("import of the blocking client", "", imported("sloscore.client.sync")),
        ("import of the async client", "0.1 s beyond aiohttp", imported("sloscore.client.aio")),
        ("`sloscore serve` up to the first 200 of /-/ready", "1 s", ready),
    )
    yield "| whole process | goal | took | processor |"
    yield "| --- | --- | --- | --- |"
    for name, goal, run in cases:
        with compiled():
            run()
            times = [run() for _ in range(runs)]
        took, used = (statistics.median(one) for one in zip(*times, strict=True))
        yield f"| {name} | {goal} | {took:.2f} s | {used:.2f} s |"


def taken(measure: str, experiments: int, scrapes: int) -> dict[str, float]:
    """Bytes that an experiment takes, by a process of its own."""
    command = [
        sys.executable,
        str(BENCH / "live_memory.py"),
        measure,
        str(experiments),
        str(scrapes),
    ]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603  our own script
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def memory(sizes: Sequence[int], traced: int, scrapes: int) -> Iterator[str]:
    """What an experiment takes in the service's memory."""
    yield "| | goal | each |"
    yield "| --- | --- | --- |"
    resident = {size: taken("live", size, scrapes)["each"] for size in sizes}
    for size, each in resident.items():
        yield f"| resident, {size:,} live | 20 KB | {each / 1000:.1f} KB |"
    for (few, one), (many, other) in itertools.pairwise(resident.items()):
        more = (other * many - one * few) / (many - few)
        yield f"| resident, each live one beyond {few:,} | 20 KB | {more / 1000:.1f} KB |"
    for name, part in taken("traced", traced, scrapes).items():
        yield f"| allocated for its {name} | | {part / 1000:.1f} KB |"
    done = max(sizes)
    yield f"| resident, {done:,} ended and still shown | 2 KB | {taken('ended', done, 3)['each'] / 1000:.1f} KB |"


def main() -> None:
    given = part_options(__doc__)
    is_short = given.short
    publish(scoring(200 if is_short else 5000), "scoring", given.write)
    publish(
        arithmetic((1000, 10_000) if is_short else (1000, 10_000, 100_000)),
        "arithmetic",
        given.write,
    )
    publish(asyncio.run(rescoring(100 if is_short else 1000)), "rescoring", given.write)
    publish(starts(3 if is_short else 10), "starts", given.write)
    sizes = (100, 300) if is_short else (1000, 5000)
    publish(memory(sizes, 50 if is_short else 200, 2 if is_short else 5), "memory", given.write)


if __name__ == "__main__":
    main()
