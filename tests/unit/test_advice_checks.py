"""Checks on samples that are made by hand, for what no real set-up shows to the last request."""

from collections.abc import Mapping, Sequence

import pytest
from tests.unit.advice_facts import AT, A, B, facts_of, sample, shown

from sloscore.advice.doctor import check_clock
from sloscore.advice.findings import Check, Examination, Finding, Severity, info, ok, warning
from sloscore.advice.load import check_requests, window_start
from sloscore.advice.probe import Scraped
from sloscore.advice.targets import check_scrapes, check_targets
from sloscore.advice.words import bounds_text, duration, instances_text, listed, selector_text
from sloscore.sources.base import Offset
from sloscore.sources.scrapes import Instance


def every(seconds: float, number: int = 20) -> list[Scraped]:
    return [Scraped(AT - seconds * back, succeeded=True) for back in reversed(range(number))]


@pytest.mark.parametrize(
    ("interval", "window", "severity", "holds"),
    [
        (5.0, 300.0, Severity.OK, "60 scrapes"),
        (75.0, 300.0, Severity.OK, "4 scrapes"),
        (75.5, 300.0, Severity.WARNING, "3 scrapes"),
        (300.0, 300.0, Severity.WARNING, "1 scrape"),
        (300.5, 300.0, Severity.CRITICAL, "0 scrapes"),
    ],
)
def test_a_window_wants_four_scrapes(
    interval: float, window: float, severity: Severity, holds: str
) -> None:
    facts = facts_of(sample(A), scrapes={A: every(interval)}, window=window, closing_wait=1e9)
    (finding,) = check_scrapes(facts)
    assert finding.severity is severity
    assert finding.found.endswith(f"holds {holds}.")


def test_the_interval_is_the_median_and_that_of_the_slowest_instance() -> None:
    late = [*every(5.0), Scraped(AT + 60, succeeded=True)]
    facts = facts_of(sample(A), sample(B), scrapes={A: every(1.0), B: late})
    (finding,) = check_scrapes(facts)
    assert finding.found.startswith("A scrape every 5 s: ")


def test_an_interval_that_outlasts_the_wait_for_the_last_scrape_is_a_warning() -> None:
    facts = facts_of(sample(A), scrapes={A: every(61.0)}, window=3600)
    assert [one.severity for one in check_scrapes(facts)] == [Severity.OK, Severity.WARNING]


@pytest.mark.parametrize(
    ("scrapes", "severity", "words"),
    [
        ({}, Severity.INFO, "There is no series up of these instances."),
        ({A: every(1.0, 1)}, Severity.WARNING, "Fewer than two scrapes in the last 5m."),
    ],
)
def test_an_interval_that_nobody_knows_is_told(
    scrapes: Mapping[Instance, Sequence[Scraped]], severity: Severity, words: str
) -> None:
    assert shown([*check_scrapes(facts_of(sample(A), scrapes=scrapes))]) == [(severity, words)]


def test_failed_scrapes_are_counted() -> None:
    scrapes = [Scraped(AT - 5 * n, succeeded=n not in {3, 4}) for n in reversed(range(20))]
    *_, finding = check_scrapes(facts_of(sample(A), scrapes={A: scrapes}))
    assert finding.found == "2 of 20 scrapes in the last 5m failed."


@pytest.mark.parametrize(
    ("ups", "severity"),
    [
        ({A: True, B: True}, Severity.OK),
        ({A: True, B: None}, Severity.OK),
        ({A: True, B: False}, Severity.WARNING),
        ({A: False, B: False}, Severity.CRITICAL),
    ],
)
def test_all_targets_down_are_worse_than_some(
    ups: Mapping[Instance, bool | None], severity: Severity
) -> None:
    (finding,) = check_targets(ups)
    assert finding.severity is severity


