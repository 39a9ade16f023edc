"""A task's ended experiments under other SLOs: from what the store keeps, with no source at all."""

import asyncio
import shlex
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from tests.cli.command import Ended, running
from tests.docs.markdown import block
from tests.integration.service import (
    PROBLEM,
    Answer,
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
)

from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = [pytest.mark.prometheus, pytest.mark.asyncio(loop_scope="module")]
pytest_plugins = ["tests.integration.service_fixtures"]

RESCORE = "/api/v1/rescore"
# Met by the quick one alone, and far from failing hard.
SLO = {
    "latency": {"p50": {"threshold": 0.9}, "p90": {"threshold": 60.0}},
    "ttft": {"threshold": 60.0},
    "steepness": 1000.0,
    "phases": {"score": "worst"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(
    deployments: Deployments,
    prometheus: PrometheusProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Api]:
    """A service that knows no Prometheus, and two experiments of a task and an aborted one."""
    place = tmp_path_factory.mktemp("rescore")
    async with serving(settings(place, prometheus.url)) as api:
        for server, name, preset in (
            (deployments.quick, "quick", "vllm"),
            (deployments.slow, "slow", "sglang"),
        ):
            task = task_of("chat", server=preset, slo=SLO)
            await api.register(name, task, target=f"http://{server.address}/metrics")
            await api.post(f"/api/v1/experiments/{name}/phases", {"name": "c=1"})
        await api.register("off", task_of("chat", slo=SLO), selector={"instance": "nobody"})
        await api.abort("off")
        for name in ("quick", "slow"):
            await api.score_until(name, has_requests(10))
            await api.finish(name)
            await api.final(name)
    async with serving(settings(place)) as alone:
        yield alone


async def run(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """A command in a process of its own: the service's log is in the output of this one."""
    async with running(*arguments, env=env) as process:
        return await process.end()


async def rescored(api: Api, **change: Json) -> dict[str, Json]:
    """The task's experiments under a change, by their ids in the order of the answer."""
    answer = (await api.post(RESCORE, {"task": "chat", **change})).json
    return {one["experiment"]: one for one in answer["experiments"]}


async def test_the_same_slos_give_the_same_scores(api: Api) -> None:
    rows = await rescored(api, slo=SLO)
    for name, row in rows.items():
        report = await api.score(name)
        assert row["before"] == row["after"]
        assert {
            key: row["after"][key] for key in ("status", "score", "penalty", "constraints")
        } == {key: report[key] for key in ("status", "score", "penalty", "constraints")}


async def test_experiments_stand_in_the_order_of_their_new_ranks(api: Api) -> None:
    rows = await rescored(api, slo=SLO)
    assert list(rows) == ["quick", "slow"]
    assert [row["after"]["rank"] for row in rows.values()] == [1, 2]


async def test_what_breaks_a_new_hard_limit_has_no_rank(api: Api) -> None:
    report = await api.score("quick")
    p50 = next(sli["upper"] for sli in report["slis"] if sli["sli"] == "latency_p50")
    rows = await rescored(
        api,
        set={
            "latency.p50.threshold": p50,
            "latency.p50.hard_fail": True,
            "latency.p50.fail_ratio": 0.0,
        },
    )
    slow = rows["slow"]
    assert slow["before"]["rank"] == 2
    assert (slow["after"]["status"], slow["after"]["rank"], slow["after"]["score"]) == (
        "FAILED", None, "Infinity",
    )  # fmt: skip
    assert rows["quick"]["after"]["rank"] == 1
    assert (await api.score("slow"))["status"] == "SUCCESS"


@pytest.mark.parametrize(("key", "value"), [("ignore", ["c=1"]), ("score", {"phase": "c=1"})])
async def test_a_value_may_be_a_list_or_a_mapping(api: Api, key: str, value: Json) -> None:
    change = f"phases.{key}={orjson.dumps(value).decode()}"
    given = ("rescore", "--url", api.url, "--task", "chat", "--json", "--set", change)
    ended = await run(*given)
    assert ended.code == 0, ended.err
    answer = orjson.loads(ended.out)
    assert answer["slo"]["phases"][key] == value
    assert all(one["after"]["status"] == "SUCCESS" for one in answer["experiments"])


async def test_without_slos_each_has_the_mean_of_its_window(api: Api) -> None:
    for name, row in (await rescored(api, slo=None)).items():
        latency = (await api.get(f"/api/v1/experiments/{name}/counts")).json["histograms"][
            "latency"
        ]
        assert row["after"]["score"] == latency["sum"] / latency["counts"][-1]


async def test_what_is_not_ended_is_counted_as_left_out(api: Api) -> None:
    answer = (await api.post(RESCORE, {"task": "chat", "slo": SLO})).json
    assert answer["left_out"] == 1


async def test_what_was_never_read_is_no_pass(api: Api) -> None:
    rows = await rescored(api, slo={"tpot": {"threshold": 100.0}})
    for row in rows.values():
        assert row["after"] is None
        assert "tpot was not read in its window" in row["unscorable"]


async def test_a_window_cannot_be_cut_again(api: Api) -> None:
    rows = await rescored(api, slo={**SLO, "warmup": "5s"})
    assert "cut by a warm-up of 0 s, not 5 s" in rows["quick"]["unscorable"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        pytest.param({"task": "none", "slo": SLO}, 404, "'none'", id="an unknown task"),
        pytest.param({"task": "chat"}, 422, "give either slo", id="no change"),
        pytest.param(
            {"task": "chat", "slo": SLO, "set": {"steepness": 1}}, 422, "give either slo",
            id="two changes",
        ),
        pytest.param(
            {"task": "chat", "set": {"latency.p50.threshold": -1.0}}, 422,
            "set: latency.p50.threshold", id="a value that cannot be",
        ),
        pytest.param(
            {"task": "chat", "set": {"latency.p75.weight": 2.0}}, 422,
            "set: latency.p75.threshold", id="part of a new limit",
        ),
        pytest.param(
            {"task": "chat", "set": {"steepness.x": 2.0}}, 422, "set: steepness.x",
            id="a path through a value",
        ),
        pytest.param({"task": "chat", "slo": SLO, "limit": 0}, 422, "limit", id="no experiments"),
    ],
)  # fmt: skip
async def test_a_change_that_cannot_be_made_is_refused_with_its_field(
    api: Api, body: Json, status: int, sentence: str
) -> None:
    answer: Answer = await api.post(RESCORE, body)
    assert (answer.status, answer.type) == (status, PROBLEM)
    assert sentence in answer.json["detail"]


async def test_the_command_shows_ranks_and_scores_beside_those_before(
    api: Api, tmp_path: Path
) -> None:
    given = ("rescore", "--url", api.url, "--task", "chat")
    ended = await run(*given, "--set", "latency.p50.weight=3")
    assert ended.code == 0, ended.err
    header, quick, slow, *notes = ended.out.splitlines()
    assert header.split() == ["RANK", "WAS", "EXPERIMENT", "SCORE", "WAS", "STATUS", "BINDING"]
    was = (await api.score("slow"))["score"]
    assert quick.split()[:3] == ["1", "1", "quick"]
    assert slow.split()[:3] == ["2", "2", "slow"]
    assert float(slow.split()[4]) == pytest.approx(was, rel=1e-5)
    assert float(slow.split()[3]) > was
    assert notes == ["1 experiment is left out: live, aborted or not comparable."]
    file = tmp_path / "slo.yaml"
    file.write_text("latency: {p50: {threshold: -1}}\n")
    wrong = await run(*given, "--slo", str(file))
    assert wrong.code == 1
    assert f"{file}:1: latency.p50.threshold" in wrong.err
    unknown = await run(*given, "--set", "latency.p50=3")
    assert unknown.code == 1
    assert "set: latency.p50" in unknown.err


async def test_the_page_says_how_it_is_asked(api: Api) -> None:
    words = shlex.split(block("docs/rescore.md", "set"))
    ended = await run(*words[1:], env={"SLOSCORE_URL": api.url})
    assert ended.code == 0, ended.err
    command = block("docs/rescore.md", "curl").replace("http://127.0.0.1:8520", api.url)
    curl = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    out, _ = await curl.communicate()
    answer = orjson.loads(out)
    assert answer["slo"]["latency"]["p90"]["threshold"] == 4.0
    assert [row["experiment"] for row in answer["experiments"]] == [
        line.split()[2] for line in ended.out.splitlines()[1:3]
    ]
