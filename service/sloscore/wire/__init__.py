"""Documents of the HTTP API: what a client sends and what it gets."""

from sloscore.spec.model import ExperimentId
from sloscore.wire.answers import (
    Decision,
    ExperimentDocument,
    ExperimentPage,
    FieldProblem,
    Problem,
    Report,
    SliReport,
    TaskDocument,
    ViolationBudget,
    WindowReport,
)
from sloscore.wire.comparison import Change, Comparison, SliChange
from sloscore.wire.counts import Counts, HistogramCounts
from sloscore.wire.drafts import (
    CheckRequest,
    Curve,
    CurvePoint,
    Curves,
    CurvesRequest,
    RulesRequest,
    TaskCheck,
)
from sloscore.wire.requests import Abort, Finish, Registration, ScoreRequest, Scraping, TimeRange
from sloscore.wire.status import Followed, QueryTally, StatusDocument
from sloscore.wire.values import (
    Base,
    Document,
    Number,
    TargetUrl,
    Time,
    format_time,
    json_number,
    parse_time,
    to_milliseconds,
)

__all__ = [
    "Abort",
    "Base",
    "Change",
    "CheckRequest",
    "Comparison",
    "Counts",
    "Curve",
    "CurvePoint",
    "Curves",
    "CurvesRequest",
    "Decision",
    "Document",
    "ExperimentDocument",
    "ExperimentId",
    "ExperimentPage",
    "FieldProblem",
    "Finish",
    "Followed",
    "HistogramCounts",
    "Number",
    "Problem",
    "QueryTally",
    "Registration",
    "Report",
    "RulesRequest",
    "ScoreRequest",
    "Scraping",
    "SliChange",
    "SliReport",
    "StatusDocument",
    "TargetUrl",
    "TaskCheck",
    "TaskDocument",
    "Time",
    "TimeRange",
    "ViolationBudget",
    "WindowReport",
    "format_time",
    "json_number",
    "parse_time",
    "to_milliseconds",
]