@pytest.mark.parametrize(
    ("seconds", "error", "severity"),
    [
        (0.9, 0.0, Severity.OK),
        (-0.9, 0.0, Severity.OK),
        (5.0, 4.5, Severity.OK),
        (1.5, 0.0, Severity.WARNING),
        (-299.0, 0.0, Severity.WARNING),
        (301.0, 0.0, Severity.CRITICAL),
    ],
)
def test_clocks_that_differ_for_certain_are_found(
    seconds: float, error: float, severity: Severity
) -> None:
    assert check_clock(Offset(seconds, error), 300.0).severity is severity


@pytest.mark.parametrize(
    ("count", "severity", "words"),
    [
        (0, Severity.INFO, "No requests finished in the last 5m."),
        (9, Severity.WARNING, "9 requests finished in the last 5m: too few for latency_p90, which"),
        (10, Severity.OK, "10 requests finished in the last 5m: enough for every SLO."),
    ],
)
def test_requests_of_the_last_window_are_held_against_the_percentiles(
    count: float, severity: Severity, words: str
) -> None:
    start = AT - 300
    before = [sample(A, start - 1, 100.0)]
    (finding,) = check_requests(facts_of(sample(A, count=100.0 + count)), before, start)
    assert finding.severity is severity
    assert finding.found.startswith(words)


def test_a_shorter_look_is_made_up_to_a_window_and_a_longer_window_proposed() -> None:
    start = AT - 30
    before = [sample(A, start, 100.0)]
    slo = {"latency": {"p99": {"threshold": 5.0}}}
    (enough,) = check_requests(facts_of(sample(A, count=110.0), slo=slo), before, start)
    assert enough.found == (
        "10 requests finished in the last 30 s, which makes 100 in 5m: enough for every SLO."
    )
    (few,) = check_requests(facts_of(sample(A, count=105.0), slo=slo), before, start)
    assert few.found.startswith("5 requests finished in the last 30 s, which makes 50 in 5m: too")
    assert few.mend.startswith("Under this load a window takes about 10m;")


def test_a_number_that_the_task_sets_is_what_it_needs() -> None:
    slo = {"latency": {"p90": {"threshold": 5.0}}, "min_requests": 200}
    before = [sample(A, AT - 300, 0.0)]
    (finding,) = check_requests(facts_of(sample(A, count=150.0), slo=slo), before, AT - 300)
    assert finding.found.endswith("too few for latency_p90, which needs 200.")


def test_a_look_at_the_load_begins_when_all_were_scraped() -> None:
    scrapes = {A: every(1.0, 50), B: every(1.0, 20)}
    assert window_start(facts_of(sample(A), sample(B), scrapes=scrapes)) == AT - 19
    # What was scraped all along was so before, too.
    assert window_start(facts_of(sample(A), scrapes={A: every(1.0, 300)}, window=900)) == AT - 900
    assert window_start(facts_of(sample(A))) == AT - 300


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (7.359, "7.36 s"), (30, "30 s"), (60, "1m"), (90, "90 s"), (150, "2m30s"),
     (300.4, "5m"), (5400, "1h30m"), (90000, "1d1h"), (0, "0 s")],
)  # fmt: skip
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lists_are_sorted_and_bounded() -> None:
    assert listed("gfedcba") == "a, b, c, d, e and 2 more"
    assert bounds_text([10.0, 2.0, 2.5]) == "2, 2.5, 10"
    assert instances_text([A, B]) == "h:1, h:2"
    assert instances_text([A, ("other", "h:2")]) == "h:1 of job job, h:2 of job other"
    assert selector_text((("a", 'b"c'),)) == '{a="b\\"c"}'


@pytest.mark.parametrize(
    ("findings", "worst"),
    [
        ([], Severity.OK),
        ([ok(Check.CLOCK, "")], Severity.OK),
        ([ok(Check.CLOCK, ""), info(Check.CLOCK, "")], Severity.INFO),
        ([warning(Check.CLOCK, "", "", ""), info(Check.CLOCK, "")], Severity.WARNING),
    ],
)
def test_an_examination_is_as_bad_as_its_worst_finding(
    findings: list[Finding], worst: Severity
) -> None:
    assert Examination("", None, None, {}, 1.0, tuple(findings)).worst is worst
