"""Checks of what a server exposes, on facts that are made by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.advice_facts import VLLM_NAMES, A, B, facts_of, sample, shown, task_of

from sloscore.advice.bounds import check_buckets, check_limits
from sloscore.advice.facts import telling
from sloscore.advice.findings import Severity
from sloscore.advice.metrics import check_metrics, find_preset
from sloscore.core.samples import Child, InstanceSample
from sloscore.spec.preset import load_preset


def test_buckets_differ_where_any_series_has_a_bound_that_another_lacks() -> None:
    facts = facts_of(sample(A), sample(B, bounds=(1.0, 2.0, 5.0, 10.0)))
    (finding,) = check_buckets(facts)
    assert finding.severity is Severity.WARNING
    assert finding.found == (
        "The buckets of latency differ: only some of its series have bounds at 2, 10 (h:2)."
    )
    assert "Only the 2 common bounds" in finding.means


def test_limits_are_held_against_the_common_bounds() -> None:
    slo = {"latency": {"p90": {"threshold": 2.0}}}
    alone = facts_of(sample(B, bounds=(1.0, 2.0, 5.0)), slo=slo)
    both = facts_of(sample(A), sample(B, bounds=(1.0, 2.0, 5.0)), slo=slo)
    assert [one.severity for one in check_limits(alone)] == [Severity.OK]
    (finding,) = check_limits(both)
    assert "inside the bucket (1, 5]." in finding.found
    assert '{"request_latency": [1.0, 2.0, 5.0]}' in finding.command


@pytest.mark.parametrize(
    ("bounds", "threshold", "severity"),
    [
        ((1.0, 5.0), 5.0, Severity.OK),
        ((1.0, 5.0), 4.0, Severity.WARNING),
        ((1.0, 5.0), 0.5, Severity.WARNING),
        ((1.0, 5.0), 6.0, Severity.CRITICAL),
        ((3.9, 4.2), 4.0, Severity.INFO),
        ((3.9, 4.5), 4.0, Severity.WARNING),
    ],
)
def test_a_limit_is_as_bad_as_its_bucket_is_wide(
    bounds: Sequence[float], threshold: float, severity: Severity
) -> None:
    facts = facts_of(sample(A, bounds=bounds), slo={"latency": {"p90": {"threshold": threshold}}})
    (finding,) = check_limits(facts)
    assert finding.severity is severity


def test_means_have_no_limits_to_hold() -> None:
    facts = facts_of(sample(A), slo={"tpot": {"threshold": 0.01}})
    assert shown([*check_limits(facts)]) == [
        ("ok", "No limit of the task needs a bucket bound."),
    ]


def test_a_server_without_an_option_is_given_its_help() -> None:
    facts = facts_of(sample(A), slo={"latency": {"p90": {"threshold": 2.0}}}, server="lmdeploy")
    (finding,) = check_limits(facts)
    assert finding.command == ""
    assert (
        finding.mend == f"Give latency a bucket bound at 2. {load_preset('lmdeploy').bucket_help}."
    )


def test_what_the_preset_lacks_is_told_with_what_it_has() -> None:
    facts = facts_of(sample(A), server="tgi", slo={"ttft": {"threshold": 1.0}})
    *_, finding = [one for one in check_metrics(facts) if "ttft" in one.found]
    assert finding.severity is Severity.CRITICAL
    assert finding.found.startswith("Preset tgi has no metric for ttft: ")


def test_the_nearest_names_that_are_there_are_shown() -> None:
    names = frozenset({"kserve_vllm:e2e_request_latency_seconds_bucket", "up", "go_threads"})
    (finding,) = check_metrics(facts_of(names=names))
    assert finding.found == (
        "vllm:e2e_request_latency_seconds is not exposed. "
        "The nearest that is there: kserve_vllm:e2e_request_latency_seconds."
    )


def test_a_server_without_any_likeness_shows_what_it_has() -> None:
    (finding,) = check_metrics(facts_of(names=frozenset({"abc", "up", "scrape_duration_seconds"})))
    assert finding.found.endswith("is not exposed. There are abc.")


@pytest.mark.parametrize(
    ("server", "names", "severity", "words"),
    [
        ("vllm", VLLM_NAMES, Severity.OK, "The task names vllm."),
        (None, VLLM_NAMES, Severity.OK, "The metrics are those of vllm."),
        ("sglang", VLLM_NAMES, Severity.CRITICAL, "The task names sglang, and the metrics are"),
        ("sglang", {"abc"}, Severity.OK, "The task names sglang."),
        (None, {"abc"}, Severity.CRITICAL, "The task names no server: no preset fits"),
        (None, set(), Severity.CRITICAL, "The task names no server, and it cannot be recognised"),
    ],
)
def test_the_server_is_the_one_that_is_named_unless_another_is_there(
    server: str | None, names: frozenset[str], severity: Severity, words: str
) -> None:
    preset, finding = find_preset(task_of(server=server), names)
    assert finding.severity is severity
    assert finding.found.startswith(words)
    assert (preset is None) is (severity is Severity.CRITICAL)


def test_metrics_of_the_task_s_own_are_looked_for_whatever_else_is_there() -> None:
    task = task_of(server=None, metrics={"latency": {"names": ["mine"], "unit": "s"}})
    preset, finding = find_preset(task, VLLM_NAMES)
    assert (preset is None, finding.severity) == (False, Severity.OK)
    facts = facts_of(server=None, metrics={"latency": {"names": ["mine"], "unit": "s"}})
    (missing,) = check_metrics(facts)
    assert missing.found.startswith("mine is not exposed. There are vllm:")


def test_what_every_target_shows_tells_nothing() -> None:
    assert telling({"up", "scrape_samples_scraped", "ALERTS", "vllm:a", "uptime"}) == {
        "vllm:a",
        "uptime",
    }


ERROR_RATE = {"error_rate": {"threshold": 0.01}}
COUNTED = ("latency", "requests", "errors")


def with_counters(*roles: str) -> InstanceSample:
    return replace(sample(A), counters={Child(role, ()): 0.0 for role in roles})


def test_a_server_that_shows_failures_from_the_first_on_lacks_nothing_before() -> None:
    names = frozenset({"sglang:e2e_request_latency_seconds_bucket", "sglang:num_requests_total"})
    facts = facts_of(
        with_counters("requests"), server="sglang", slo=ERROR_RATE, names=names, roles=COUNTED
    )
    (finding,) = check_metrics(facts)
    assert finding.severity is Severity.OK
    assert finding.found == "2 metrics needed, all there: latency, requests."


@pytest.mark.parametrize("has_part", [True, False])
def test_a_server_that_should_show_its_failures_and_does_not_is_warned_of(has_part: bool) -> None:
    roles = ("requests", "errors") if has_part else ("requests",)
    names = VLLM_NAMES | {"vllm:request_success_total"}
    facts = facts_of(with_counters(*roles), slo=ERROR_RATE, names=names, roles=COUNTED)
    (finding,) = check_metrics(facts)
    assert (finding.severity is Severity.OK) is has_part
    if not has_part:
        assert finding.severity is Severity.WARNING
        assert finding.found == (
            "vllm:request_success_total is exposed, but not its part with finished_reason=error."
        )


GOODPUT = {"goodput": {"within": {"latency": 2.0}, "threshold": 0.9}}


@pytest.mark.parametrize(
    ("bounds", "severity"),
    [((1.0, 2.0), Severity.OK), ((1.0, 5.0), Severity.WARNING), ((0.5, 1.0), Severity.WARNING)],
)
def test_a_limit_of_a_goodput_should_be_a_bound_of_its_signal(
    bounds: Sequence[float], severity: Severity
) -> None:
    (finding,) = check_limits(facts_of(sample(A, bounds=bounds), slo=GOODPUT))
    assert finding.severity is severity
    if severity is Severity.WARNING:
        assert finding.found.startswith(
            "The limit of 2 s of latency of goodput_share lies inside the bucket ("
        )
        assert finding.means.startswith("Requests in that bucket count as past the limit")
        assert finding.mend.startswith("Give latency a bucket bound at 2")
