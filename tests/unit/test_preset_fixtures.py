"""Presets against an exposition of each server that they name."""

import math

import pytest
from tests.expositions import (
    FILES,
    LATENCY,
    expected,
    families,
    preset_of_file,
    read,
    samples,
    series_names,
    values,
)

from sloscore.core.samples import Family, FamilyKind
from sloscore.spec.loader import validate
from sloscore.spec.metric import ROLES
from sloscore.spec.preset import Preset, load_preset, preset_names, preset_of


def series_of(family: Family, name: str) -> set[str]:
    if family.kind is FamilyKind.COUNTER:
        return {name}
    return {f"{name}_{part}" for part in ("bucket", "sum", "count")}


def preset_families(preset: str) -> tuple[Family, ...]:
    found = load_preset(preset)
    return found.families(found.metrics)


def test_every_preset_has_a_fixture_and_every_fixture_a_preset() -> None:
    assert {preset_of_file(file) for file in FILES} == set(preset_names())
    assert {f"{name}.txt" for name in preset_names()} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_fixture_parses_and_holds_finite_values(file: str) -> None:
    found = samples(file)
    assert found
    assert all(math.isfinite(sample.value) for sample in found)
    assert len({(one.name, tuple(sorted(one.labels.items()))) for one in found}) == len(found)


@pytest.mark.parametrize("file", FILES)
def test_a_server_exposes_every_role_of_its_preset(file: str) -> None:
    names = series_names(file)
    for family in families(file):
        shown = [name for name in family.names if series_of(family, name) <= names]
        assert shown, f"{family.role}: none of {family.names}"


@pytest.mark.parametrize("preset", preset_names())
def test_every_spelling_of_a_preset_is_exposed_somewhere(preset: str) -> None:
    names = series_names(*(file for file in FILES if preset_of_file(file) == preset))
    for family in preset_families(preset):
        for name in family.names:
            assert series_of(family, name) <= names


@pytest.mark.parametrize("preset", preset_names())
def test_matched_labels_are_those_of_the_metric(preset: str) -> None:
    for family in preset_families(preset):
        known = {
            label
            for sample in samples(f"{preset}.txt")
            if sample.name in family.names
            for label in sample.labels
        }
        assert {label for label, _ in (*family.match, *family.unless)} <= known


@pytest.mark.parametrize("file", FILES)
def test_a_preset_reads_seconds_and_counts_out_of_what_its_server_exposes(file: str) -> None:
    assert values(read(file, families(file))) == pytest.approx(expected(file))


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_has_or_lacks_each_role_and_says_where_its_names_are_from(preset: str) -> None:
    found = load_preset(preset)
    assert found.server == preset
    assert set(found.metrics) | set(found.lacks) == set(ROLES)
    assert found.version
    assert found.signatures
    for metric in found.metrics.values():
        assert metric.type is metric.kind
        assert (metric.source or found.source).startswith("https://")
        assert (metric.version is None) == (metric.source is None)
    for text in found.lacks.values():
        assert "; it has " in text or "; they have " in text
        assert not text.endswith(".")


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_names_the_label_of_the_model_that_its_histograms_carry(preset: str) -> None:
    label = load_preset(preset).model_label
    for family in preset_families(preset):
        shown = [one for one in samples(f"{preset}.txt") if one.name == f"{family.names[0]}_count"]
        for sample in shown:
            assert label is None or label in sample.labels


def test_bounds_of_milliseconds_are_seconds() -> None:
    (histogram,) = read("triton.txt", preset_families("triton")).histograms.values()
    assert histogram.bounds == (0.1, 0.5, 2.0, 5.0, math.inf)


def test_the_twins_of_an_endpoint_picker_are_never_added_up() -> None:
    for preset in ("llm-d-router", "gateway-api-inference-extension"):
        (family,) = load_preset(preset).families(["requests"])
        assert values(read("llm-d-router.txt", [family])) == {"requests": 40}


def test_of_two_spellings_in_one_exposition_the_first_counts() -> None:
    both = Family("latency", FamilyKind.HISTOGRAM, ("vllm:e2e_request_latency_seconds",))
    more = Family("latency", FamilyKind.HISTOGRAM, (*both.names, "vllm:request_queue_time_seconds"))
    assert read("vllm.txt", [more]) == read("vllm.txt", [both])


def test_one_metric_can_be_a_histogram_and_counters_at_once() -> None:
    asked = load_preset("otel-genai").families(["latency", "requests", "errors"])
    sample = read("otel-genai.txt", asked)
    assert values(sample) == pytest.approx({"latency": LATENCY, "requests": 40, "errors": 2})
    assert {len(child.labels) for child in sample.histograms} == {6, 7}


def test_a_part_that_nothing_was_counted_in_is_not_there() -> None:
    family = Family(
        "errors", FamilyKind.COUNTER, ("dynamo_frontend_requests_total",), 1.0,
        (("error_type", ("not_found",)),),
    )  # fmt: skip
    assert read("dynamo.txt", [family]).counters == {}


def test_custom_metrics_are_read_like_those_of_a_preset() -> None:
    data = {
        "latency": {"names": ["ray_serve_http_request_latency_ms"], "unit": "ms"},
        "requests": {"names": ["ray_serve_http_request_latency_ms_count"], "unit": "requests"},
        "errors": {
            "names": ["ray_serve_http_request_latency_ms_count"],
            "unit": "requests",
            "match": {"status_code": ["500", "503"]},
        },
    }
    texts = {"server": "s", "version": "", "source": "", "model_label": None}
    custom = preset_of(validate(Preset, {**texts, "metrics": data}).metrics)
    sample = read("ray-serve-llm.txt", custom.families(data))
    assert values(sample) == pytest.approx({"latency": LATENCY, "requests": 40, "errors": 2})
