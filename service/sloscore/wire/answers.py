"""Documents that a client gets."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from sloscore.core.curve import PenaltyFunction
from sloscore.core.objective import Direction, Objective
from sloscore.core.scoring import Status
from sloscore.core.stopping import StopRule
from sloscore.core.verdict import Severity, Uncertainty, Verdict
from sloscore.wire.comparison import Comparison
from sloscore.wire.values import Document, Number, Time


class Decision(Document):
    """What a tuner should do now, and why.

    ``confidence`` is what the advice to stop is right with at least; ``rule`` says whether it is
    "certain" or rests on "evidence". ``saved_seconds`` is what it saves of the planned duration.
    """

    action: Literal["continue", "stop"]
    reason: str
    confidence: float | None = None
    rule: StopRule | None = None
    saved_seconds: float | None = None


class SliReport(Document):
    """One SLI against its SLO, in the SLI's unit (docs/slis.md).

    ``lower`` and ``upper`` are what the window's own requests leave open (buckets),
    ``confidence_lower`` and ``confidence_upper`` where the deployment's own value lies at the
    report's ``confidence``. ``uncertainty`` says why a verdict is not ``certain``: "buckets" (a
    limit lies inside of one), "counts" (a limit lies between the least and the most that was counted,
    for another reason), "sampling" (too few requests, of which about ``requests_to_settle``
    more would do) or "window" (too much of it was seen by no scrape). ``requests_over`` of ``requests`` took longer than the
    threshold, where a bucket ends there. ``penalty_function`` says how ``penalty`` grows with
    ``violation_ratio``. ``unit`` is null in reports of older releases.
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
    penalty_function: PenaltyFunction = PenaltyFunction.EXPONENTIAL
    severity: Severity | None
    verdict: Verdict
    explanation: str
    unit: str | None = None


class WindowReport(Document):
    """What the numbers were counted over; ``requests`` that finished in it, durations in seconds.

    ``start`` is that of the load plus ``warmup``; ``observed_start`` and ``observed_end`` are the
    scrapes around the window. ``unseen_head`` and
    ``unseen_tail`` are the parts of it that some instance has no scrape for, ``unseen_gaps`` those
    before restarts; ``widened_head`` and ``widened_tail`` are the seconds outside of the window
    whose requests are counted, too.
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
    unseen_gaps: float = 0.0
    widened_head: float = 0.0
    widened_tail: float = 0.0


class ScoredWindow(Document):
    """What one window of an experiment came to; the fields are those of a report."""

    status: Status
    slo_violation: bool
    reason: str | None
    base_score: float | None
    penalty: Number | None
    penalty_multiplier: Number | None
    score: Number | None
    finite_score: Number | None
    log_score: float | None
    certain: bool
    slis: tuple[SliReport, ...]
    window: WindowReport | None


class PhaseReport(ScoredWindow):
    """A phase of the load, scored by its own window; ``end`` is null while it goes on.

    ``start`` and ``end`` are as marked, those of its ``window`` as scored. ``counts`` says whether a
    hard fail of it is one of the experiment, and whether it can be the worst.
    """

    name: str
    start: Time
    end: Time | None
    counts: bool


class Report(Document):
    """The score of an experiment with all that led to it.

    ``score`` is "Infinity" ("-Infinity" where maximised) on a hard fail and null without data;
    ``score_interval`` is what the window's own requests leave open of it,
    ``score_confidence_interval`` what the deployment can be at ``confidence``; ``standard_error``
    is that of ``finite_score``. ``certain`` says whether all verdicts are.
    ``constraints`` holds a violation ratio for each SLI, feasible at or below 0.

    For optimisers: ``finite_score`` leaves hard fails aside and ends at the largest float,
    ``log_score`` is its natural logarithm, which is always finite and keeps hopeless configurations
    in order; both are null where something that they need is unknown. ``infeasibility_reason`` says
    in sentences why an ended experiment failed hard or has no data, and ``binding_constraint`` is
    the id of the SLI with the largest violation ratio, violated or not.

    ``comparison`` is with the experiment's baseline, null where it names none.

    ``phases`` are the marked parts of the load. ``scored_phase`` names the one that the score and
    all that led to it are of, as ``slo.phases`` says, and ``whole`` is then what the whole window
    came to; null where the score is that of the whole window. ``scored_explanation`` says why.
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
    log_score: float | None = None
    constraints: dict[str, Number | None]
    binding_constraint: str | None = None
    infeasibility_reason: str | None = None
    decision: Decision
    slis: tuple[SliReport, ...]
    window: WindowReport | None
    comparison: Comparison | None = None
    evaluated_at: Time
    phases: tuple[PhaseReport, ...] = ()
    scored_phase: str | None = None
    scored_explanation: str | None = None
    whole: ScoredWindow | None = None


class PhaseDocument(Document):
    """A phase of an experiment's load; ``end`` is null while it goes on."""

    name: str
    start: Time
    end: Time | None


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
    phases: tuple[PhaseDocument, ...]


class ExperimentPage(Document):
    """Experiments, newest first; ``next_cursor`` is null on the last page."""

    experiments: tuple[ExperimentDocument, ...]
    next_cursor: str | None


class ViolationBudget(Document):
    """How many of a task's ended experiments broke a hard SLO, and how many may.

    ``hard_violation_share`` is of those that had data. ``allowed`` experiments may break one (a
    share of them can be a fraction), ``spent`` is the share of that which is used up ("Infinity"
    where none may), and ``exhausted`` says whether all of it is; null where the newest experiment's
    task has no ``violation_budget``.
    """

    ended: int
    hard_violations: int
    no_data: int
    hard_violation_share: float | None
    allowed: float | None
    spent: Number | None
    exhausted: bool | None


class TaskDocument(Document):
    """A task's experiments ranked best first, with the counts of its violations."""

    task: str
    direction: Direction | None
    best: str | None
    ranking: tuple[ExperimentDocument, ...]
    states: dict[str, int]
    violation_budget: ViolationBudget


class FieldProblem(Document):
    """A mistake of a body: ``pointer`` is the JSON pointer (RFC 6901) to where it is."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """An error as RFC 9457 problem details; ``errors`` has one sentence for each mistake.

    ``fields`` has those mistakes whose field in the body is known, with a pointer to it.
    ``request_id`` finds the request in the service's log.
    """

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[str] | None = None
    fields: list[FieldProblem] | None = None
    request_id: str | None = None
