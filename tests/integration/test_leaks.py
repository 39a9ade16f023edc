"""Nothing is kept in memory of experiments that have ended, beyond what is to be shown of them."""

import asyncio
import gc
import os
from collections import Counter
from collections.abc import Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

from tests.integration.service import Api, serving, settings, task_of, until

from sloscore.evaluation.board import Posted
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.tick import Live
from sloscore.experiments.model import Experiment
from sloscore.wire import Report

# bench/bench_leak.py has a hundred thousand, in a process of their own.
NUMBER = int(os.environ.get("SLOSCORE_LEAK_EXPERIMENTS", "400"))
KINDS = (Experiment, Live, Plan, Posted, Report, asyncio.Event)


class Alive:
    """Counts the objects of what an experiment is made of, and the tasks of this loop."""

    def __init__(self) -> None:
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        asyncio.get_running_loop().set_task_factory(self._make)

    async def count(self) -> Counter[type]:
        gc.collect()
        # An object refers to its class. A list of all there are would hand out tuples that other
        # threads are still filling, which fail there.
        found = Counter(type(each) for each in gc.get_referrers(*KINDS) if type(each) in KINDS)
        found[asyncio.Task] = len(self._tasks)
        return found

    def _make(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **more: Any,  # noqa: ANN401  what Python's versions tell of a task differs
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **more)
        self._tasks.add(task)
        return task


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
    alive = Alive()
    shown = (await alive.count())[Posted]
    async with serving(settings(tmp_path, evaluation=evaluation)) as api:
        await live_and_end(api, iter(range(20, 40)))
        before = await until(alive.count, lambda found: found[Posted] <= shown)
        numbers = iter(range(100, 100 + NUMBER))
        await asyncio.gather(*(live_and_end(api, numbers) for _ in range(20)))
        # Connections have a task each, and a few of the service's own come and go.
        few = Counter(dict.fromkeys((*KINDS, asyncio.Task), 45))
        await until(alive.count, lambda found: found[Posted] <= shown and found <= before + few)
