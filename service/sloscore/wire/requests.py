"""Documents that a client sends."""

import marshal
import math
from collections import OrderedDict
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from sloscore.core.objective import Objective
from sloscore.settings_base import Duration, duration_schema
from sloscore.spec.metric import CustomMetrics
from sloscore.spec.model import ExperimentId, Gpus, Selector, TaskSpec, undefined_goodput
from sloscore.spec.phases import PhaseName
from sloscore.spec.slo import SloSpec
from sloscore.wire.values import Base, Document, TargetUrl, Time, json_number


def _is_not_infinite(value: float) -> float:
    # NaN is missing data.
    if math.isinf(value):
        raise ValueError(f"must be a finite number, got {json_number(value)}")
    return value


_SHORTEST_INTERVAL = 0.1
_WITHOUT_REFERENCES = 2
Measured = Annotated[float, Field(strict=True), AfterValidator(_is_not_infinite)]


class Registration(Document):
    """Register an experiment when its load starts.

    ``task`` is the task file's content. ``selector`` and ``server`` say which deployment this
    experiment runs on where the task does not; ``start`` defaults to the time of the request.
    ``target`` is the URL of the server's metrics page: the service then scrapes it itself, at the
    start, at the end, and every ``scrape_interval`` in between. ``baseline`` is the experiment that
    this one is compared with, in place of the task's. ``gpus`` is how many GPUs this
    experiment's deployment runs on; it goes before that of the task.
    """

    id: ExperimentId
    task: TaskSpec
    selector: Selector | None = None
    server: str | None = None
    target: TargetUrl | None = None
    scrape_interval: (
        Annotated[
            Duration, Field(ge=_SHORTEST_INTERVAL), duration_schema(minimum=_SHORTEST_INTERVAL)
        ]
        | None
    ) = None
    start: Time | None = None
    baseline: ExperimentId | None = None
    gpus: Gpus | None = None

    @model_validator(mode="after")
    def _scrapes_a_target(self) -> "Registration":
        if self.scrape_interval is not None and self.target is None:
            raise ValueError("scrape_interval belongs to a target: give the URL of a metrics page")
        return self


class Scraping(Document):
    """A server to be scraped at its metrics page from now on, for ``duration`` seconds."""

    target: TargetUrl
    duration: Duration


class Finish(Document):
    """The load has ended; ``end`` defaults to the time of the request.

    ``base_score`` replaces the measured objective by one that the tuner measured itself.
    """

    end: Time | None = None
    base_score: Base | None = None


class PhaseStart(Document):
    """A phase of the load begins and the one before ends; ``start`` is that of the request if missing."""

    name: PhaseName
    start: Time | None = None


class PhaseEnd(Document):
    """The phase of this name, by default the last one, has ended; ``end`` is that of the request if missing."""

    name: PhaseName | None = None
    end: Time | None = None


class Abort(Document):
    """The experiment is called off; no score will be made."""

    reason: Annotated[str, Field(max_length=1000)] | None = None


class TimeRange(Document):
    """A past window."""

    start: Time
    end: Time

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "TimeRange":
        if self.end <= self.start:
            raise ValueError("the end must be after the start")
        return self


class _Known:
    """Sections that were read lately: who scores numbers sends the same one again and again."""

    most = 64
    max_bytes = 4096

    def __init__(self) -> None:
        self._sections: OrderedDict[bytes, SloSpec] = OrderedDict()

    def read(self, value: object, read: ValidatorFunctionWrapHandler) -> SloSpec:
        """The section as ``read`` gives it, which it need not do for one that is known."""
        try:
            # Unlike JSON it tells all kinds of values apart; anything but plain data it refuses.
            key = marshal.dumps(cast("Any", value), _WITHOUT_REFERENCES)
        except ValueError:
            key = b""
        known = self._sections.get(key)
        if known is not None:
            self._sections.move_to_end(key)
            return known
        section: SloSpec = read(value)
        if key and len(key) <= self.max_bytes:
            self._sections[key] = section
            if len(self._sections) > self.most:
                self._sections.popitem(last=False)
        return section


class ScoreRequest(Document):
    """Score numbers (``values`` with a ``base_score``) or a past window of a deployment."""

    slo: Annotated[SloSpec, WrapValidator(_Known().read)] | None = None
    objective: Objective = Objective.MINIMIZE_LATENCY
    base_score: Base | None = None
    values: dict[str, Measured | None] | None = None
    selector: Selector | None = None
    server: str | None = None
    metrics: CustomMetrics | None = None
    window: TimeRange | None = None
    gpus: Gpus | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "ScoreRequest":
        if (self.values is None) == (self.selector is None):
            raise ValueError("give either values (with base_score) or selector (with window)")
        if self.values is not None and (
            self.window or self.server or self.metrics or self.gpus is not None
        ):
            raise ValueError("window, server, metrics and gpus belong to a selector, not to values")
        if self.selector is not None and self.window is None:
            raise ValueError("a selector needs a window {start, end}")
        if self.selector is not None and (problem := undefined_goodput(self.objective, self.slo)):
            raise ValueError(problem)
        return self
