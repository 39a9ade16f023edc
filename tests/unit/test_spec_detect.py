from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.expositions import FILES, preset_of_file, series_names

from sloscore.errors import SpecError
from sloscore.spec.detect import recognise
from sloscore.spec.preset import load_preset, preset_names

NAMES = {file: series_names(file) for file in FILES}
# What is not a mixture: one of the two wraps the other, or exposes its names as well.
GIVES_WAY = {
    frozenset({"gateway-api-inference-extension", "llm-d-router"}): "llm-d-router",
    frozenset({"kserve", "vllm"}): "vllm",
    frozenset({"kserve", "sglang"}): "sglang",
}
PAIRS = [pair for pair in combinations(FILES, 2) if len(set(map(preset_of_file, pair))) == 2]

words = st.text("abcdefgh_:", min_size=1, max_size=20)


def problems(names: set[str]) -> list[str]:
    with pytest.raises(SpecError) as raised:
        recognise(names)
    return raised.value.problems


@pytest.mark.parametrize("file", FILES)
def test_a_server_is_recognised_by_what_it_exposes(file: str) -> None:
    assert recognise(NAMES[file]) == preset_of_file(file)


@pytest.mark.parametrize("file", FILES)
def test_names_of_families_are_as_good_as_those_of_series(file: str) -> None:
    families = {name.removesuffix("_bucket") for name in NAMES[file]}
    assert recognise(families) == preset_of_file(file)


@given(st.sampled_from(FILES), st.sets(words))
def test_other_metrics_do_not_matter(file: str, noise: set[str]) -> None:
    assert recognise(NAMES[file] | noise) == preset_of_file(file)


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=str)
def test_two_servers_at_once_are_ambiguous(one: str, other: str) -> None:
    presets = frozenset(map(preset_of_file, (one, other)))
    both = NAMES[one] | NAMES[other]
    if presets in GIVES_WAY:
        assert recognise(both) == GIVES_WAY[presets]
        return
    first, *needs = problems(both)
    assert first.startswith(f"server: {', '.join(sorted(presets))} all fit the metrics")
    assert [need.split(" needs ")[0] for need in needs] == sorted(presets)


def test_a_gateway_with_its_engines_is_ambiguous_though_it_has_its_own_twins() -> None:
    first, *_ = problems(NAMES["llm-d-router.txt"] | NAMES["vllm.txt"])
    assert first.startswith("server: llm-d-router, vllm all fit")


@pytest.mark.parametrize(
    "names",
    [
        {"vllm:num_requests_running"},
        {"vllm:e2e_request_latency_seconds_total"},
        {"my_vllm:e2e_request_latency_seconds_bucket"},
        {"e2e_request_latency_seconds_bucket"},
        {"vllm_e2e_request_latency_seconds_bucket"},
        {"dynamo_component_requests_total"},
        {"nv_inference_count"},
    ],
)
def test_a_likeness_is_not_enough(names: set[str]) -> None:
    first, *needs = problems(names)
    assert first.startswith("server: no preset fits the metrics that are exposed (")
    assert [need.split(" needs ")[0] for need in needs] == list(preset_names())


def test_what_each_preset_needs_is_told() -> None:
    _, *needs = problems({"other"})
    assert (
        "tensorrt-llm needs trtllm_e2e_request_latency_seconds or trtllm:e2e_request_latency_seconds"
        " or e2e_request_latency_seconds with request_queue_time_seconds"
    ) in needs
    assert "vllm needs vllm:e2e_request_latency_seconds" in needs


def test_what_was_seen_is_told_by_family_and_without_what_every_exporter_has() -> None:
    names = {"up", "go_threads", "process_start_time_seconds", "scrape_duration_seconds"}
    first, *_ = problems(names | {"b_bucket", "b_sum", "b_count", "upper_a"})
    assert "(b, upper_a);" in first


def test_where_nothing_else_was_seen_that_is_told() -> None:
    first, *_ = problems({"up", "go_threads"})
    assert "(go_threads, up);" in first


def test_what_was_seen_is_bounded() -> None:
    first, *_ = problems({f"metric_{number:03}" for number in range(500)})
    assert "metric_019 and 480 more);" in first
    assert "metric_020" not in first


def test_nothing_is_an_error_of_its_own() -> None:
    assert problems(set()) == ["server: cannot be recognised, as no metrics are exposed"]


def test_presets_give_way_to_presets_only() -> None:
    given_way = {name for one in preset_names() for name in load_preset(one).gives_way_to}
    assert given_way <= set(preset_names())
    assert given_way
