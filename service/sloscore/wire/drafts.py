"""Documents about a task that is being written: checked, drawn, and compiled, but not registered."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from sloscore.settings_base import Duration
from sloscore.spec.model import TaskSpec
from sloscore.spec.slo import SloSpec
from sloscore.wire.values import Document, Number

MAX_TEXT = 64 * 1024


class CheckRequest(Document):
    """A task to check: itself (``task``), or the ``text`` of a file.

    The file's ``name`` begins the sentences on what is wrong; it is JSON where that ends in
    ``.json``, and YAML otherwise.
    """

    task: TaskSpec | None = None
    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=255)] = "task.yaml"

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "CheckRequest":
        if (self.task is None) == (self.text is None):
            raise ValueError("give either task (as JSON) or text (what a file holds)")
        return self


class TaskSli(Document):
    """An SLI of a task: ``pointer`` is the JSON pointer (RFC 6901) to its limit in the task."""

    sli: str
    title: str
    unit: str
    pointer: str


class TaskCheck(Document):
    """A valid task with every default in its place; durations are in seconds.

    ``slis`` are those that it limits, in the order of reports.
    ``written`` is what the text of a file holds, with nothing added to it, and null where the task
    was given itself. ``warnings`` are of what is allowed, but rarely meant.
    """

    task: TaskSpec
    slis: tuple[TaskSli, ...]
    written: dict[str, Any] | None
    warnings: tuple[str, ...]


class CurvesRequest(Document):
    """Limits whose penalties are to be drawn."""

    slo: SloSpec


class CurvePoint(Document):
    """The penalty at one value of the SLI."""

    value: float
    violation_ratio: float
    penalty: Number


class Curve(Document):
    """The penalty of one SLI by its value, in its ``unit``; ``points`` ascend by value.

    From ``hard_limit`` on the experiment fails; null where no value does that. With ``is_minimum``
    lower values are worse.
    """

    sli: str
    title: str
    unit: str
    is_minimum: bool
    threshold: float
    weight: float
    hard_limit: float | None
    points: tuple[CurvePoint, ...]


class Curves(Document):
    """A curve for each SLI, in the order of reports."""

    curves: tuple[Curve, ...]


class RulesRequest(Document):
    """A task of a standing deployment, to be compiled into rules.

    The SLIs are evaluated over ``window``, every ``interval``; with ``assume_bound`` each threshold
    is taken for a bucket bound of the server.
    """

    task: TaskSpec
    window: Duration = 300.0
    interval: Duration = 30.0
    assume_bound: bool = False
