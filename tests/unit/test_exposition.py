"""What is read of a server's page, and which pages are refused."""

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics

from sloscore.core.samples import Family, FamilyKind, InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.sources.exposition import names_on, read_page

NOW = 1700000000.25
INSTANCE = ("", "10.0.0.5:8000")
TEXT, OPEN_METRICS = "text/plain", "application/openmetrics-text"
# Some exporters turn the colon into an underscore for OpenMetrics.
TTFT = Family("ttft", FamilyKind.HISTOGRAM, ("lab:ttft_ms", "lab_ttft_ms"), scale=0.001)
TOKENS = Family("tokens", FamilyKind.COUNTER, ("lab:tokens_total", "lab_tokens_total"))
BARE = Family("bare", FamilyKind.COUNTER, ("lab:bare",))
PAGE = """\
# HELP lab:ttft_ms Time to first token.
# TYPE lab:ttft_ms histogram
lab:ttft_ms_bucket{model="m",le="500"} 2
lab:ttft_ms_bucket{model="m",le="1000.0"} 3
lab:ttft_ms_bucket{model="m",le="+Inf"} 4
lab:ttft_ms_sum{model="m"} 5000
lab:ttft_ms_count{model="m"} 4
# TYPE lab:tokens_total counter
lab:tokens_total{model="m"} 70
# TYPE lab:bare counter
lab:bare 7.5
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.6e+09
"""


def read(text: str, content_type: str = TEXT, **selector: str) -> InstanceSample:
    labels = tuple(sorted(selector.items()))
    target = Target("t", labels, (TTFT, TOKENS, BARE), url="http://10.0.0.5:8000/metrics")
    return read_page(text, content_type, target, INSTANCE, NOW)


def problem(text: str, content_type: str = TEXT, **selector: str) -> str:
    with pytest.raises(SourceError) as raised:
        read(text, content_type, **selector)
    assert raised.value.kind == "decode"
    return str(raised.value)


def by_role(sample: InstanceSample) -> dict[str, float]:
    """The requests of each role's histograms, and the total of its counters."""
    found: dict[str, float] = {}
    for child, histogram in sample.histograms.items():
        found[child.role] = found.get(child.role, 0.0) + histogram.count
    for child, value in sample.counters.items():
        found[child.role] = found.get(child.role, 0.0) + value
    return found


def test_a_page_is_a_sample_of_the_time_at_which_it_was_asked_for() -> None:
    sample = read(PAGE)

    ((child, histogram),) = sample.histograms.items()
    assert (child.role, child.labels) == ("ttft", (("model", "m"),))
    assert histogram.bounds == (0.5, 1.0, math.inf)
    assert (histogram.cumulative, histogram.sum) == ((2, 3, 4), 5.0)
    assert by_role(sample) == {"ttft": 4, "tokens": 70, "bare": 7.5}
    assert (sample.instance, sample.time, sample.up) == (INSTANCE, NOW, True)
    assert sample.process_start == 1.6e9


@pytest.mark.parametrize("end", ["\r\n", "  \n", "\n\n"])
def test_other_ends_of_line_are_read_as_well(end: str) -> None:
    assert read(PAGE.replace("\n", end)) == read(PAGE)


def test_a_server_without_requests_yet_has_a_sample_without_series() -> None:
    for page in ("", "# TYPE other gauge\nother 1\n", "process_start_time_seconds 5\n"):
        sample = read(page)
        assert (sample.up, sample.histograms, sample.counters) == (True, {}, {})


