"""A service with experiments of every outcome, whose servers hold exactly what they were given."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.integration.pages import Engine, PageServer
from tests.integration.service import Api, Json, has_requests, serving, settings

from sloscore.experiments.database import Database
from sloscore.experiments.model import State, new_experiment
from sloscore.experiments.schema import experiments, figures_of
from sloscore.experiments.store import ExperimentStore

HARD = {"p90": {"threshold": 1.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}}
SLO = {"latency": {"p50": {"threshold": 1.0}, **HARD}}
BOUNDS = (0.25, 0.5, 1.0, 1.1, 1.5, 2.0, 4.0)
HOSTILE = "<script>alert('&amp;')</script><img src=x onerror=alert(1)>\"'"


@dataclass(frozen=True, slots=True)
class Site:
    """A service, and the URL of a page of it."""

    api: Api
    engine: Engine
    target: str

    def url(self, path: str = "/") -> str:
        return self.api.url + path

    async def run(
        self, name: str, latencies: Sequence[float], *, task: str = "chat", **more: Json
    ) -> Json:
        """An experiment of 100 requests for each latency, and its final report."""
        await self.begin(name, latencies, task=task, **more)
        await self.api.finish(name)
        return await self.api.final(name)

    async def begin(
        self, name: str, latencies: Sequence[float], *, task: str = "chat", **more: Json
    ) -> Json:
        """An experiment that runs, once its report counts these requests."""
        document = {"task_name": task, "server": "vllm", "slo": SLO, **more}
        answer = await self.api.register(name, document, target=self.target)
        assert answer.status == 201, answer.text
        for latency in latencies:
            self.engine.finish(latency, 100)
        if not latencies:
            return answer.json
        return await self.api.score_until(name, has_requests(100 * len(latencies)))


@contextlib.asynccontextmanager
async def open_site(place: Path, **sections: Json) -> AsyncIterator[Site]:
    """A service without Prometheus, which scrapes one engine itself."""
    engine = Engine(bounds=BOUNDS)
    given = settings(
        place,
        prometheus={"enabled": False},
        scrape={"interval": "200ms"},
        evaluation={"interval": "200ms"},
        **sections,
    )
    async with PageServer(engine.answer) as server, serving(given) as api:
        yield Site(api, engine, server.url)


async def fill(site: Site) -> None:
    """Experiments of every outcome of the task chat, and one whose task's name is markup."""
    await site.run("exp-met", [0.3])
    await site.run("exp-soft", [1.05])
    await site.run("exp-hard", [1.8])
    await site.run("exp-silent", [])
    await site.run("exp-hostile", [0.3], task=HOSTILE)
    await site.begin("exp-off", [0.3])
    await site.api.abort("exp-off", reason=HOSTILE)
    await site.begin("exp-live", [0.3])


async def store_trials(place: Path, number: int, task: str = "sweep") -> None:
    """Scored experiments in the store of a service that does not run yet, the last one the best."""
    rows = []
    for count, name in enumerate(names(task, number)):
        at = 1.7e9 + count
        body = {
            "id": name,
            "task": {"task_name": task, "slo": SLO},
            "target": "http://127.0.0.1:1/",
        }
        trial = new_experiment(name, task, body, "minimize_latency", "minimize", at, at)
        report: dict[str, Json] = {"score": float(number - count), "penalty": 0.0, "slis": []}
        final = {"state": State.SCORED, "score": report["score"], "report": report}
        rows.append({**asdict(trial), **final, **figures_of(report)})
    path = place / "sloscore.db"
    await (await ExperimentStore.open(path)).close()
    # In one step: each change of the store's own would be written to disk by itself.
    database = await Database.open(path)
    async with database.writing() as connection:
        await connection.execute(experiments.insert(), rows)
    await database.close()


def names(prefix: str, number: int) -> Iterator[str]:
    """So many ids of experiments."""
    return (f"{prefix}-{place:03}" for place in range(number))
