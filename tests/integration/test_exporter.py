"""The gauges of the service against its reports, and as a real Prometheus reads them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from tests.docs.markdown import ROOT
from tests.integration.service import (
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
    unix,
    until,
)

from sloscore.conventions import UNIT_NAMES
from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.service_fixtures"]

Series = tuple[str, frozenset[tuple[str, str]]]

# Rows of docs/reference/metrics.md: a metric with its labels.
REFERENCE = {
    tuple(re.findall(r"`(\w+)`", name + labels))
    for name, labels in re.findall(
        r"^\| (`\w+`) \| \w+ \| (.*?) \|",
        (ROOT / "docs/reference/metrics.md").read_text(),
        re.MULTILINE,
    )
}
UNITS = {
    "throughput": "tokens_per_second",
    "throughput_per_gpu": "tokens_per_second_per_gpu",
    "total_throughput": "tokens_per_second",
    "request_throughput": "requests_per_second",
    "error_rate": "ratio",
}
SLI_GAUGES = {
    "value": "sloscore_sli_value_{unit}",
    "lower": "sloscore_sli_lower_{unit}",
    "upper": "sloscore_sli_upper_{unit}",
    "threshold": "sloscore_sli_threshold_{unit}",
    "violation_ratio": "sloscore_sli_violation_ratio",
    "penalty": "sloscore_sli_penalty",
}
EXPERIMENT_GAUGES = {
    "penalty": "sloscore_experiment_penalty",
    "penalty_multiplier": "sloscore_experiment_penalty_multiplier",
    "score": "sloscore_experiment_score",
}
SLOS = {
    "latency": {
        "p50": {"threshold": 0.4},
        "p90": {"threshold": 0.5, "hard_fail": True, "fail_ratio": 0.2},
    },
    "ttft": {"threshold": 1000.0},
    "throughput": {
        "output": {"threshold": 1e6},
        "output_per_gpu": {"threshold": 1.0},
        "total": {"threshold": 1.0},
        "requests": {"threshold": 1.0},
    },
    "error_rate": {"threshold": 0.5},
    "steepness": 5.0,
}


def series(name: str, labels: Mapping[str, str]) -> Series:
    return name, frozenset(labels.items())


def samples(families: Iterable[Metric]) -> dict[Series, float]:
    return {
        series(sample.name, sample.labels): sample.value
        for family in families
        for sample in family.samples
    }


async def scrape(api: Api) -> dict[Series, float]:
    answer = await api.get("/metrics")
    assert answer.status == 200
    return samples(text_string_to_metric_families(answer.text))


def documented(found: Iterable[Series]) -> Iterator[tuple[str, ...]]:
    """What was found as the reference has it: the name of each metric with its labels."""
    units = "|".join(sorted(UNIT_NAMES.values(), key=len, reverse=True))
    in_units = re.compile(rf"^(sloscore_sli_(?:value|lower|upper|threshold))_(?:{units})$")
    for name, labels in found:
        # Beside each counter and histogram prometheus_client tells when it was made.
        if not name.endswith("_created"):
            metric = in_units.sub(r"\1_UNIT", re.sub("_(bucket|sum|count)$", "", name))
            yield metric, *sorted(dict(labels).keys() - {"le"})


def of_experiments(found: Mapping[Series, float]) -> dict[Series, float]:
    """The series that an experiment has for itself."""
    return {key: value for key, value in found.items() if dict(key[1]).keys() >= {"experiment"}}


def expected(report: Json) -> Iterator[tuple[Series, float | None]]:
    """What the gauges of a final report must be, by the report alone; null has no gauge."""
    labels = {"task": report["task"], "experiment": report["experiment"]}
    numbers = {name: report[field] for field, name in EXPERIMENT_GAUGES.items()}
    numbers["sloscore_experiment_hard_fail"] = report["status"] == "FAILED"
    numbers["sloscore_experiment_no_data"] = report["status"] == "NO_DATA"
    numbers["sloscore_experiment_live"] = 0
    numbers["sloscore_experiment_start_timestamp_seconds"] = unix(report["window"]["start"])
    if report["window"]["instances"]:
        numbers["sloscore_experiment_requests"] = report["window"]["requests"]
    for name, value in numbers.items():
        yield series(name, labels), value
    info = {"objective": report["objective"], "status": report["status"], "ended": "true"}
    yield series("sloscore_experiment_info", {**labels, **info}), 1
    for sli in report["slis"]:
        unit = UNITS.get(sli["sli"], "seconds")
        for field, name in SLI_GAUGES.items():
            yield series(name.format(unit=unit), {**labels, "sli": sli["sli"]}), sli[field]
        for flag in ("hard_fail", "no_data"):
            name = f"sloscore_sli_{flag}"
            yield series(name, {**labels, "sli": sli["sli"]}), sli["verdict"] == flag
        yield series("sloscore_sli_certain", {**labels, "sli": sli["sli"]}), sli["certain"]


def gauges_of(*reports: Json) -> dict[Series, float]:
    return {
        key: float(value)
        for report in reports
        for key, value in expected(report)
        if value is not None
    }


async def ended(api: Api, name: str, task: Json, address: str, *, requests: int) -> Json:
    await api.register(name, task, selector={"instance": address})
    await api.score_until(name, has_requests(requests))
    await api.finish(name)
    return await api.final(name)


async def test_gauges_are_the_numbers_of_the_reports_and_what_is_unknown_has_none(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    address = deployments.quick.address
    hasty = {"closing_wait": "1s"}
    async with serving(settings(tmp_path, prometheus.url, evaluation=hasty)) as api:
        scored = await ended(api, "scored", task_of(), address, requests=10)
        failed = await ended(api, "failed", task_of("tail", slo=SLOS, gpus=2), address, requests=10)
        empty = await ended(api, "empty", task_of(slo=SLOS, gpus=2), "127.0.0.1:2", requests=0)
        found = await scrape(api)
    statuses = [report["status"] for report in (scored, failed, empty)]
    assert statuses == ["SUCCESS", "FAILED", "NO_DATA"]
    gauges = of_experiments(found)
    assert gauges == gauges_of(scored, failed, empty)
    nothing = {key[0]: v for key, v in gauges.items() if ("experiment", "empty") in key[1]}
    assert nothing.keys() == {
        "sloscore_experiment_hard_fail",
        "sloscore_experiment_info",
        "sloscore_experiment_live",
        "sloscore_experiment_no_data",
        "sloscore_experiment_start_timestamp_seconds",
        "sloscore_sli_certain",
        "sloscore_sli_hard_fail",
        "sloscore_sli_no_data",
        "sloscore_sli_threshold_seconds",
        "sloscore_sli_threshold_tokens_per_second",
        "sloscore_sli_threshold_tokens_per_second_per_gpu",
        "sloscore_sli_threshold_requests_per_second",
        "sloscore_sli_threshold_ratio",
    }
    assert nothing["sloscore_experiment_no_data"] == nothing["sloscore_sli_no_data"] == 1
    assert found[series("sloscore_experiments", {"state": "failed"})] == 1
    assert found[series("sloscore_experiments", {"state": "running"})] == 0
    assert set(documented(found)) <= REFERENCE


async def test_a_running_experiment_has_gauges_until_it_is_aborted(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api:
        await api.register("one", task_of(), selector={"instance": deployments.quick.address})
        report = await api.score_until("one", has_requests(10))
        gauges = of_experiments(await scrape(api))
        labels = {"task": "chat", "experiment": "one"}
        seen = gauges[series("sloscore_experiment_requests", labels)]
        assert seen >= report["window"]["requests"]
        info = {"objective": "minimize_latency", "status": "RUNNING", "ended": "false"}
        assert gauges[series("sloscore_experiment_info", {**labels, **info})] == 1
        assert gauges[series("sloscore_experiment_live", labels)] == 1
        await api.abort("one")
        assert of_experiments(await scrape(api)) == {}


async def test_an_ended_experiment_leaves_after_the_retention_and_is_counted(
    tmp_path: Path,
) -> None:
    short = {"source_wait": "1ms", "retention": "500ms"}
    expired = series("sloscore_experiment_series_expired_total", {})
    async with serving(settings(tmp_path, evaluation=short)) as api:
        assert (await scrape(api))[expired] == 0
        await api.register("one", task_of(), selector={"instance": "x"})
        await api.finish("one")
        report = await api.final("one")
        before = await scrape(api)
        assert of_experiments(before) == gauges_of(report)
        after = await until(lambda: scrape(api), lambda found: not of_experiments(found))
        assert (before[expired], after[expired]) == (0, 1)
        assert after[series("sloscore_experiments", {"state": "no_data"})] == 1
        assert await api.score("one") == report


async def test_no_more_ended_experiments_than_the_limit_are_exported(tmp_path: Path) -> None:
    given = settings(
        tmp_path, evaluation={"source_wait": "1ms"}, limits={"max_exported_experiments": 1}
    )
    async with serving(given) as api:
        reports = {}
        for name in ("one", "two"):
            await api.register(name, task_of(), selector={"instance": "x"})
            await api.finish(name)
            reports[name] = await api.final(name)
        newest = gauges_of(reports["two"])
        await until(lambda: scrape(api), lambda found: of_experiments(found) == newest)


async def test_both_formats_hold_the_same_and_end_well(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, evaluation={"source_wait": "1ms"})) as api:
        task = task_of('quoted "task" \\ \u00e9', slo=SLOS, gpus=2)
        await api.register("one", task, selector={"instance": "x"})
        await api.finish("one")
        await api.final("one")
        plain = await scrape(api)
        headers = {"Accept": "application/openmetrics-text;version=1.0.0"}
        answer = await api.request("GET", "/metrics", headers=headers)
    assert answer.type == "application/openmetrics-text"
    modern = samples(openmetrics_families(answer.text))  # type: ignore[no-untyped-call]  # it has no types
    assert of_experiments(modern) == of_experiments(plain) != {}


@pytest.mark.parametrize(
    ("taken", "sent"), [("gzip", "gzip"), ("deflate, gzip;q=0.5", "gzip"), ("identity", None)]
)
async def test_the_answer_is_compressed_for_those_who_take_it(
    tmp_path: Path, taken: str, sent: str | None
) -> None:
    async with serving(settings(tmp_path, evaluation={"source_wait": "1ms"})) as api:
        await api.register("one", task_of(), selector={"instance": "x"})
        await api.finish("one")
        report = await api.final("one")
        answer = await api.request("GET", "/metrics", headers={"Accept-Encoding": taken})
    assert answer.headers.get("Content-Encoding") == sent
    assert of_experiments(samples(text_string_to_metric_families(answer.text))) == gauges_of(report)


async def test_the_settings_that_alerts_need_are_exported(tmp_path: Path) -> None:
    address = "https://slo.example/sloscore"
    async with serving(settings(tmp_path, listen={"port": 0, "external_url": address})) as api:
        set_ = await scrape(api)
    async with serving(settings(tmp_path)) as api:
        unset = await scrape(api)
    assert set_[series("sloscore_external_url_info", {"url": address})] == 1
    assert [name for name, _ in unset if "external_url" in name] == []
    interval = series("sloscore_evaluation_interval_seconds", {})
    assert set_[interval] == unset[interval] == 0.2


async def read(prometheus: PrometheusProcess, query: str) -> dict[Series, float]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{prometheus.url}/api/v1/query", data={"query": query}) as answer,
    ):
        rows = (await answer.json())["data"]["result"]
    found = {}
    for row in rows:
        labels = {k: v for k, v in row["metric"].items() if k not in {"job", "instance"}}
        found[series(labels.pop("__name__"), labels)] = float(row["value"][1])
    return found


async def test_a_real_prometheus_reads_the_gauges_as_they_are(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api:
        address = api.url.removeprefix("http://")
        prometheus.add_targets("sloscore", [address])
        task = task_of("real", slo=SLOS, gpus=2)
        report = await ended(api, "one", task, deployments.quick.address, requests=10)
        gauges = gauges_of(report)
        query = f'{{instance="{address}", experiment="one"}}'
        await until(lambda: read(prometheus, query), lambda found: found == gauges)
        prometheus.remove_targets([address])
