"""What holds of every task, whatever it says."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sloscore.core.objective import Objective, Signal
from sloscore.core.sli import parse_percentile
from sloscore.errors import SpecError
from sloscore.spec.loader import parse_task, validate
from sloscore.spec.model import TaskSpec
from sloscore.spec.slo import SloSpec

numbers = st.floats(min_value=1e-9, max_value=1e9) | st.integers(min_value=1, max_value=10**9)
shares = st.floats(min_value=1e-9, max_value=0.999)
at_least_zero = st.floats(min_value=0, max_value=1e9) | st.integers(min_value=0, max_value=10**9)
percentiles = st.integers(1, 99).map(lambda n: f"p{n}") | st.tuples(
    st.integers(1, 99), st.integers(1, 9)
).map(lambda pair: f"p{pair[0]}.{pair[1]}")


def rising(steps: list[tuple[int, int]]) -> list[list[int]]:
    """Points of a piecewise penalty from the steps between them."""
    columns = (itertools.accumulate(column) for column in zip(*steps, strict=True))
    return [list(point) for point in zip(*columns, strict=True)]


steps = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=20)
penalties = (
    st.sampled_from(["exponential", "continuous_exponential", "linear", "polynomial"])
    | st.fixed_dictionaries(
        {"function": st.just("polynomial")}, optional={"degree": st.floats(1, 10)}
    )
    | st.fixed_dictionaries({"function": st.just("piecewise"), "points": steps.map(rising)})
)


def targets(
    threshold: st.SearchStrategy[float] = numbers, **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    optional = {
        "weight": at_least_zero,
        "hard_fail": st.booleans(),
        "fail_ratio": at_least_zero,
        "penalty": penalties,
    }
    return st.fixed_dictionaries({"threshold": threshold}, optional=optional | more)


by_percentile = st.dictionaries(percentiles, targets(), min_size=1, max_size=5)
throughputs = st.dictionaries(
    st.sampled_from(["output", "output_per_gpu", "total", "total_per_gpu", "requests"]),
    targets(),
    min_size=1,
)
one_signal = targets(statistic=percentiles | st.just("mean")) | by_percentile
slo_sections = st.fixed_dictionaries(
    {"latency": by_percentile},
    optional={
        "ttft": one_signal,
        "tpot": one_signal,
        "queue": one_signal,
        "throughput": targets() | throughputs,
        "error_rate": targets(shares, hard_fail=st.just(False)),
        "goodput": st.builds(
            lambda target, within: {**target, "within": within},
            targets(shares, measure=st.sampled_from(["share", "rate"])),
            st.dictionaries(st.sampled_from(["latency", "ttft", "tpot"]), numbers, min_size=1),
        ),
        "penalty": penalties,
        "steepness": st.floats(min_value=1e-6, max_value=1e6),
        "min_requests": st.integers(1, 10**6),
    },
)
opaque = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
tasks = st.fixed_dictionaries(
    {
        "task_name": st.text(
            st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128
        )
    },
    optional={
        "slo": slo_sections,
        "parameters": opaque,
        "model": opaque,
        "server": st.sampled_from(["vllm", "sglang"]),
        "selector": st.dictionaries(
            st.from_regex(r"[a-z][a-z0-9_]{2,8}", fullmatch=True),
            st.text(min_size=1, max_size=20),
            max_size=16,
        ),
        "optimization": st.fixed_dictionaries(
            {
                "objective": st.sampled_from(
                    [one.value for one in Objective if "goodput" not in one]
                )
            },
            optional={"max_iterations": st.integers(1, 999), "own": opaque},
        ),
    },
)


class Quoting(yaml.SafeDumper):
    """Quotes all text: PyYAML leaves 1e100 bare, which YAML 1.2 reads as a number."""

    def represent_text(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"')


Quoting.add_representer(str, Quoting.represent_text)


@given(tasks)
def test_a_valid_task_survives_json_and_yaml(data: dict[str, Any]) -> None:
    task = validate(TaskSpec, data)
    written = task.model_dump(mode="json")
    assert parse_task(json.dumps(data), "task.json") == task
    assert parse_task(json.dumps(written), "task.json") == task
    assert parse_task(yaml.dump(data, Dumper=Quoting), "task.yaml") == task
    assert parse_task(yaml.dump(written, Dumper=Quoting), "task.yaml") == task
    assert task.model_dump(mode="json") == written


@given(slo_sections)
def test_every_target_becomes_one_limit_under_its_own_id(data: dict[str, Any]) -> None:
    limits = validate(SloSpec, data).limits()
    ids = [sli.id for sli, _ in limits]
    thresholds = {sli.id: slo.threshold for sli, slo in limits}
    latency = [sli.quantile for sli, _ in limits if sli.signal is Signal.LATENCY]
    assert len(set(ids)) == len(ids)
    assert latency == sorted(parse_percentile(name) for name in data["latency"])
    for name, target in data["latency"].items():
        assert thresholds[f"latency_{name}"] == target["threshold"]


structure = st.text("{}[]:,-#&*!|>'\"%@`?~ \t\n\\abp9.0eEnNaI+x<", max_size=60)


def problems_of(read: Callable[[], TaskSpec]) -> list[str]:
    """The problems of what is no task; of a task none."""
    try:
        read()
    except SpecError as error:
        return error.problems
    return []


@given(st.text() | structure | tasks.map(json.dumps), st.sampled_from(["t.json", "t.yaml", "t"]))
def test_arbitrary_text_is_a_task_or_a_spec_error(text: str, name: str) -> None:
    problems = problems_of(lambda: parse_task(text, name))
    assert all(problem.startswith(f"{name}:") for problem in problems)


@given(st.dictionaries(st.sampled_from(sorted(TaskSpec.model_fields)), opaque))
def test_arbitrary_values_under_known_keys_are_a_task_or_a_spec_error(data: dict[str, Any]) -> None:
    problems = problems_of(lambda: validate(TaskSpec, data))
    assert all(problem.startswith("body: ") for problem in problems)
    assert problems or data["task_name"]