REFUSED: dict[str, tuple[str, str]] = {
    "a page of HTML": ("<!DOCTYPE html>\n<title>lab:ttft_ms 1</title>\n", "no metrics exposition"),
    "JSON": ('{"lab:tokens_total": 70}', "no metrics exposition"),
    "prose": ("Not here, try /metrics instead\n", "no metrics exposition"),
    "a value that is no number": (PAGE.replace(" 70", " many"), "no metrics exposition"),
    "labels that do not end": (PAGE.replace('"m"} 70', '"m" 70'), "no metrics exposition"),
    "a line that is cut off": (PAGE.replace('"m"} 70', '"m"}'), "no metrics exposition"),
    "a histogram without its count": (
        PAGE.replace("lab:ttft_ms_count", "other"), "its _count is missing",
    ),
    "a histogram that is torn": (PAGE.replace('_count{model="m"} 4', '_count{model="m"} 5'), "torn"),
    "a histogram that falls": (
        PAGE.replace('le="500"} 2', 'le="500"} 3.5'), "a bucket holds less than one below it",
    ),
    "a histogram without +Inf": (PAGE.replace('le="+Inf"', 'le="2000"'), "no +Inf bucket"),
    "a bound that is no number": (PAGE.replace('le="500"', 'le="half"'), "'half', which is not"),
    "a count that is not finite": (PAGE.replace(" 70", " NaN"), "is nan"),
}  # fmt: skip


