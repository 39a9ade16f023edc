"""Pages to which something happened: what is read of them is right or refused, and passes nothing."""

import math

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.expositions import FILES, PLACE, preset_of_file
from tests.mutations import mutated, shortened

from sloscore.core.samples import InstanceSample, Target
from sloscore.core.scoring import Status
from sloscore.errors import SourceError
from sloscore.evaluation.plan import plan_target
from sloscore.evaluation.report import report_window
from sloscore.experiments.window import WindowAccumulator
from sloscore.sources.exposition import read_page
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import load_preset

INSTANCE = ("", "10.0.0.5:8000")
TEXT, OPEN_METRICS = "text/plain", "application/openmetrics-text"
START, END, NOW = 1.8e9, 1.8e9 + 60, 1.8e9 + 61
PAGES = {file: (PLACE / file).read_text(encoding="utf-8") for file in FILES}
VLLM = PAGES["vllm.txt"]
IDLE = "".join(f"{line}\n" for line in VLLM.split("\n") if line.startswith("process_start_time"))
# The latencies of the page are some seconds: no request is within the limit.
PLAN = plan_target(
    TaskSpec.model_validate(
        {
            "task_name": "t",
            "server": "vllm",
            "slo": {"latency": {"p50": {"threshold": 0.01, "hard_fail": True}}},
        }
    ),
    "http://10.0.0.5:8000/metrics",
    None,
)


def families_target(file: str) -> Target:
    preset = load_preset(preset_of_file(file))
    return Target("t", (), preset.families(preset.metrics), url="http://10.0.0.5:8000/metrics")


def check_page(text: str, kind: str, file: str) -> None:
    """Fail where a page is neither refused nor read soundly."""
    refused = None
    try:
        sample = read_page(text, kind, families_target(file), INSTANCE, NOW)
    except SourceError as error:
        refused = error
    if refused is None:
        assert is_sound(sample)
    else:
        assert refused.kind == "decode"
        assert INSTANCE[1] in str(refused)


def is_sound(sample: InstanceSample) -> bool:
    """Whether every histogram only rises to its count, and every counter is a number."""
    return all(
        list(h.cumulative) == sorted(h.cumulative) and math.isfinite(h.count)
        for h in sample.histograms.values()
    ) and all(map(math.isfinite, sample.counters.values()))


@examples(max_examples=300)
@given(data=st.data(), file=st.sampled_from(FILES), kind=st.sampled_from([TEXT, OPEN_METRICS]))
def test_a_page_that_was_changed_is_read_soundly_or_refused(
    data: st.DataObject, file: str, kind: str
) -> None:
    text = data.draw(mutated(PAGES[file]))
    check_page(text, kind, file)


def read(text: str, time: float) -> InstanceSample:
    return read_page(text, TEXT, PLAN.target, INSTANCE, time)


def verdict(last: str) -> Status:
    """The status of a window that begins with an idle server and ends with this page of it."""
    window = WindowAccumulator(START, END)
    window.feed([read(IDLE, START - 1)])
    try:
        window.feed([read(last, END)])
    except SourceError:
        window.feed([InstanceSample(INSTANCE, END, up=None, process_start=None)])
    return report_window(PLAN, window.counts(), (START, END), now=NOW).status


def test_the_page_itself_fails_the_limit() -> None:
    assert verdict(VLLM) is Status.FAILED


@examples(max_examples=300)
@given(text=shortened(VLLM))
def test_a_page_that_lost_lines_never_passes_what_it_fails(text: str) -> None:
    assert verdict(text) is not Status.SUCCESS


@pytest.mark.parametrize("cut", range(0, len(VLLM), 97))
def test_a_page_that_is_cut_off_never_passes_what_it_fails(cut: int) -> None:
    assert verdict(VLLM[:cut]) is not Status.SUCCESS


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", [TEXT, OPEN_METRICS])
@pytest.mark.parametrize(
    "line",
    [
        'vllm:generation_tokens_total{a="' + "\\" * 500_000,
        'vllm:generation_tokens_total{a="' + '\\"' * 250_000 + '"} 1',
        "vllm:generation_tokens_total{" + 'a="x",' * 80_000 + "} 1",
        "vllm:generation_tokens_total{" + "{" * 500_000,
        "vllm:generation_tokens_total " + "1" * 500_000,
        "vllm:generation_tokens_total" + " " * 500_000 + "1",
        'vllm:generation_tokens_total{a="x"} 1 # {' + '"' * 499_999,
        "vllm:generation_tokens_total{" + "".join(f'a{n}="x",' for n in range(50_000)) + "} 1",
        "# HELP " + "\\" * 500_000,
    ],
    ids=range(9),
)
def test_a_line_of_half_a_megabyte_is_read_in_bounded_time(line: str, kind: str) -> None:
    check_page(f"{line}\n# EOF\n", kind, "vllm.txt")
