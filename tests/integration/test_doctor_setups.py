"""Set-ups with something wrong, scraped by a real Prometheus, and what the doctor says of each."""

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from tests.integration.doctor_lab import JOBS, LATENCY, TTFT, scraped_times, served
from tests.integration.service import until

from sloscore.advice.doctor import Doctor
from sloscore.advice.findings import Check, Examination, Finding, Severity
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.spec.loader import validate
from sloscore.spec.model import TaskSpec

pytestmark = pytest.mark.prometheus

PREFIX = "doctor-"
SCRAPES = 5
# All limits of it are bounds of vLLM.
SLO: Mapping[str, Any] = {
    "latency": {"p90": {"threshold": 5.0, "hard_fail": True, "fail_ratio": 1.0}},
    "ttft": {"threshold": 0.5},
}


@pytest.fixture(scope="module")
def addresses(prometheus: PrometheusProcess) -> Iterator[Mapping[str, list[str]]]:
    """Addresses by job, after each was scraped a few times."""
    with served(page for same in JOBS.values() for page in same) as found:
        known = iter(found)
        jobs = {PREFIX + job: [next(known) for _ in same] for job, same in JOBS.items()}
        jobs[f"{PREFIX}again"] = jobs[f"{PREFIX}twice"]
        for job, each in jobs.items():
            prometheus.add_targets(job, each)
        targets = sum(map(len, jobs.values()))
        scraped_times(prometheus, f"{PREFIX}.+", targets, SCRAPES)
        yield jobs
        prometheus.remove_targets(found)


async def examine(
    prometheus: PrometheusProcess,
    job: str | None,
    *,
    window: float = 300.0,
    closing_wait: float = 60.0,
    ahead: float = 0.0,
    **given: object,
) -> Examination:
    """Examine a job for a task on vLLM whose limits are bounds, unless ``given`` says otherwise."""
    task = {"task_name": "t", "server": "vllm", "slo": SLO, "selector": {"job": f"{PREFIX}{job}"}}
    doctor = Doctor(
        validate(TaskSpec, {**task, **given}),
        PrometheusSettings(url=prometheus.url),
        window=window,
        closing_wait=closing_wait,
        clock=lambda: time.time() - ahead,
    )
    return await doctor.examine()


def of(found: Examination, check: Check) -> list[Finding]:
    return [one for one in found.findings if one.check is check]


def only(found: Examination, check: Check) -> Finding:
    (finding,) = of(found, check)
    return finding


async def first(
    holds: Callable[[Finding], bool],
    prometheus: PrometheusProcess,
    job: str | None,
    check: Check,
    **given: Any,  # noqa: ANN401  as of examine
) -> Finding:
    """The first finding of a check that holds; a busy machine misses a scrape at times."""

    async def ask() -> list[Finding]:
        found = await examine(prometheus, job, **given)
        return [one for one in of(found, check) if holds(one)]

    (finding,) = await until(ask, lambda found: len(found) == 1, seconds=10)
    return finding


def says(severity: Severity, words: str) -> Callable[[Finding], bool]:
    return lambda finding: finding.severity is severity and words in finding.found


