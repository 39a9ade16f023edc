"""What an examination of a set-up found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad a finding is.

    CRITICAL: scores will be wrong or missing. WARNING: they will be worse than they could be. INFO
    is worth knowing; OK was looked at and is as it should be.
    """

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Check(StrEnum):
    """What is looked at, in this order."""

    CONNECTION = "connection"
    ENGINE = "engine"
    CLOCK = "clock"
    SERIES = "series"
    TARGETS = "targets"
    SERVER = "server"
    METRICS = "metrics"
    READING = "reading"
    NATIVE = "native"
    INSTANCES = "instances"
    RESTARTS = "restarts"
    SCRAPES = "scrapes"
    BUCKETS = "buckets"
    LIMITS = "limits"
    REQUESTS = "requests"


# Worst first.
BY_SEVERITY: Final = (Severity.CRITICAL, Severity.WARNING, Severity.INFO, Severity.OK)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, as sentences: what it is, what it means, how to mend it.

    ``command`` is what to paste for it, as it is.
    """

    severity: Severity
    check: Check
    found: str
    means: str = ""
    mend: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings on one deployment; ``server`` and ``engine`` are None where nobody could tell."""

    prometheus: str
    engine: str | None
    server: str | None
    selector: Mapping[str, str]
    window: float
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Severity:
        """The worst severity of any finding."""
        return worst_of(finding.severity for finding in self.findings)


def worst_of(severities: Iterable[Severity]) -> Severity:
    """The worst of these, OK of none."""
    return min(severities, key=BY_SEVERITY.index, default=Severity.OK)


def ok(check: Check, found: str) -> Finding:
    """Something that is as it should be."""
    return Finding(Severity.OK, check, found)


def info(check: Check, found: str, means: str = "", mend: str = "") -> Finding:
    """Something worth knowing."""
    return Finding(Severity.INFO, check, found, means, mend)


def warning(check: Check, found: str, means: str, mend: str) -> Finding:
    """Something that makes scores worse than they could be."""
    return Finding(Severity.WARNING, check, found, means, mend)


def critical(check: Check, found: str, means: str, mend: str) -> Finding:
    """Something that makes scores wrong or missing."""
    return Finding(Severity.CRITICAL, check, found, means, mend)
