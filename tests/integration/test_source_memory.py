"""How much memory an answer of 200 MB costs a service of its own process, at the default settings."""

import time
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.fault_proxy import TIME, Call, FaultProxy
from tests.integration.outages import gauges
from tests.integration.processes import started
from tests.integration.service import NOWHERE, Api, task_of, until
from tests.integration.source_faults import huge, huge_body

from sloscore.settings import PrometheusSettings

ANSWERS = 5
MOST_GROWTH = 5 * PrometheusSettings().max_answer_bytes


async def failures(api: Api) -> float:
    counted = (await gauges(api, kind="too_large")).get("sloscore_evaluation_errors_total")
    return counted or 0.0


def most_memory(pid: int) -> int:
    """The largest resident memory of a process so far, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "compressed"])
async def test_a_huge_answer_costs_little_memory_and_is_told(
    tmp_path: Path, *, zipped: bool
) -> None:
    huge_body(zipped=zipped)

    async def fault(call: Call) -> web.StreamResponse:
        if call.query == TIME:
            row = {"metric": {}, "value": [0, str(time.time())]}
            data = {"resultType": "vector", "result": [row]}
            return web.json_response({"status": "success", "data": data})
        return await huge(zipped=zipped)(call)

    async with FaultProxy(NOWHERE) as proxy, started(tmp_path, proxy.url) as (process, api):
        proxy.fault = fault
        before = most_memory(process.pid)
        await api.register("one", task_of(), selector={"instance": "x"})
        report = await api.score_until("one", lambda r: "is larger than" in str(r["reason"]))
        await until(lambda: failures(api), lambda number: number >= ANSWERS)
        growth = most_memory(process.pid) - before
    assert report["score"] is None
    assert growth < MOST_GROWTH, f"grew by {growth / 2**20:.0f} MiB"
