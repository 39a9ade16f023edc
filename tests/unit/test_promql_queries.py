import re

import pytest

from sloscore.core.samples import Family, FamilyKind, Labels, Target
from sloscore.sources import promql

TTFT = Family("ttft", FamilyKind.HISTOGRAM, ("vllm:ttft_seconds", "vllm_ttft_seconds"))
TOKENS = Family("tokens", FamilyKind.COUNTER, ("vllm:tokens_total",))


def target(key: str, families: tuple[Family, ...] = (TTFT,), **selector: str) -> Target:
    labels: Labels = tuple(sorted(selector.items()))
    return Target(key, labels, families)


def members(targets: list[Target], max_targets: int = 200, max_bytes: int = 16384) -> list[str]:
    found = promql.chunks(targets, max_targets, max_bytes)
    return ["".join(one.key for one in chunk.targets) for chunk in found]


def test_targets_share_a_query_when_families_and_label_names_are_the_same() -> None:
    targets = [
        target("a", instance="1"),
        target("b", model="m"),
        target("c", (TTFT, TOKENS), instance="1"),
        target("d", instance="2"),
        target("e", instance="1", job="j"),
    ]

    assert members(targets) == ["ad", "b", "c", "e"]


def test_a_group_is_cut_by_number_of_selectors() -> None:
    targets = [target(key, instance=key) for key in "abcde"]

    assert members(targets, max_targets=2) == ["ab", "cd", "e"]


def test_targets_of_one_selector_count_once_and_stay_together() -> None:
    targets = [target("a", instance="1"), target("b", instance="2"), target("c", instance="1")]

    assert members(targets, max_targets=1) == ["ac", "b"]


def test_a_group_is_cut_by_bytes_of_values_and_a_single_long_one_still_gets_its_query() -> None:
    targets = [
        target("a", instance="ä" * 4),
        target("b", instance="bb"),
        target("c", instance="c"),
        target("d", instance="d" * 50),
        target("e", instance="e"),
    ]

    assert members(targets, max_bytes=10) == ["ab", "c", "d", "e"]


def test_no_targets_make_no_query() -> None:
    assert members([]) == []


def test_a_snapshot_asks_for_the_times_of_each_metric_name_by_itself() -> None:
    (chunk,) = promql.chunks([target("a", (TTFT, TOKENS), instance="1")], 10, 1000)

    asked = re.findall(r'timestamp\(\{__name__="([^"]*)"', promql.snapshot_query(chunk))

    assert asked == [
        "vllm:ttft_seconds_count",
        "vllm:ttft_seconds",
        "vllm_ttft_seconds_count",
        "vllm_ttft_seconds",
        "vllm:tokens_total",
        "up",
        "process_start_time_seconds",
    ]


def test_hidden_instances_are_asked_for_by_job_and_instance() -> None:
    (chunk,) = promql.chunks([target("a", model="m")], 10, 1000)

    query = promql.snapshot_query(chunk, [("j", "h:2"), ("j", "h:1")])

    assert '__name__=~"up|process_start_time_seconds",job="j",instance=~"h:1|h:2"' in query


def test_a_value_that_is_not_unicode_text_is_refused_with_the_name_of_its_label() -> None:
    error = promql.unusable(target("a", model="\ud800"))

    assert error is not None
    assert error.kind == "bad_data"
    assert "'model'" in str(error)
    assert promql.unusable(target("b", model="ü😀")) is None


@pytest.mark.parametrize(("label", "words"), [("", "without a name"), ("__name__", "families")])
def test_a_label_that_no_selector_can_have_is_refused(label: str, words: str) -> None:
    error = promql.unusable(Target("a", ((label, "x"),), (TTFT,)))

    assert error is not None
    assert error.kind == "bad_data"
    assert words in str(error)