@pytest.mark.parametrize(("page", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_read_is_refused(page: str, words: str) -> None:
    told = problem(page)

    assert words in told
    assert "10.0.0.5:8000" in told


def test_what_is_wrong_with_other_families_does_not_matter() -> None:
    assert read(PAGE + "other{ 1\nother two\n") == read(PAGE)


@given(st.text() | st.text(st.sampled_from('lab:tf_msbucket{}=",\\ #+Inf01.\n')).map(PAGE.__add__))
def test_any_text_is_a_sample_or_refused(text: str) -> None:
    for content_type in (TEXT, OPEN_METRICS):
        with contextlib.suppress(SourceError):
            read(text, content_type)


def registry_of(requests: Mapping[str, int]) -> CollectorRegistry:
    """So many requests of each model, with an exemplar each."""
    registry = CollectorRegistry()
    ttft = Histogram("lab:ttft_ms", "-", ["model"], buckets=[500, 1000], registry=registry)
    tokens = Counter("lab:tokens", "-", ["model"], registry=registry)
    Gauge("process_start_time_seconds", "-", registry=registry).set(1.6e9)
    for model, number in requests.items():
        tokens.labels(model).inc(number * 10)
        for _ in range(number):
            ttft.labels(model).observe(700, {"trace": f'{number}"}} 1 # {{'})
    return registry


Render = Callable[[CollectorRegistry], bytes]
FORMS: dict[str, tuple[Render, str]] = {
    "plain text": (generate_latest, TEXT),
    "OpenMetrics": (generate_open_metrics, OPEN_METRICS),
}
forms = pytest.mark.parametrize(("render", "content_type"), FORMS.values(), ids=FORMS.keys())
label_values = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ['"', "\\", "\\n", "a\nb", "a\rb", "a\u2028b", "}", ' # {a="b"} 1', "=", ",", "\x85", 'x"} 1']
)


@forms
@given(requests=st.dictionaries(label_values, st.integers(1, 3), min_size=1, max_size=4))
def test_every_label_value_comes_back_with_its_own_counts(
    render: Render, content_type: str, requests: dict[str, int]
) -> None:
    sample = read(render(registry_of(requests)).decode(), content_type)

    models = {child.labels: histogram.count for child, histogram in sample.histograms.items()}
    tokens = {child.labels: value for child, value in sample.counters.items()}
    assert models == {(("model", model),): number for model, number in requests.items()}
    assert tokens == {(("model", model),): 10 * number for model, number in requests.items()}
    assert sample.process_start == 1.6e9


@forms
def test_a_selector_takes_the_series_that_carry_its_labels(
    render: Render, content_type: str
) -> None:
    page = render(registry_of({"a": 1, "b": 2})).decode()

    assert by_role(read(page, content_type)) == {"ttft": 3, "tokens": 30}
    for added in ({}, {"instance": "elsewhere:1", "job": "serving"}):
        assert by_role(read(page, content_type, model="b", **added)) == {"ttft": 2, "tokens": 20}
    assert by_role(read(page, content_type, model="c")) == {}
    assert read(page, content_type, model="c").process_start == 1.6e9


def test_openmetrics_without_its_end_is_cut_off() -> None:
    render, content_type = FORMS["OpenMetrics"]
    page = render(registry_of({"a": 1})).decode()

    assert "# EOF" in problem(page.removesuffix("# EOF\n"), content_type)


TIMES: dict[str, tuple[str, str, float]] = {
    "milliseconds in plain text": (PAGE.replace(" 70", " 70 1600000000123"), TEXT, 1600000000.123),
    "seconds in OpenMetrics": (
        PAGE.replace(" 70", " 70 1600000000.123") + "# EOF\n", OPEN_METRICS, 1600000000.123,
    ),
    "the oldest of several": (
        PAGE.replace(" 70", " 70 1600000003000").replace(" 7.5", " 7.5 1600000001000"),
        TEXT, 1600000001.0,
    ),
    "none of other families": (PAGE + "other 1 1600000000123\n", TEXT, NOW),
}  # fmt: skip


@pytest.mark.parametrize(("page", "content_type", "time"), TIMES.values(), ids=TIMES.keys())
def test_a_sample_is_as_old_as_its_series_say(page: str, content_type: str, time: float) -> None:
    assert read(page, content_type).time == time


def collected(*servers: tuple[str, str]) -> str:
    """A page that shows 1, 2, ... tokens of servers by job and instance, and when they began."""
    return "".join(
        f'lab:tokens_total{{job="{job}",instance="{instance}"}} {number}\n'
        f'process_start_time_seconds{{job="{job}",instance="{instance}"}} {number}00\n'
        for number, (job, instance) in enumerate(servers, start=1)
    )


class Choice(NamedTuple):
    servers: list[tuple[str, str]]
    selector: dict[str, str]
    tokens: float
    start: float | None


CHOICES = {
    "the only one, whatever the selector calls it": Choice(
        [("j", "a:1")], {"instance": "10.0.0.5:8000"}, 1, 100
    ),
    "the one of this instance": Choice([("j", "a:1"), ("j", "b:1")], {"instance": "b:1"}, 2, 200),
    "the one of this job": Choice([("j", "a:1"), ("k", "a:1")], {"job": "k"}, 2, 200),
    "the one of both": Choice(
        [("j", "a:1"), ("k", "a:1"), ("k", "b:1")], {"job": "k", "instance": "a:1"}, 2, 200
    ),
}


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES.keys())
def test_of_a_page_of_several_instances_one_is_read(choice: Choice) -> None:
    page = "process_start_time_seconds 5\n" + collected(*choice.servers)

    sample = read(page, **choice.selector)

    assert (list(sample.counters.values()), sample.process_start) == ([choice.tokens], choice.start)


@pytest.mark.parametrize("selector", [{}, {"job": "j"}])
def test_several_instances_of_which_none_is_chosen_are_never_added_up(
    selector: dict[str, str],
) -> None:
    page = collected(("j", "a:1"), ("j", "b:1"))

    assert "name one by the selector's instance and job" in problem(page, **selector)


def test_an_instance_that_its_page_does_not_show_has_no_series() -> None:
    sample = read(collected(("j", "a:1"), ("j", "b:1")), instance="c:1")

    assert (by_role(sample), sample.process_start) == ({}, None)


def test_names_are_those_of_all_series() -> None:
    assert names_on(PAGE + 'other{a="x\\nlab:no 1"} 1\n#lab:no 1\n lab:no 1\n') == {
        "lab:ttft_ms_bucket",
        "lab:ttft_ms_sum",
        "lab:ttft_ms_count",
        "lab:tokens_total",
        "lab:bare",
        "process_start_time_seconds",
        "other",
    }
