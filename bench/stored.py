"""Stores with many ended experiments, which nobody had to run."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sloscore.core.scoring import Status
from sloscore.evaluation.settle import FINAL_STATE
from sloscore.experiments.database import Database
from sloscore.experiments.model import new_experiment
from sloscore.experiments.schema import experiments, figures_of
from sloscore.experiments.store import ExperimentStore

_AT_ONCE = 1000


def ended(
    name: str, task: str, slo: Mapping[str, Any], report: Mapping[str, Any], at: float
) -> Mapping[str, Any]:
    """The row of an experiment that ended at this Unix time with this report."""
    body = {
        "id": name,
        "task": {"task_name": task, "slo": slo},
        "selector": {"instance": "10.0.0.5:8000"},
    }
    trial = new_experiment(name, task, body, "minimize_latency", "minimize", at, at)
    state, score = FINAL_STATE[Status(report["status"])], report["score"]
    final = {"state": state, "score": None if score is None else float(score), "report": report}
    return {**asdict(trial), **final, **figures_of(report)}


async def fill(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Make a store with these rows."""
    await (await ExperimentStore.open(path)).close()
    database = await Database.open(path)
    left = iter(rows)
    async with database.writing() as connection:
        while some := list(itertools.islice(left, _AT_ONCE)):
            await connection.execute(experiments.insert(), some)
    await database.close()
