"""Ended experiments judged again under other SLOs, from the counts that are kept of their windows."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from sloscore.core.objective import Direction
from sloscore.core.scoring import Status
from sloscore.errors import SpecError
from sloscore.evaluation.rescorer import Rescorer, scored
from sloscore.experiments.model import Experiment
from sloscore.spec.slo import SloSpec
from sloscore.wire import RankedScore, RescoredExperiment


def rescore(
    experiments: Sequence[tuple[Experiment, Mapping[str, Any] | None]],
    slo: SloSpec | None,
    direction: Direction,
) -> tuple[RescoredExperiment, ...]:
    """Each experiment as it was scored and as it would be under ``slo``, best first.

    With each experiment come the documents of its counts. All are of one objective, whose
    ``direction`` ranks them; those without a rank come last.
    """
    rescorer = Rescorer(slo)
    rows = [_row(experiment, counts, rescorer) for experiment, counts in experiments]
    before = _ranks([row.before for row in rows], direction)
    after = _ranks([row.after for row in rows], direction)
    ranked = [
        row.model_copy(
            update={
                "before": row.before.model_copy(update={"rank": was}),
                "after": row.after and row.after.model_copy(update={"rank": now}),
            }
        )
        for row, was, now in zip(rows, before, after, strict=True)
    ]
    return tuple(sorted(ranked, key=_place))


def _row(
    experiment: Experiment, counts: Mapping[str, Any] | None, rescorer: Rescorer
) -> RescoredExperiment:
    before = scored(experiment.report or {})
    after, why = None, None
    try:
        after = rescorer.score(experiment, counts)
    except SpecError as error:
        why = "; ".join(error.problems)
    return RescoredExperiment(experiment=experiment.id, before=before, after=after, unscorable=why)


def _ranks(scores: Sequence[RankedScore | None], direction: Direction) -> list[int | None]:
    """Equal scores share a place, as they do in the service's list."""
    sign = -1 if direction is Direction.MAXIMIZE else 1
    keys = [
        sign * one.score
        if one is not None and one.status is Status.SUCCESS and one.score is not None
        else None
        for one in scores
    ]
    ordered = sorted(key for key in keys if key is not None)
    return [None if key is None else 1 + bisect_left(ordered, key) for key in keys]


def _place(row: RescoredExperiment) -> tuple[bool, int, bool, int]:
    after = row.after.rank if row.after is not None else None
    before = row.before.rank
    return (after is None, after or 0, before is None, before or 0)
