"""Where limits lie among the bounds of a server, and the bounds that it lacks."""

import json
import math
import shlex
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.advice.buckets import Advice, advise
from sloscore.advice.limits import Bucket, hard_bound, limits_of, plain
from sloscore.advice.options import families_to_set, option_for
from sloscore.core.judge import judge
from sloscore.core.objective import Signal
from sloscore.core.penalty import Slo
from sloscore.core.sli import Estimate, Sli
from sloscore.core.verdict import Verdict, verdict_at, verdict_within
from sloscore.errors import SpecError
from sloscore.spec.loader import validate
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import load_preset, preset_for

P90 = Sli("latency_p90", Signal.LATENCY, "p90")
VLLM = load_preset("vllm")
LATENCY = VLLM.metrics["latency"].buckets

thresholds = st.floats(1e-3, 1e4)
fail_ratios = st.sampled_from([0.0]) | st.floats(1e-6, 10)


def advice(server: str | None = "vllm", **fields: Any) -> Advice:  # noqa: ANN401  the fields of a task are of many types
    task = validate(TaskSpec, {"task_name": "t", "server": server, **fields})
    preset = preset_for(task)
    assert preset is not None
    return advise(task, preset)


def p90(threshold: float, fail_ratio: float | None = None) -> dict[str, Any]:
    hard = {} if fail_ratio is None else {"hard_fail": True, "fail_ratio": fail_ratio}
    return {"latency": {"p90": {"threshold": threshold, **hard}}}


def buckets_of(bounds: tuple[float, ...]) -> list[Bucket]:
    return [Bucket(*pair) for pair in pairwise((0.0, *bounds, math.inf))]


def is_certain(bucket: Bucket, slo: Slo) -> bool:
    """Whether the judge gives a quantile in this bucket the same verdict wherever it lies."""
    last = math.isinf(bucket.upper)
    value = bucket.lower if last else (bucket.lower + bucket.upper) / 2
    estimate = Estimate(value, bucket.lower, bucket.upper, lower_open=bucket.lower > 0)
    return judge(P90, slo, estimate).certain


@pytest.mark.parametrize(
    ("threshold", "fail_ratio", "expected"),
    [
        (4.0, None, {"threshold": "(2.5, 5]"}),
        (4.0, 0.2, {"threshold": "(2.5, 5]", "hard limit": "(2.5, 5]"}),
        (5.0, 0.2, {"threshold": "None", "hard limit": "(5, 10]"}),
        (5.0, 1.0, {"threshold": "None", "hard limit": "None"}),
        (0.2, None, {"threshold": "[0, 0.3]"}),
        (8000.0, None, {"threshold": "(7680, +Inf]"}),
        (7680.0, 0.5, {"threshold": "None", "hard limit": "(7680, +Inf]"}),
        (2.0, 0.0, {"threshold": "None"}),
    ],
)
def test_a_limit_lies_inside_a_stock_bucket_or_is_its_bound(
    threshold: float, fail_ratio: float | None, expected: dict[str, str]
) -> None:
    found = advice(slo=p90(threshold, fail_ratio))
    assert {one.limit.kind.value: str(one.bucket) for one in found.limits} == expected
    assert found.changes is any(bucket != "None" for bucket in expected.values())


@given(thresholds, fail_ratios, st.booleans())
def test_with_the_advised_bounds_every_bucket_gives_a_certain_verdict(
    threshold: float, fail_ratio: float, hard: bool
) -> None:
    slo = Slo(threshold, hard_fail=hard, fail_ratio=fail_ratio)
    found = advice(slo=p90(threshold, fail_ratio if hard else None))
    (metric,) = found.metrics
    assert all(is_certain(bucket, slo) for bucket in buckets_of(metric.advised))
    assert set(LATENCY) <= set(metric.advised)
    assert len(metric.added) <= len(limits_of([(P90, slo)]))


@given(thresholds, fail_ratios, st.booleans())
def test_the_buckets_that_hold_a_limit_are_those_without_a_certain_verdict(
    threshold: float, fail_ratio: float, hard: bool
) -> None:
    slo = Slo(threshold, hard_fail=hard, fail_ratio=fail_ratio)
    inside = {one.bucket for one in advice(slo=p90(threshold, fail_ratio if hard else None)).inside}
    assert {one for one in buckets_of(LATENCY) if not is_certain(one, slo)} == inside


@given(thresholds, st.floats(1e-6, 10))
def test_the_bound_of_a_hard_limit_parts_violations_from_hard_fails(
    threshold: float, fail_ratio: float
) -> None:
    slo = Slo(threshold, hard_fail=True, fail_ratio=fail_ratio)
    bound = hard_bound(slo)
    assert verdict_within(bound, slo) is Verdict.VIOLATED
    assert verdict_at(math.nextafter(bound, math.inf), slo) is Verdict.HARD_FAIL


