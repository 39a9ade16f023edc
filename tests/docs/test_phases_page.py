"""The table of docs/phases.md, recomputed: one server under five loads, one after the other."""

import itertools
import math
import time
from collections.abc import Iterator
from functools import cache

import pytest
from tests.docs.markdown import block, table

from sloscore import SLOClient
from sloscore.client.testing import FakeService
from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample
from sloscore.evaluation.phased import report_phase, with_phases
from sloscore.evaluation.plan import plan_registration
from sloscore.evaluation.report import report_window
from sloscore.experiments.model import Phase
from sloscore.experiments.phases import PhasedWindow, spans_of
from sloscore.simulate.kinds import KINDS
from sloscore.simulate.requests import Deployment, Workload, serve_requests
from sloscore.wire import Registration, Report

PAGE = "docs/phases.md"
SECONDS, SCRAPE = 120.0, 5.0
RATES = (2.0, 4.0, 6.0, 8.0, 10.0)
START = 1_800_000_000.0
END = START + len(RATES) * SECONDS
LATENCY = KINDS["vllm"].histograms["latency"]
SLO = {"latency": {"p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}}}


def log() -> Iterator[tuple[float, float]]:
    """When each request finished, and how long it took."""
    for number, rate in enumerate(RATES):
        requests = serve_requests(Deployment(max_num_seqs=17), Workload(rate=rate), seed=7)
        for request in itertools.takewhile(lambda one: one.arrival < SECONDS, requests):
            if request.finished < SECONDS:
                yield START + number * SECONDS + request.finished, request.latency


def scrapes() -> Iterator[InstanceSample]:
    finished = sorted(log())
    bounds = (*LATENCY.buckets, math.inf)
    for number in range(int((END - START) / SCRAPE) + 1):
        at = START + number * SCRAPE
        seen = [latency for when, latency in finished if when <= at]
        counts = tuple(float(sum(each <= bound for each in seen)) for bound in bounds)
        data = {Child("latency", ()): Histogram(bounds, counts, sum(seen))}
        yield InstanceSample(("vllm", "a"), at, True, START - 3600, data)


@cache
def report(score: str) -> Report:
    task = {"task_name": "ramp", "server": "vllm", "slo": {**SLO, "phases": {"score": score}}}
    document = {"id": "ramp", "task": task, "selector": {"instance": "a"}}
    plan = plan_registration(Registration.model_validate(document))
    phases = [
        Phase(f"{rate:g}/s", START + number * SECONDS, START + (number + 1) * SECONDS)
        for number, rate in enumerate(RATES)
    ]
    window = PhasedWindow(START, END, spans_of(phases, START, END))
    window.feed(scrapes())
    now = time.time()
    whole = report_window(plan, window.counts(), (START, END), now=now)
    parts = [(span, report_phase(plan, one.counts(), span, now=now)) for span, one in window.parts]
    return with_phases(plan, whole, parts)


def rows() -> dict[str, dict[str, str]]:
    """The table's rows by what they are of."""
    worst = report("worst")
    assert worst.whole is not None
    shown = {**{phase.name: phase for phase in worst.phases}, "whole window": worst.whole}
    found = {}
    for name, one in shown.items():
        (sli,) = one.slis
        assert one.window is not None
        found[name] = {
            "of": name,
            "requests": f"{one.window.requests:.0f}",
            "mean": f"{one.base_score:.2f} s",
            "P90": f"{sli.value:.2f} s",
            "verdict": sli.verdict,
            "score": f"{one.score:.2f}",
        }
    return found


@pytest.mark.parametrize("row", table(PAGE, "ramp"), ids=lambda row: row["of"])
def test_the_table_is_what_the_scoring_makes_of_the_log(row: dict[str, str]) -> None:
    assert row == rows()[row["of"]]


def test_a_hard_fail_of_a_phase_is_one_of_the_experiment_whatever_is_scored() -> None:
    for score in ("whole", "worst"):
        assert (report(score).status, report(score).scored_phase) == ("FAILED", "10/s")


def test_the_marks_are_made_as_shown() -> None:
    with FakeService() as fake:
        seen = []
        namespace = {
            "client": SLOClient(fake.url),
            "slo": SLO,
            "deployment": {"instance": "10.0.0.5:8000"},
            "run_load": lambda _: seen.append(dict(fake.phases["exp-18"])),
        }
        exec(block(PAGE, "marks"), namespace)  # noqa: S102  the document's own code
    assert seen[-1] == {"c=1": "ended", "c=8": "ended", "c=64": "running"}
    assert fake.states == {"exp-18": "finished"}