async def test_a_healthy_set_up_is_found_so_in_everything(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    def is_healthy(found: Examination) -> bool:
        # A missed scrape is a warning.
        return found.worst is Severity.OK or all("failed" in one.found for one in worse(found))

    def worse(found: Examination) -> list[Finding]:
        return [one for one in found.findings if one.severity is not Severity.OK]

    found = await until(lambda: examine(prometheus, "healthy"), is_healthy, seconds=10)
    assert found.engine is not None
    assert found.engine.startswith("Prometheus ")
    assert found.server == "vllm"
    unseen = {Check.CONNECTION, Check.READING, Check.NATIVE}
    assert {one.check for one in found.findings} == set(Check) - unseen
    (address,) = addresses[f"{PREFIX}healthy"]
    assert only(found, Check.INSTANCES).found == f'{{job="{PREFIX}healthy"}} holds {address}.'
    assert only(found, Check.REQUESTS).found.endswith(": enough for every SLO.")


async def test_replicas_are_an_info(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    are_two = says(Severity.INFO, "2 instances: ")
    finding = await first(are_two, prometheus, "replicas", Check.INSTANCES)
    assert all(address in finding.found for address in addresses[f"{PREFIX}replicas"])


@pytest.mark.parametrize(
    ("job", "given", "severity", "check", "words"),
    [
        ("half-down", {}, Severity.WARNING, Check.TARGETS, "is down: up is 0"),
        ("all-down", {}, Severity.CRITICAL, Check.TARGETS, "is down: up is 0"),
        ("differing", {}, Severity.WARNING, Check.BUCKETS, "The buckets of latency differ"),
        ("models", {}, Severity.WARNING, Check.INSTANCES, "matches 2 models: m, n"),
        ("no-ttft", {}, Severity.CRITICAL, Check.METRICS, f"{TTFT} is not exposed"),
        ("part-ttft", {}, Severity.WARNING, Check.METRICS, "without ttft, which other instances"),
        ("summary", {}, Severity.CRITICAL, Check.METRICS, f"{LATENCY} has no buckets"),
        ("no-sum", {}, Severity.CRITICAL, Check.READING, "_sum is missing"),
        ("empty", {}, Severity.CRITICAL, Check.SERIES, "exposes no metrics of its own"),
        ("sglang", {}, Severity.CRITICAL, Check.SERVER, "the metrics are those of sglang"),
        ("gateway", {"server": None}, Severity.CRITICAL, Check.SERVER, "sglang, vllm all fit"),
        ("sglang", {"server": "sglang"}, Severity.INFO, Check.RESTARTS, "no process_start_time"),
        ("gateway", {}, Severity.INFO, Check.INSTANCES, "without these metrics"),
        ("flaky", {}, Severity.WARNING, Check.SCRAPES, "in the last 5m failed"),
        ("healthy", {"window": 1.7}, Severity.WARNING, Check.SCRAPES, "1.7 s holds 3 scrapes"),
        ("healthy", {"window": 0.4}, Severity.CRITICAL, Check.SCRAPES, "0.4 s holds 0 scrapes"),
        ("healthy", {"closing_wait": 0.2}, Severity.WARNING, Check.SCRAPES, "waits 0.2 s"),
        ("idle", {}, Severity.INFO, Check.REQUESTS, "No requests finished"),
        ("healthy", {"ahead": 20}, Severity.WARNING, Check.CLOCK, "20 s ahead of this machine's"),
        ("healthy", {"ahead": -20}, Severity.WARNING, Check.CLOCK, "20 s behind this machine's"),
        ("healthy", {"ahead": 600}, Severity.CRITICAL, Check.CLOCK, "10m ahead of this machine's"),
    ],
)
async def test_what_is_wrong_is_found(
    prometheus: PrometheusProcess,
    addresses: Mapping[str, list[str]],
    job: str,
    given: dict[str, Any],
    severity: Severity,
    check: Check,
    words: str,
) -> None:
    finding = await first(says(severity, words), prometheus, job, check, **given)
    if severity in {Severity.WARNING, Severity.CRITICAL}:
        assert finding.means
        assert finding.mend


async def test_a_server_is_recognised_where_the_task_names_none(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    found = await examine(prometheus, "healthy", server=None)
    assert found.server == "vllm"
    assert only(found, Check.SERVER).found == "The metrics are those of vllm."


async def test_series_that_have_ended_are_not_series_that_never_were(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    ended = says(Severity.CRITICAL, 'The series of {model_name="ended"} ended a moment ago.')
    finding = await first(ended, prometheus, None, Check.TARGETS, selector={"model_name": "ended"})
    assert finding.mend.startswith("Start the server")


async def test_a_wrong_label_is_told_with_what_it_is_beside_the_others(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    selector = {"job": f"{PREFIX}healthy", "model_name": "x"}
    finding = only(await examine(prometheus, None, selector=selector), Check.SERIES)
    assert finding.severity is Severity.CRITICAL
    assert finding.found == f'No series carry {{job="{PREFIX}healthy", model_name="x"}}.'
    assert finding.mend == "model_name of the series with the other labels is m, not x."


@pytest.mark.parametrize(
    "selector", [{"model_name": "Shared"}, {"model_name": "Shared", "job": "none"}]
)
async def test_where_no_label_is_right_those_of_such_servers_are_told(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]], selector: dict[str, str]
) -> None:
    finding = only(await examine(prometheus, None, selector=selector), Check.SERIES)
    assert finding.severity is Severity.CRITICAL
    assert "model_name of vllm servers is " in finding.mend
    assert "Is shared meant?" in finding.mend


async def test_a_target_of_two_jobs_counts_every_request_twice(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    (address,) = addresses[f"{PREFIX}twice"]
    twice = says(
        Severity.CRITICAL, f"{address} is scraped by several jobs: {PREFIX}again, {PREFIX}twice."
    )
    selector = {"instance": address}
    finding = await first(twice, prometheus, None, Check.INSTANCES, selector=selector)
    assert f"such as job={PREFIX}again." in finding.mend
    once = says(Severity.OK, f"holds {address}.")
    selector["job"] = f"{PREFIX}again"
    await first(once, prometheus, None, Check.INSTANCES, selector=selector)


async def test_two_jobs_under_one_selector_are_a_warning(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    words = f"The selector matches 2 jobs: {PREFIX}north, {PREFIX}south."
    selector = {"model_name": "shared"}
    await first(says(Severity.WARNING, words), prometheus, None, Check.INSTANCES, selector=selector)


@pytest.mark.parametrize(
    ("slo", "severity", "words"),
    [
        (
            {"latency": {"p90": {"threshold": 5.0, "hard_fail": True, "fail_ratio": 0.2}}},
            Severity.WARNING,
            "The hard limit of 6 s of latency_p90 lies inside the bucket (5, 10].",
        ),
        ({"latency": {"p90": {"threshold": 0.2}}}, Severity.WARNING, "inside the bucket [0, 0.3]."),
        ({"latency": {"p90": {"threshold": 4.0}}}, Severity.WARNING, "inside the bucket (2.5, 5]."),
        (
            {"latency": {"p90": {"threshold": 7680.0, "hard_fail": True, "fail_ratio": 0.5}}},
            Severity.CRITICAL,
            "The hard limit of 11520 s of latency_p90 lies inside the bucket (7680, +Inf].",
        ),
    ],
)
async def test_a_limit_inside_a_bucket_is_found_with_the_option_that_mends_it(
    prometheus: PrometheusProcess,
    addresses: Mapping[str, list[str]],
    slo: dict[str, Any],
    severity: Severity,
    words: str,
) -> None:
    finding = await first(says(severity, words), prometheus, "healthy", Check.LIMITS, slo=slo)
    flag, text = shlex.split(finding.command)
    assert flag == "--custom-histogram-buckets"
    bounds = json.loads(text)["request_latency"]
    assert {0.3, 2.5, 5.0, 7680.0} < set(bounds)
    (limit,) = slo["latency"].values()
    assert limit["threshold"] * (1 + limit.get("fail_ratio", 0)) in bounds


async def test_bounds_that_a_server_was_given_are_kept_in_the_option(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    selector = {"instance": addresses[f"{PREFIX}differing"][1]}
    slo = {"latency": {"p90": {"threshold": 4.5}}}
    inside = says(Severity.WARNING, "inside the bucket (4, 5].")
    finding = await first(inside, prometheus, None, Check.LIMITS, selector=selector, slo=slo)
    assert '{"request_latency": [1.0, 4.0, 4.5, 5.0, 6.0, 10.0]}' in finding.command


async def test_too_few_requests_for_a_percentile_are_found(
    prometheus: PrometheusProcess, addresses: Mapping[str, list[str]]
) -> None:
    slo = {"latency": {"p99": {"threshold": 10.0}}}
    too_few = says(Severity.WARNING, ": too few for latency_p99, which needs 100.")
    finding = await first(too_few, prometheus, "slow", Check.REQUESTS, slo=slo, window=5.0)
    assert "Under this load a window takes about " in finding.mend


async def test_a_prometheus_that_is_not_there_is_found(unused_tcp_port: int) -> None:
    task = validate(TaskSpec, {"task_name": "t", "selector": {"job": "vllm"}})
    settings = PrometheusSettings(url=f"http://127.0.0.1:{unused_tcp_port}")
    found = await Doctor(task, settings, window=300.0, closing_wait=60.0).examine()
    (finding,) = found.findings
    assert (finding.severity, finding.check) == (Severity.CRITICAL, Check.CONNECTION)
    assert finding.found.startswith(f"Cannot reach Prometheus at {settings.url}: ")
