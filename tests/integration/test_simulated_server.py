"""What a simulated server exposes over HTTP, held against facts of the servers it stands for."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
import orjson
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sloscore.core.samples import FamilyKind
from sloscore.errors import SloscoreError
from sloscore.simulate.requests import Deployment, Workload
from sloscore.simulate.server import SimulatedServer
from sloscore.spec.preset import load_preset

# What Prometheus 2.42 and 3.5 send by default, and what curl does.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
CURL = "*/*"

# vLLM 0.33.0 and SGLang 0.5.23: labels, and the bounds of histograms without +Inf.
VLLM = "model_name engine"
VLLM_REQUEST = "0.3 0.5 0.8 1 1.5 2 2.5 5 10 15 20 30 40 50 60 120 240 480 960 1920 7680"
VLLM_TTFT = (
    "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 20 40 80 160 640 2560"
)
VLLM_TOKEN = "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1 2.5 5 7.5 10 20 40 80"
SGLANG = "model_name engine_type"
SGLANG_STREAMING = "model_name engine_type is_streaming"
SGLANG_RANKS = "model_name engine_type tp_rank pp_rank moe_ep_rank"
SGLANG_TTFT = "0.1 0.2 0.4 0.6 0.8 1 2 4 6 8 10 20 40 60 80 100 200 400"
SGLANG_TOKEN = (
    "0.002 0.004 0.006 0.008 0.01 0.015 0.02 0.025 0.03 0.035 0.04 0.06 0.08 0.1 0.2 0.4 0.6 0.8 "
    "1 2 4 6 8"
)
SGLANG_QUEUE = (
    "0 0.001 0.005 0.01 0.05 0.1 0.2 0.5 1 2 3 4 5 10 15 20 30 40 50 60 70 80 90 100 200 300 400 "
    "500 600 700 800 900 1000 1200 1400 1600 1800 2000 2500 3000"
)
FACTS: dict[str, dict[str, tuple[str, str]]] = {
    "vllm": {
        "vllm:e2e_request_latency_seconds": (VLLM, VLLM_REQUEST),
        "vllm:time_to_first_token_seconds": (
            VLLM,
            VLLM_TTFT,
        ),
        "vllm:inter_token_latency_seconds": (VLLM, VLLM_TOKEN),
        "vllm:request_time_per_output_token_seconds": (VLLM, VLLM_TOKEN),
        "vllm:request_queue_time_seconds": (VLLM, VLLM_REQUEST),
        "vllm:request_success_total": (VLLM + " finished_reason", ""),
        "vllm:generation_tokens_total": (VLLM, ""),
        "vllm:prompt_tokens_total": (VLLM, ""),
        "vllm:num_requests_running": (VLLM, ""),
        "vllm:num_requests_waiting": (VLLM, ""),
    },
    "sglang": {
        "sglang:e2e_request_latency_seconds": (
            SGLANG_STREAMING,
            SGLANG_TTFT + " 600 1200 1800 2400",
        ),
        "sglang:time_to_first_token_seconds": (SGLANG_STREAMING, SGLANG_TTFT),
        "sglang:inter_token_latency_seconds": (SGLANG, SGLANG_TOKEN),
        "sglang:request_time_per_output_token_seconds": (SGLANG_STREAMING, SGLANG_TOKEN),
        "sglang:queue_time_seconds": (
            SGLANG_RANKS,
            SGLANG_QUEUE,
        ),
        "sglang:num_requests_total": (SGLANG_STREAMING, ""),
        "sglang:num_aborted_requests_total": (SGLANG, ""),
        "sglang:generation_tokens_total": (SGLANG_STREAMING, ""),
        "sglang:prompt_tokens_total": (SGLANG_STREAMING, ""),
        "sglang:num_running_reqs": (SGLANG_RANKS, ""),
        "sglang:num_queue_reqs": (SGLANG_RANKS, ""),
    },
}
ROLES = (
    *("latency", "ttft", "tpot", "itl", "queue"),
    *("requests", "errors", "tokens_out", "tokens_in"),
)


class Page(NamedTuple):
    content_type: str
    families: list[Metric]

    @property
    def values(self) -> Mapping[str, float]:
        """The sum of all series of each name."""
        found: defaultdict[str, float] = defaultdict(float)
        for family in self.families:
            for sample in family.samples:
                found[sample.name] += sample.value
        return found

    def bounds(self, name: str) -> list[float]:
        samples = [s for family in self.families for s in family.samples]
        return [float(s.labels["le"]) for s in samples if s.name == f"{name}_bucket"]

    def labels(self, name: str) -> set[str]:
        samples = [s for family in self.families for s in family.samples]
        return {label for s in samples if s.name == name for label in s.labels}


async def scrape(server: SimulatedServer, accept: str = CURL) -> Page:
    url = f"http://{server.address}/metrics"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Accept": accept}) as reply,
    ):
        text, content_type = await reply.text(), reply.headers["Content-Type"]
    parse = parse_openmetrics if content_type.startswith("application/openmetrics") else parse_text
    return Page(content_type, list(parse(text)))


async def load(server: SimulatedServer) -> None:
    """Let a server finish some requests, and no more."""
    server.start_load(Deployment(), Workload(rate=50.0, output_tokens=8.0, error_share=0.3), seed=1)
    async with asyncio.timeout(30):
        while len(server.log) < 20:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.01)
    await server.stop_load()


@pytest.mark.parametrize("kind", FACTS)
async def test_names_labels_and_bounds_are_those_of_the_real_server(kind: str) -> None:
    async with SimulatedServer(kind, speed=20) as server:
        await load(server)
        page = await scrape(server)

    own = {name for name in page.values if name.startswith(f"{kind}:")}
    own = {name for name in own if not name.endswith(("_created", "_bucket", "_sum"))}
    assert {name.removesuffix("_count") for name in own} == set(FACTS[kind])
    for name, (labels, bounds) in FACTS[kind].items():
        if bounds:
            assert page.bounds(name) == [*map(float, bounds.split()), math.inf]
        shown = page.labels(f"{name}_count" if bounds else name)
        assert shown == set(labels.split())


@pytest.mark.parametrize("accept", [CURL, PROMETHEUS_2, PROMETHEUS_3], ids=["curl", "2", "3"])
@pytest.mark.parametrize("kind", FACTS)
async def test_the_preset_finds_every_role_once_in_the_page_of_its_server(
    kind: str, accept: str
) -> None:
    async with SimulatedServer(kind, speed=20) as server:
        await load(server)
        page = await scrape(server, accept)

    for family in load_preset(kind).families(ROLES):
        ending = "_count" if family.kind is FamilyKind.HISTOGRAM else ""
        names = [name + ending for name in family.names]
        assert len([name for name in names if page.values.get(name)]) == 1, family.role


async def test_vllm_shows_its_start_and_creation_times_and_speaks_plain_text_only() -> None:
    async with SimulatedServer("vllm") as server:
        for accept in (CURL, PROMETHEUS_2, PROMETHEUS_3):
            page = await scrape(server, accept)

            assert page.content_type.startswith("text/plain; version=0.0.4")
            assert page.values["process_start_time_seconds"] > 0
            assert page.values["vllm:e2e_request_latency_seconds_created"] > 0


@pytest.mark.parametrize(
    ("accept", "content_type", "prefix"),
    [
        (CURL, "text/plain; version=0.0.4", "sglang:"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0", "sglang_"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0", "sglang:"),
    ],
    ids=["curl", "2", "3"],
)
async def test_sglang_hides_its_start_and_names_its_metrics_as_it_is_asked(
    accept: str, content_type: str, prefix: str
) -> None:
    async with SimulatedServer("sglang", speed=20) as server:
        await load(server)
        page = await scrape(server, accept)

    assert page.content_type.startswith(content_type)
    assert all(name.startswith(prefix) for name in page.values)
    assert not any(name.endswith("_created") for name in page.values)


async def test_before_its_first_request_vllm_shows_zeros_and_sglang_nothing() -> None:
    async with SimulatedServer("vllm") as vllm, SimulatedServer("sglang") as sglang:
        zeros, nothing = (await scrape(vllm)).values, (await scrape(sglang)).values

    assert zeros["vllm:e2e_request_latency_seconds_count"] == 0
    assert "vllm:e2e_request_latency_seconds_count" in zeros
    assert "sglang:e2e_request_latency_seconds_count" not in nothing


async def test_page_log_and_record_of_scrapes_agree(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    async with SimulatedServer("vllm", speed=20, log_file=path) as server:
        await load(server)
        page = (await scrape(server)).values

    requests = [each.request for each in server.log]
    latency = "vllm:e2e_request_latency_seconds"
    assert page[f"{latency}_count"] == page["vllm:request_success_total"] == len(requests)
    assert page[f"{latency}_sum"] == pytest.approx(math.fsum(each.latency for each in requests))
    assert page["vllm:generation_tokens_total"] == sum(each.output_tokens for each in requests)
    assert page["vllm:prompt_tokens_total"] == sum(each.prompt_tokens for each in requests)
    assert page["vllm:inter_token_latency_seconds_count"] == sum(
        each.output_tokens - 1 for each in requests
    )
    (shown,) = server.scrapes
    assert shown.finished == len(requests)
    assert shown.first_tokens == page["vllm:time_to_first_token_seconds_count"]
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [(line["number"], line["latency"], line["finished_at"]) for line in lines] == [
        (each.request.number, each.request.latency, each.at) for each in server.log
    ]


@pytest.mark.parametrize(("kind", "timed"), [("vllm", True), ("sglang", False)])
async def test_failed_requests_are_counted_as_the_real_server_counts_them(
    kind: str, timed: bool
) -> None:
    async with SimulatedServer(kind, speed=20) as server:
        await load(server)
        page = await scrape(server)

    failed = sum(each.request.failed for each in server.log)
    assert 0 < failed < len(server.log)
    preset = load_preset(kind)
    counted = {}
    for family in preset.families(["requests", "errors"]):
        samples = [s for one in page.families for s in one.samples if s.name in family.names]
        counted[family.role] = sum(
            s.value for s in samples if family.holds(tuple(s.labels.items()))
        )
    assert counted == {"requests": len(server.log), "errors": failed}
    names = preset.metrics["tpot"].names
    tpots = sum(page.values.get(f"{name}_count", 0) for name in names)
    assert tpots == len(server.log) - (0 if timed else failed)


async def test_load_that_stops_leaves_nothing_running() -> None:
    async with SimulatedServer("vllm") as server:
        server.start_load(Deployment(max_num_seqs=1), Workload(rate=100.0), seed=1)
        busy: Mapping[str, float] = {}
        async with asyncio.timeout(30):
            while not busy.get("vllm:num_requests_waiting"):
                busy = (await scrape(server)).values
        await server.stop_load()
        idle = (await scrape(server)).values

    assert busy["vllm:num_requests_running"] == 1
    assert (idle["vllm:num_requests_running"], idle["vllm:num_requests_waiting"]) == (0, 0)


@pytest.mark.parametrize("kind", FACTS)
async def test_a_restart_begins_all_metrics_anew_and_keeps_the_log(kind: str) -> None:
    name = f"{kind}:e2e_request_latency_seconds_count"
    async with SimulatedServer(kind, speed=20) as server:
        await load(server)
        before = await scrape(server)
        server.restart_process()
        after = await scrape(server)

    assert before.values[name] == len(server.log) > 0
    assert after.values.get(name, 0) == 0
    born = [page.values.get("process_start_time_seconds", 0) for page in (before, after)]
    assert born[0] < born[1] if kind == "vllm" else born == [0, 0]


async def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SloscoreError, match=r"^there is no kind 'tgi'; there are sglang, vllm$"):
        SimulatedServer("tgi")


async def test_a_taken_port_is_refused() -> None:
    async with SimulatedServer() as first:
        port = int(first.address.rpartition(":")[2])
        with pytest.raises(SloscoreError, match=rf"^cannot listen on 127.0.0.1:{port}: .*another"):
            await SimulatedServer(port=port).__aenter__()


async def test_a_deployment_that_cannot_start_and_a_second_load_are_refused() -> None:
    async with SimulatedServer() as server:
        with pytest.raises(SloscoreError, match="GiB of weights"):
            server.start_load(Deployment(memory_share=0.1), Workload(), seed=1)
        server.start_load(Deployment(), Workload(), seed=1)
        with pytest.raises(SloscoreError, match="already running"):
            server.start_load(Deployment(), Workload(), seed=1)


async def test_a_load_that_breaks_says_why_and_leaves_no_port_open() -> None:
    server = SimulatedServer()

    async def run() -> None:
        async with server:
            server.start_load(Deployment(memory_share=0.67), Workload(prompt_tokens=2000), seed=1)
            await server.wait_load()

    with pytest.raises(SloscoreError, match="does not fit into"):
        await run()
    with pytest.raises(aiohttp.ClientConnectorError):
        await scrape(server)
