"""Documents of the HTTP API: what a client sends and what it gets."""

import math
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from sloscore.core.objective import Direction, Objective
from sloscore.core.scoring import Status
from sloscore.core.verdict import Severity, Uncertainty, Verdict
from sloscore.settings import Duration
from sloscore.spec.metric import CustomMetrics
from sloscore.spec.model import Selector, TaskSpec
from sloscore.spec.slo import SloSpec

# The year 10000, in Unix seconds.
_END_OF_TIME = 253402300800


def parse_time(value: object) -> float:
    """Unix seconds of a Unix time or of an RFC 3339 text, to the millisecond.

    Raises ValueError for anything else.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValueError(f'{value!r} is no time: write "2026-01-31T12:00:00Z" or Unix seconds')
        seconds = moment.timestamp()
        if not 0 <= seconds < _END_OF_TIME:
            raise ValueError(f"{value!r} lies outside of the years 1970 to 9999")
        return to_milliseconds(seconds)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError('a time is written "2026-01-31T12:00:00Z" or as Unix seconds')  # noqa: TRY004  pydantic turns only ValueError into a message
    if not 0 <= value < _END_OF_TIME:
        raise ValueError(f"{value} is no Unix time in seconds up to the year 9999")
    return to_milliseconds(value)


def to_milliseconds(seconds: float) -> float:
    """A time as the API can say it, so that what was answered can be sent back."""
    return round(float(seconds), 3)


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(to_milliseconds(seconds), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_number(value: float) -> float | str:
    """A number as JSON can hold it: infinities by name."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


Time = Annotated[
    float,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0}]}
    ),
]
Number = Annotated[
    float,
    PlainSerializer(json_number, return_type=float | str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity"]}]}),
]
ExperimentId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$",
        description="1 to 128 letters, digits, dots, colons, dashes and underscores",
    ),
]


def _check_target(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
        parts.port  # noqa: B018  reading the port is what checks it
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not host or user is not None or not url.isascii():
        raise ValueError(f'{url!a} is no URL like "http://10.0.0.5:8000/metrics"')
    return url


TargetUrl = Annotated[str, Field(max_length=2048), AfterValidator(_check_target)]
Base = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]


class Document(BaseModel):
    """Base of all documents: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Registration(Document):
    """Register an experiment when its load starts.

    ``task`` is the task file's content. ``selector`` and ``server`` say which deployment this
    experiment runs on where the task does not; ``start`` defaults to the time of the request.
    ``target`` is the URL of the server's metrics page: the service then scrapes it itself, at the
    start, at the end, and every ``scrape_interval`` in between.
    """

    id: ExperimentId
    task: TaskSpec
    selector: Selector | None = None
    server: str | None = None
    target: TargetUrl | None = None
    scrape_interval: Annotated[Duration, Field(ge=0.1)] | None = None
    start: Time | None = None

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


class ScoreRequest(Document):
    """Score numbers (``values`` with a ``base_score``) or a past window of a deployment."""

    slo: SloSpec | None = None
    objective: Objective = Objective.MINIMIZE_LATENCY
    base_score: Base | None = None
    values: dict[str, float | None] | None = None
    selector: Selector | None = None
    server: str | None = None
    metrics: CustomMetrics | None = None
    window: TimeRange | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "ScoreRequest":
        if (self.values is None) == (self.selector is None):
            raise ValueError("give either values (with base_score) or selector (with window)")
        if self.values is not None and (self.window or self.server or self.metrics):
            raise ValueError("window, server and metrics belong to a selector, not to values")
        if self.selector is not None and self.window is None:
            raise ValueError("a selector needs a window {start, end}")
        return self


class Decision(Document):
    """What a tuner should do now; ``confidence`` is the probability that it is right."""

    action: Literal["continue", "stop"]
    reason: str
    confidence: float | None = None


class SliReport(Document):
    """One SLI against its SLO, in seconds (throughput: tokens/s).

    ``lower`` and ``upper`` are what the window's own requests leave open (buckets),
    ``confidence_lower`` and ``confidence_upper`` where the deployment's own value lies at the
    report's ``confidence``. ``uncertainty`` says why a verdict is not ``certain``: "buckets" (a
    limit lies inside of one) or "sampling" (too few requests, of which about
    ``requests_to_settle`` more would do). ``requests_over`` of ``requests`` took longer than the
    threshold, where a bucket ends there.
    """

    sli: str
    value: Number | None
    lower: Number | None
    upper: Number | None
    confidence_lower: Number | None
    confidence_upper: Number | None
    certain: bool
    uncertainty: Uncertainty | None
    requests_to_settle: int | None
    threshold: float
    requests: float | None
    requests_over: float | None
    violation_ratio: Number | None
    penalty: Number | None
    penalty_interval: tuple[Number, Number] | None
    severity: Severity | None
    verdict: Verdict
    explanation: str


class WindowReport(Document):
    """What the numbers were counted over; ``requests`` that finished in it, durations in seconds.

    ``start`` is that of the load plus ``warmup``; ``observed_start`` and ``observed_end`` are the
    scrapes around the window. ``unseen_head`` and
    ``unseen_tail`` are the parts of it that some instance has no scrape for.
    """

    start: Time
    end: Time | None
    warmup: float
    observed_start: Time | None
    observed_end: Time | None
    requests: float
    resets: int
    instances: int
    scrape_interval: float | None
    unseen_head: float
    unseen_tail: float


class Report(Document):
    """The score of an experiment with all that led to it.

    ``score`` is "Infinity" ("-Infinity" where maximised) on a hard fail and null without data;
    ``score_interval`` is what the window's own requests leave open of it,
    ``score_confidence_interval`` what the deployment can be at ``confidence``; ``standard_error``
    is that of ``finite_score``. ``certain`` says whether all verdicts are.
    ``constraints`` holds a violation ratio for each SLI, feasible at or below 0.
    """

    experiment: str | None
    task: str | None
    status: Status
    slo_violation: bool
    reason: str | None
    objective: Objective
    direction: Direction
    base_score: float | None
    penalty: Number | None
    penalty_multiplier: Number | None
    score: Number | None
    score_interval: tuple[Number, Number] | None
    score_confidence_interval: tuple[Number, Number] | None
    confidence: float
    standard_error: Number | None
    certain: bool
    finite_score: Number | None
    constraints: dict[str, Number | None]
    decision: Decision
    slis: tuple[SliReport, ...]
    window: WindowReport | None
    evaluated_at: Time


class ExperimentDocument(Document):
    """A registered experiment."""

    id: str
    task: str
    state: str
    objective: Objective
    start: Time
    end: Time | None
    created_at: Time
    updated_at: Time
    score: Number | None
    reason: str | None


class ExperimentPage(Document):
    """Experiments, newest first; ``next_cursor`` is null on the last page."""

    experiments: tuple[ExperimentDocument, ...]
    next_cursor: str | None


class ViolationBudget(Document):
    """Share of a task's ended experiments that broke a hard SLO, and how many had data."""

    ended: int
    hard_violations: int
    no_data: int
    hard_violation_share: float | None


class TaskDocument(Document):
    """A task's experiments ranked best first, with the counts of its violations."""

    task: str
    direction: Direction | None
    best: str | None
    ranking: tuple[ExperimentDocument, ...]
    states: dict[str, int]
    violation_budget: ViolationBudget


class Problem(BaseModel):
    """An error as RFC 9457 problem details; ``errors`` has one sentence for each mistake."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[str] | None = None
