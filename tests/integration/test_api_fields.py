"""Every mistake of a body is told with a pointer to its field, and times as the API writes them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.service import EXPERIMENTS, Api, Json, serving, settings, task_of

ONE = f"{EXPERIMENTS}/one"
SELECTOR = {"instance": "x"}
TASK = task_of(selector=SELECTOR)
BARE = task_of()
PER_GPU = task_of(selector=SELECTOR, slo={"throughput": {"output_per_gpu": {"threshold": 1.0}}})
PAST = {"selector": SELECTOR, "server": "vllm", "window": {"start": 1e9, "end": 1e9 + 60}}
WARM = {**TASK["slo"], "warmup": "2m"}
NO_TTFT = {"slo": {"ttft": {"threshold": 1.0}}, **PAST, "server": "tgi"}
RESCORE = "/api/v1/rescore"
SCORE, CHECK, RULES = "/api/v1/score", "/api/v1/check", "/api/v1/rules"
MANY = {
    f"p{percent}.{tenth}": {"threshold": 1.0} for percent in range(90, 99) for tenth in range(1, 10)
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    given = settings(tmp_path, scrape={"allowed_targets": ["10.0.0.5:8000"]})
    async with serving(given) as api:
        await api.register("one", TASK)
        yield api


POINTED: dict[str, tuple[str, Json, set[str]]] = {
    "no selector": (EXPERIMENTS, {"id": "two", "task": BARE}, {"/selector"}),
    "no GPUs": (EXPERIMENTS, {"id": "two", "task": PER_GPU}, {"/gpus"}),
    "a target that is not allowed": (
        EXPERIMENTS, {"id": "two", "task": BARE, "target": "http://10.9.9.9:1/metrics"}, {"/target"},
    ),
    "a start of long ago": (EXPERIMENTS, {"id": "two", "task": TASK, "start": 1}, {"/start"}),
    "an end to come": (f"{ONE}/finish", {"end": 9e9}, {"/end"}),
    "an end before the start": (f"{ONE}/finish", {"end": 1}, {"/end"}),
    "a phase to come": (f"{ONE}/phases", {"name": "a", "start": 9e9}, {"/start"}),
    "a phase before the load": (f"{ONE}/phases", {"name": "a", "start": 1}, {"/start"}),
    "a past window without selector": (SCORE, {**PAST, "selector": {}}, {"/selector"}),
    "a past window to come": (SCORE, {**PAST, "window": {"start": 1, "end": 9e9}}, {"/window/end"}),
    "a past window too long": (SCORE, {**PAST, "window": {"start": 1, "end": 1e8}}, {"/window"}),
    "a warm-up as long as the window": (SCORE, {**PAST, "slo": WARM}, {"/slo/warmup"}),
    "an SLI that the server cannot tell": (SCORE, NO_TTFT, {"/server"}),
    "a server that is none": (SCORE, {**PAST, "server": "vlm"}, {"/server"}),
    "a change to no path": (RESCORE, {"task": "chat", "set": {"a..b": 1}}, {"/set/a..b"}),
    "changes of wrong values": (
        RESCORE,
        {"task": "chat", "set": {"latency.p90.threshold": -1, "ttft": {"p90": {"threshold": 0}}}},
        {"/set/latency.p90.threshold", "/set/ttft"},
    ),
    "a change that leaves no SLO": (RESCORE, {"task": "chat", "set": {"latency": None}}, {"/set"}),
    "an interval of no whole milliseconds": (RULES, {"task": TASK, "interval": 0.0001}, {"/interval"}),
    "more SLOs than are compiled": (RULES, {"task": {**TASK, "slo": {"latency": MANY}}}, {"/task/slo"}),
    "rules of no selector": (RULES, {"task": BARE}, {"/task/selector"}),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "pointers"), POINTED.values(), ids=POINTED.keys())
async def test_a_mistake_points_to_its_field(
    api: Api, path: str, body: Json, pointers: set[str]
) -> None:
    answer = await api.post(path, body)

    assert answer.status == 422, answer
    assert {field["pointer"] for field in answer.json["fields"]} == pointers
    assert all(field["detail"].strip() for field in answer.json["fields"])


async def test_times_are_told_as_the_api_writes_them(api: Api) -> None:
    start = (await api.show("one"))["start"]

    early = await api.finish("one", end="2001-09-09T01:46:40Z")

    assert early.json["detail"].startswith("end: 2001-09-09T01:46:40.000Z is before")
    assert start in early.json["detail"]
    begun = (await api.post(f"{ONE}/phases", {"name": "a"})).json["phases"][0]["start"]
    again = await api.post(f"{ONE}/phases", {"name": "a", "start": 1e9})
    assert (again.status, begun in again.json["detail"]) == (409, True)
    ended = (await api.finish("one")).json["end"]
    other = await api.finish("one", end=begun)
    assert (other.status, ended in other.json["detail"]) == (409, True)


@pytest.mark.parametrize("last", [253402300799.9999, "9999-12-31T23:59:59.9999Z"])
async def test_a_time_that_rounds_to_the_year_10000_is_refused(api: Api, last: Json) -> None:
    answer = await api.finish("one", end=last)
    assert answer.status == 422
    assert answer.json["fields"][0]["pointer"] == "/end"
    assert "year" in answer.json["detail"]
