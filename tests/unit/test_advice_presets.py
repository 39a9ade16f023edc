"""What presets say of the buckets of their servers, against an exposition of each."""

import math
from typing import Any

import pytest
from tests.expositions import samples

from sloscore.core.samples import FamilyKind
from sloscore.errors import SpecError
from sloscore.spec.loader import validate
from sloscore.spec.metric import Metric
from sloscore.spec.preset import BucketOption, load_preset, preset_names


def exposed(file: str, name: str) -> tuple[float, ...]:
    bounds = {float(one.labels["le"]) for one in samples(file) if one.name == f"{name}_bucket"}
    return tuple(sorted(bounds - {math.inf}))


@pytest.mark.parametrize("name", preset_names())
def test_stock_bounds_of_a_preset_are_those_that_its_server_exposes(name: str) -> None:
    histograms = {
        str(role): metric
        for role, metric in load_preset(name).metrics.items()
        if metric.kind is FamilyKind.HISTOGRAM
    }
    shown = {role: exposed(f"{name}.txt", one.names[0]) for role, one in histograms.items()}
    assert {role: metric.buckets for role, metric in histograms.items()} == shown
    assert all(shown.values())


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_has_an_option_for_buckets_or_says_what_can_be_done(name: str) -> None:
    preset = load_preset(name)
    assert (preset.bucket_option is None) != (preset.bucket_help is None)
    assert not (preset.bucket_help or "").endswith(".")


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_metrics_that_share_an_option_share_their_bounds(name: str) -> None:
    preset = load_preset(name)
    assert preset.bucket_option is not None
    for roles in preset.bucket_option.families.values():
        assert len({preset.metrics[role].buckets for role in roles}) == 1
    covered = {role for roles in preset.bucket_option.families.values() for role in roles}
    assert covered >= {"latency", "ttft", "tpot"}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"unit": "s", "buckets": [1, 1]}, "must ascend"),
        ({"unit": "s", "buckets": [2, 1]}, "must ascend"),
        ({"unit": "s", "buckets": [-1]}, "must be at least 0"),
        ({"unit": "s", "buckets": [math.inf]}, "must be a finite number"),
        ({"unit": "tokens", "buckets": [1]}, "buckets belong to a histogram, not to a counter"),
    ],
)
def test_bounds_that_no_histogram_can_have_are_refused(
    fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SpecError, match=problem):
        validate(Metric, {"names": ["a"], **fields})


@pytest.mark.parametrize(
    "fields", [{"style": "json"}, {"style": "list", "flag": "--buckets"}], ids=str
)
def test_one_flag_for_all_is_of_style_json_only(fields: dict[str, str]) -> None:
    with pytest.raises(SpecError, match="style json needs one"):
        validate(BucketOption, {"families": {"a": ["latency"]}, "note": "", **fields})
