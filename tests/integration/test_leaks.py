"""Nothing is kept in memory of experiments that have ended, beyond what is to be shown of them."""

import asyncio
import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.integration.service import Api, serving, settings, task_of, until

from sloscore.evaluation.board import Posted
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.tick import Live
from sloscore.experiments.model import Experiment
from sloscore.wire import Report

# bench/bench_leak.py has a hundred thousand, in a process of their own.
NUMBER = int(os.environ.get("SLOSCORE_LEAK_EXPERIMENTS", "400"))
KINDS = (Experiment, Live, Plan, Posted, Report, asyncio.Event, asyncio.Task)


async def alive() -> Counter[type]:
    """Objects of what an experiment is made of."""
    gc.collect()
    found = [type(each) for each in gc.get_objects()]
    return Counter(kind for kind in found if kind in KINDS)


async def live_and_end(api: Api, numbers: Iterator[int]) -> None:
    for number in numbers:
        name = f"trial-{number}"
        assert (await api.register(name, task_of(), selector={"instance": name})).status == 201
        assert (await api.score(name))["status"] == "RUNNING"
        if number % 4:
            assert (await api.finish(name)).status == 200
            assert (await api.final(name))["status"] == "NO_DATA"
        else:
            assert (await api.abort(name)).status == 200


async def test_experiments_that_have_ended_leave_no_object_behind(tmp_path: Path) -> None:
    evaluation = {"interval": "100ms", "source_wait": "50ms", "retention": "100ms"}
    # Other tests of this process may have left some.
    shown = (await alive())[Posted]
    async with serving(settings(tmp_path, evaluation=evaluation)) as api:
        await live_and_end(api, iter(range(20, 40)))
        before = await until(alive, lambda found: found[Posted] <= shown)
        numbers = iter(range(100, 100 + NUMBER))
        await asyncio.gather(*(live_and_end(api, numbers) for _ in range(20)))
        # Connections have a task each, and a few of the service's own come and go.
        few = Counter(dict.fromkeys(KINDS, 45))
        await until(alive, lambda found: found[Posted] <= shown and found <= before + few)
