"""The verdict on one SLI, and how severe a violation is."""

from enum import StrEnum

from sloscore.core.penalty import SEVERE_RATIO, Slo, is_at_hard_limit, is_hard_fail, is_violated


class Verdict(StrEnum):
    """How an SLI stands against its SLO."""

    MET = "met"
    VIOLATED = "violated"
    HARD_FAIL = "hard_fail"
    NO_DATA = "no_data"


class HardFailOn(StrEnum):
    """Whether a hard fail is told by the estimate, or only where all that is possible says so."""

    ESTIMATE = "estimate"
    CERTAIN = "certain"


class Uncertainty(StrEnum):
    """Why a verdict is not certain.

    A limit lies inside a bucket, what was counted leaves it open in another way, there are too few
    requests, or too much of the window is unseen.
    """

    BUCKETS = "buckets"
    COUNTS = "counts"
    SAMPLING = "sampling"
    WINDOW = "window"


class Severity(StrEnum):
    """How far a violated SLI is past its threshold: MINOR up to 20 %, SEVERE beyond."""

    MINOR = "MINOR"
    SEVERE = "SEVERE"
    HARD_FAIL = "HARD_FAIL"


def verdict_at(value: float, slo: Slo) -> Verdict:
    """The verdict if the SLI's value is exactly ``value``."""
    if is_hard_fail(value, slo):
        return Verdict.HARD_FAIL
    return Verdict.VIOLATED if is_violated(value, slo) else Verdict.MET


def verdict_within(value: float, slo: Slo) -> Verdict:
    """The verdict if the SLI's value comes close to ``value`` from the better side.

    A bucket (5, 6] whose end is the hard limit holds values that do not reach it.
    """
    verdict = verdict_at(value, slo)
    if verdict is Verdict.HARD_FAIL and is_at_hard_limit(value, slo):
        return Verdict.VIOLATED
    return verdict


def severity_of(verdict: Verdict, ratio: float) -> Severity | None:
    """Severity of a violation, or None where there is none."""
    if verdict is Verdict.HARD_FAIL:
        return Severity.HARD_FAIL
    if verdict is Verdict.VIOLATED:
        return Severity.SEVERE if ratio > SEVERE_RATIO else Severity.MINOR
    return None
