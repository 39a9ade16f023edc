"""Documents of the HTTP API: what a client sends and what it gets."""

from sloscore.wire.answers import (
    Decision,
    ExperimentDocument,
    ExperimentPage,
    Problem,
    Report,
    SliReport,
    TaskDocument,
    ViolationBudget,
    WindowReport,
)
from sloscore.wire.requests import Abort, Finish, Registration, ScoreRequest, Scraping, TimeRange
from sloscore.wire.values import (
    Base,
    Document,
    ExperimentId,
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
    "Decision",
    "Document",
    "ExperimentDocument",
    "ExperimentId",
    "ExperimentPage",
    "Finish",
    "Number",
    "Problem",
    "Registration",
    "Report",
    "ScoreRequest",
    "Scraping",
    "SliReport",
    "TargetUrl",
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
