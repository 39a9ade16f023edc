"""Documents of rescoring: a task's ended experiments under other SLOs."""

from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from sloscore.core.objective import Direction, Objective
from sloscore.core.scoring import Status
from sloscore.spec.slo import SloSpec
from sloscore.wire.values import Document, Number

MAX_EXPERIMENTS = 1000


class RescoreRequest(Document):
    """Other SLOs for the experiments of a ``task``, none of which changes.

    ``slo`` is a whole section, null for none; or ``set`` changes single values in that of the task's
    newest experiment by their path: ``{"latency.p90.threshold": 4.0, "phases.ignore": ["warm-up"]}``;
    null takes a value away. The ``limit`` newest experiments are rescored.
    """

    task: str
    slo: SloSpec | None = None
    set: dict[str, JsonValue] | None = Field(default=None, min_length=1)
    limit: Annotated[int, Field(ge=1, le=MAX_EXPERIMENTS)] = MAX_EXPERIMENTS

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "RescoreRequest":
        if ("slo" in self.model_fields_set) == (self.set is not None):
            raise ValueError(
                "give either slo (a whole section, or null) or set (some values of it)"
            )
        return self


class RankedScore(Document):
    """What an experiment comes to under some SLOs.

    ``rank`` is 1 for the best of those that have a score and broke no hard SLO, null for others.
    ``constraints`` holds a violation ratio for each SLI, feasible at or below 0;
    ``binding_constraint`` is the id of the SLI with the largest one, violated or not.
    """

    status: Status
    rank: int | None
    score: Number | None
    finite_score: Number | None
    penalty: Number | None
    slo_violation: bool
    certain: bool
    constraints: dict[str, Number | None]
    binding_constraint: str | None
    reason: str | None


class RescoredExperiment(Document):
    """One experiment ``before``, as it was scored, and ``after``, under the other SLOs.

    ``after`` is null where it cannot be judged again, and ``unscorable`` says why.
    """

    experiment: str
    before: RankedScore
    after: RankedScore | None
    unscorable: str | None


class TaskRescore(Document):
    """A task's experiments before and after, in the order of their new ranks.

    ``slo`` is the section that they were rescored by. ``left_out`` counts experiments that are not
    here: live and aborted ones, those of another objective than the newest, and older ones past the
    limit.
    """

    task: str
    objective: Objective
    direction: Direction
    slo: SloSpec | None
    experiments: tuple[RescoredExperiment, ...]
    left_out: int
