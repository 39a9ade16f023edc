"""A service that is killed again and again under its clients: what it answered holds."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

import orjson
import pytest
from tests.cli.command import sloscore
from tests.integration.crash_records import REASON, Record, all_documents, ok
from tests.integration.killed_service import KilledService, Moment
from tests.integration.processes import started
from tests.integration.service import (
    EXPERIMENTS,
    Api,
    Deployments,
    Json,
    task_of,
)

from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.service_fixtures"]

KILLS = int(os.environ.get("SLOSCORE_KILLS", "12"))
SEED = os.environ.get("SLOSCORE_SEED", "1")
CLIENTS = 4
# Each restart looks at this many registrations and final scores, the end at all of them.
SAMPLE = 40
MOMENTS = [Moment.STARTING, *2 * [Moment.ANY], *2 * [Moment.SENT], Moment.ANSWERED]
PATHS = {"start": "/phases", "end": "/phases/end", "abort": "/abort", "finish": "/finish"}
# In the order of the deployments.
TASKS = {
    "vllm": task_of(slo={"latency": {"p90": {"threshold": 0.5, "weight": 2.0}}}),
    "sglang": task_of("tokens", server="sglang", objective="maximize_throughput"),
}


class Load:
    """Clients of a service that is killed, who tell all that it answered to a twin that is not."""

    def __init__(self, service: KilledService, twin: Api, addresses: Sequence[str]) -> None:
        self._service = service
        self._twin = twin
        self._addresses = dict(zip(TASKS, addresses, strict=True))
        self._random = Random(f"{SEED}-samples")
        self._ending = asyncio.Event()
        self.records: list[Record] = []

    async def run(self, kills: int) -> None:
        """Kill the service that often, and let the clients end what they began."""
        chosen = Random(f"{SEED}-moments")
        rounds = range(kills // len(MOMENTS) + 1)
        moments = [one for _ in rounds for one in chosen.sample(MOMENTS, len(MOMENTS))]
        async with asyncio.TaskGroup() as group:
            clients = [self._read(Random(f"{SEED}-reader"))]
            clients += [self._keep_one(server) for server in TASKS]
            clients += [self._client(Random(f"{SEED}-{number}")) for number in range(CLIENTS)]
            tasks = [group.create_task(client) for client in clients]
            for moment in moments[:kills]:
                await self._service.live_until(moment)
            async with self._service.serving():
                self._ending.set()
                await asyncio.wait(tasks)

    async def check(self, api: Api, sample: int | None = SAMPLE) -> None:
        """Hold all that a service says of the experiments against what was answered before."""
        found = await all_documents(api)
        for record in self.records:
            record.check(found.pop(record.name, None))
        assert not found
        for record in self._some([one for one in self.records if one.document], sample):
            again = await api.post(EXPERIMENTS, record.body)
            assert again.status == 200, again
            record.check(again.json)
        for record in self._some([one for one in self.records if one.final], sample):
            assert (await api.get(f"{record.path}/score")).text == record.final

    async def compare(self, api: Api) -> None:
        """Hold final scores and counts against those of the twin."""
        for record in self.records:
            if record.final is not None:
                ours, twins = orjson.loads(record.final), await self._twin.final(record.name)
                for report in (ours, twins):
                    del report["evaluated_at"]
                assert ours == twins
                path = f"{record.path}/counts"
                assert ok(await api.get(path)) == ok(await self._twin.get(path))

    def _some(self, records: list[Record], sample: int | None) -> list[Record]:
        return (
            records if sample is None else self._random.sample(records, min(sample, len(records)))
        )

    async def _client(self, random: Random) -> None:
        while not self._ending.is_set():
            record = await self._register(random.choice(list(TASKS)), random)
            if record is None:
                continue
            for number in range(random.randrange(3)):
                await _pause(random)
                await self._start_phase(record, f"c={number}")
                if random.random() < 0.5:
                    await _pause(random)
                    await self._end_phase(record)
            await _pause(random)
            if random.random() < 0.2:
                await self._write(record, "abort", reason=REASON)
                ok(await self._twin.abort(record.name, reason=REASON))
            else:
                await self._finish(record)

    async def _keep_one(self, server: str) -> None:
        """An experiment that runs through all kills."""
        record = await self._register(server)
        assert record is not None
        await self._start_phase(record, "all")
        await self._ending.wait()
        await self._finish(record)

    async def _register(self, server: str, random: Random | None = None) -> Record | None:
        """A new experiment; None where it was not answered, and the client cares no more."""
        selector = {"instance": self._addresses[server]}
        name = f"{server}-{len(self.records)}"
        record = Record({"id": name, "task": TASKS[server], "selector": selector})
        self.records.append(record)
        while not await self._send(record, EXPERIMENTS, "register", None, record.body):
            if random is not None and random.random() < 0.5:
                return None
        start = record.answered["start"]
        ok(await self._twin.register(name, TASKS[server], selector=selector, start=start), 201)
        return record

    async def _start_phase(self, record: Record, name: str) -> None:
        await self._write(record, "start", name, name=name)
        phase = record.answered["phases"][-1]
        assert (phase["name"], phase["end"]) == (name, None)
        body = {"name": name, "start": phase["start"]}
        ok(await self._twin.post(f"{record.path}/phases", body))

    async def _end_phase(self, record: Record) -> None:
        await self._write(record, "end")
        end = record.answered["phases"][-1]["end"]
        assert end is not None
        ok(await self._twin.post(f"{record.path}/phases/end", {"end": end}))

    async def _finish(self, record: Record) -> None:
        await self._write(record, "finish")
        end = record.answered["end"]
        assert end is not None
        ok(await self._twin.finish(record.name, end=end))
        while record.final is None:
            answer = await self._service.ask("GET", f"{record.path}/score?wait=20")
            if answer is not None and ok(answer)["status"] != "RUNNING":
                record.final = answer.text

    async def _write(
        self, record: Record, operation: str, phase: str | None = None, **body: Json
    ) -> None:
        """Ask for a change until it is answered."""
        path = record.path + PATHS[operation]
        while not await self._send(record, path, operation, phase, body):
            pass

    async def _send(
        self, record: Record, path: str, operation: str, phase: str | None, body: Json
    ) -> bool:
        """Ask for a change once; whether it was answered."""

        def on_send() -> None:
            record.pending = (operation, phase)

        answer = await self._service.ask("POST", path, body, on_send)
        if answer is not None:
            record.check(ok(answer, 201))
        return answer is not None

    async def _read(self, random: Random) -> None:
        """A client that reads lists, gauges and final scores."""
        while not self._ending.is_set():
            answered = {one.name for one in self.records if one.document}
            listed = await self._service.ask("GET", f"{EXPERIMENTS}?limit=1000")
            if listed is not None:
                names = [one["id"] for one in ok(listed)["experiments"]]
                assert len(set(names)) == len(names)
                assert answered <= set(names) or len(names) == 1000
            gauges = await self._service.ask("GET", "/metrics")
            assert gauges is None or gauges.status == 200, gauges
            for record in self._some([one for one in self.records if one.final], 1):
                answer = await self._service.ask("GET", f"{record.path}/score")
                assert answer is None or answer.text == record.final
            await asyncio.sleep(random.uniform(0, 0.05))


async def _pause(random: Random) -> None:
    await asyncio.sleep(random.expovariate(2.0))


@pytest.mark.timeout(180 + 10 * KILLS)
async def test_what_was_answered_holds_however_often_the_service_is_killed(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    places = tmp_path / "killed", tmp_path / "twin"
    service = KilledService(places[0], prometheus.url, Random(f"{SEED}-kills"))
    try:
        # Nobody reads its log: a full pipe would hold it up.
        quiet = {"SLOSCORE_LOG_LEVEL": "warning"}
        async with started(places[1], prometheus.url, env=quiet) as (_, twin):
            load = Load(service, twin, deployments.addresses)
            service.check = load.check
            await load.run(KILLS)
            async with started(places[0], prometheus.url) as (_, api):
                await load.check(api, sample=None)
                await load.compare(api)
    except BaseException as error:
        error.add_note(f"run again with SLOSCORE_SEED={SEED} SLOSCORE_KILLS={KILLS}")
        raise
    assert sloscore("db", "check", "--store", str(places[0] / "sloscore.db")).code == 0