@pytest.mark.parametrize(
    ("threshold", "fail_ratio", "bound"),
    [(3.0, 0.1, "3.3"), (1.1, 0.1, "1.21"), (0.7, 0.1, "0.77"), (5.0, 0.2, "6"), (0.05, 0.5, "0.075")],
)  # fmt: skip
def test_the_bound_of_a_hard_limit_has_no_noise_of_floats(
    threshold: float, fail_ratio: float, bound: str
) -> None:
    assert plain(hard_bound(Slo(threshold, hard_fail=True, fail_ratio=fail_ratio))) == bound


@given(thresholds)
def test_a_threshold_is_a_bound_to_its_last_digit(threshold: float) -> None:
    option = option_for(advice("sglang", slo=p90(threshold)))
    bounds = [] if option is None else list(map(float, option.split()[1:]))
    stock = load_preset("sglang").metrics["latency"].buckets
    assert threshold in (bounds or stock)


def test_a_bound_next_to_a_threshold_does_not_tell_it() -> None:
    (placed,) = advice(slo=p90(math.nextafter(5.0, 6.0))).limits
    assert str(placed.bucket) == "(5, 10]"


def test_vllm_takes_one_json_of_those_families_that_change() -> None:
    slo = {
        "latency": {"p50": {"threshold": 2.0}, "p90": {"threshold": 4.0}},
        "ttft": {"p90": {"threshold": 0.3}, "p99": {"threshold": 0.75}},
        "tpot": {"threshold": 0.033, "statistic": "p95"},
    }
    option = option_for(advice(slo=slo))
    assert option is not None
    flag, text = shlex.split(option)
    assert flag == "--custom-histogram-buckets"
    bounds = json.loads(text)
    stock = {role: VLLM.metrics[role].buckets for role in ("latency", "ttft", "tpot")}
    assert bounds == {
        "request_latency": sorted([*stock["latency"], 4.0]),
        "time_to_first_token": sorted([*stock["ttft"], 0.3]),
        "inter_token_latency": sorted([*stock["tpot"], 0.033]),
    }
    only_ttft = option_for(advice(slo={"ttft": {"threshold": 0.3}}))
    assert list(json.loads(shlex.split(only_ttft or "")[1])) == ["time_to_first_token"]


def test_sglang_takes_an_option_with_numbers_for_each_metric_that_changes() -> None:
    slo = {"latency": {"p90": {"threshold": 4.5}}, "tpot": {"p50": {"threshold": 0.012}}}
    words = shlex.split(option_for(advice("sglang", slo=slo)) or "")
    latency, tpot = (load_preset("sglang").metrics[role].buckets for role in ("latency", "tpot"))
    second = words.index("--bucket-inter-token-latency")
    assert words[0] == "--bucket-e2e-request-latency"
    assert list(map(float, words[1:second])) == sorted([*latency, 4.5])
    assert list(map(float, words[second + 1 :])) == sorted([*tpot, 0.012])


def test_nothing_is_missing_where_all_limits_are_bounds() -> None:
    found = advice(slo={"latency": {"p90": {"threshold": 5.0}}, "ttft": {"threshold": 0.5}})
    assert not found.changes
    assert (families_to_set(found), option_for(found)) == ({}, None)


def test_means_and_throughput_need_no_bounds() -> None:
    found = advice(slo={"tpot": {"threshold": 0.033}, "throughput": {"threshold": 1000.0}})
    assert found.exact == ("tpot", "throughput")
    assert (found.limits, found.metrics, found.changes) == ((), (), False)


def test_a_task_without_slos_needs_nothing() -> None:
    assert not advice().changes


def test_bounds_are_of_the_unit_of_the_metric() -> None:
    slo = {"ttft": {"p50": {"threshold": 0.5}, "p90": {"threshold": 0.3}}}
    found = advice("triton", slo=slo, optimization={"objective": "minimize_ttft"})
    (metric,) = found.metrics
    assert (metric.unit, metric.added) == ("ms", (300.0,))
    assert [str(one.bucket) for one in found.limits] == ["None", "(0.1, 0.5]"]
    assert option_for(found) is None


def test_metrics_of_the_task_s_own_have_the_bounds_that_it_gives_or_unknown_ones() -> None:
    metrics = {
        "latency": {"names": ["mine_ms"], "unit": "ms"},
        "ttft": {"names": ["my_ttft"], "unit": "s", "buckets": [1, 2]},
    }
    slo = p90(3.3, 0.1) | {"ttft": {"p50": {"threshold": 2.0}}}
    found = advice(None, slo=slo, metrics=metrics)
    assert [one.is_known for one in found.limits] == [False, False, True]
    assert [metric.added for metric in found.metrics] == [(3300.0, 3630.0), ()]


def test_what_the_server_lacks_is_refused() -> None:
    with pytest.raises(SpecError, match="preset tgi has no metric for ttft"):
        advice("tgi", slo={"ttft": {"threshold": 1.0}})
