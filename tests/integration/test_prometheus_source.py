"""The source against a real Prometheus that scrapes pages which the tests write."""

import itertools
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.integration.counted_pages import (
    NASTY,
    PAGES,
    Pages,
    counts,
    history,
    model,
    once,
    page,
    seen,
)

from sloscore.errors import SourceError
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus


@pytest.fixture(scope="module")
def url(prometheus: PrometheusProcess) -> Iterator[str]:
    """A Prometheus to which each page is a job."""
    pages = Pages()
    for job, addresses in pages.jobs.items():
        prometheus.add_targets(job, addresses)
    yield prometheus.url
    for addresses in pages.jobs.values():
        prometheus.remove_targets(addresses)
    pages.close()


@pytest.fixture
async def source(url: str) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(PrometheusSettings(url=url))
    yield source
    await source.close()


async def test_a_running_prometheus_passes_the_check(source: PrometheusSource) -> None:
    await once(source, page("fresh"), bool)

    await source.check()


@pytest.mark.parametrize("most", [200, 1])
async def test_every_label_value_finds_exactly_its_own_series(
    url: str, source: PrometheusSource, most: int
) -> None:
    await once(source, page("nasty"), lambda found: bool(found and found[0].histograms))
    absent = ["c", "a|", "|", "", "aa", "\\\\", ".", "double quotes", "\\n", "new\\nline"]
    targets = [model(value) for value in (*NASTY, *absent)]
    settings = PrometheusSettings(url=url, max_query_targets=most)
    chunked = PrometheusSource(settings)

    found = await chunked.snapshot(targets, time.time())

    await chunked.close()
    for number, value in enumerate(NASTY, start=1):
        if value in {"a", "b"}:
            continue  # other pages have these as well
        (sample,) = seen(found[value])
        assert counts(sample) == {value: number}
        assert list(sample.counters.values()) == [number]
        assert (sample.instance[0], sample.up) == ("nasty", True)
    assert all(all(not sample.histograms for sample in seen(found[value])) for value in absent)


@pytest.mark.parametrize("value", [v for v in NASTY if v not in {"a", "b"}])
async def test_raw_samples_of_every_label_value_are_exactly_its_own(
    source: PrometheusSource, value: str
) -> None:
    await once(source, model(value), bool)

    now = time.time()
    samples = await source.samples(model(value), now - 60, now)

    assert {(s.instance[0], *counts(s).items()) for s in samples} == {
        ("nasty", (value, NASTY.index(value) + 1))
    }
    assert {s.up for s in samples} == {True}


async def test_a_server_without_requests_yet_and_one_that_is_down_both_show(
    source: PrometheusSource,
) -> None:
    (fresh,) = await once(source, page("fresh"), bool)
    (down,) = await once(source, page("down"), bool)

    assert (fresh.up, fresh.process_start, fresh.histograms) == (True, 100.0, {})
    assert (down.up, down.process_start, down.histograms) == (False, None, {})


async def test_a_snapshot_carries_the_time_of_the_scrape_and_not_of_the_query(
    source: PrometheusSource,
) -> None:
    samples = await history(source, page("counting"), scrapes=4)
    third = samples[2]

    found = await source.snapshot([page("counting")], samples[3].time - 0.002)

    assert seen(found["counting"]) == [third]


async def test_a_snapshot_before_the_first_scrape_is_empty(source: PrometheusSource) -> None:
    samples = await history(source, page("counting"), scrapes=1)

    found = await source.snapshot([page("counting")], samples[0].time - 0.002)

    assert found["counting"] == []


async def test_raw_samples_hold_every_scrape_once_in_order(
    url: str, source: PrometheusSource
) -> None:
    samples = await history(source, page("counting"), scrapes=6)
    first, last = samples[0].time, samples[5].time

    pieces = PrometheusSource(PrometheusSettings(url=url, samples_span=0.5))
    inner = await pieces.samples(page("counting"), first, last)
    await pieces.close()

    assert [counts(s) for s in samples[:6]] == [{"m": n} for n in range(1, 7)]
    assert inner == samples[1:6]
    assert all(before.time < s.time for before, s in itertools.pairwise(samples))


async def test_adjacent_ranges_share_no_scrape_and_lose_none(source: PrometheusSource) -> None:
    samples = await history(source, page("counting"), scrapes=6)
    start, middle, end = (samples[n].time for n in (0, 3, 5))

    early = await source.samples(page("counting"), start, middle)
    late = await source.samples(page("counting"), middle, end)

    assert [*early, *late] == samples[1:6]


async def test_a_restart_shows_as_scrapes_that_failed_and_another_process_start(
    source: PrometheusSource,
) -> None:
    samples = await history(source, page("restarting"), scrapes=7)

    told = [(s.up, s.process_start, counts(s)) for s in samples[:7]]

    assert told == [
        (True, 100.0, {"m": 6}),
        (True, 100.0, {"m": 7}),
        (True, 100.0, {"m": 8}),
        (False, None, {}),
        (False, None, {}),
        (True, 200.0, {"m": 6}),
        (True, 200.0, {"m": 7}),
    ]


async def test_snapshots_follow_a_restart_as_the_raw_samples_do(source: PrometheusSource) -> None:
    samples = await history(source, page("restarting"), scrapes=7)

    for sample in samples[:7]:
        found = await source.snapshot([page("restarting")], sample.time + 0.001)
        assert seen(found["restarting"]) == [sample]


async def test_a_source_that_looks_often_sees_what_one_sees_that_looks_once(url: str) -> None:
    asked: list[str] = []
    often = PrometheusSource(PrometheusSettings(url=url), lambda kind, *_: asked.append(kind))
    # What cannot be read is asked for each time.
    targets = [page(name) for name in PAGES if name != "torn"]
    samples = await history(often, page("restarting"), 8)
    first, last = samples[0].time - 0.3, samples[-1].time
    looks = [first + step / 40 for step in range(int((last - first) * 40))]
    asked.clear()

    for at in looks:
        once_only = PrometheusSource(PrometheusSettings(url=url))
        found, expected = await often.snapshot(targets, at), await once_only.snapshot(targets, at)
        await once_only.close()
        assert {key: str(one) for key, one in found.items()} == {
            key: str(one) for key, one in expected.items()
        }

    await often.close()
    assert 0 < asked.count("snapshot") < len(looks)


async def test_between_two_scrapes_only_their_times_are_asked_for(url: str) -> None:
    asked: list[str] = []
    source = PrometheusSource(PrometheusSettings(url=url), lambda kind, *_: asked.append(kind))
    at = (await history(source, page("counting"), 3))[-1].time
    asked.clear()

    found = [await source.snapshot([page("counting")], at + n / 1000) for n in range(4)]

    await source.close()
    assert [seen(one["counting"]) for one in found] == 4 * [seen(found[0]["counting"])]
    assert asked == ["snapshot", "times", "snapshot", "times", "times"]


async def test_a_child_that_is_gone_from_the_page_is_gone_from_the_snapshot(
    source: PrometheusSource,
) -> None:
    samples = await history(source, page("vanishing"), scrapes=4)

    before = await source.snapshot([page("vanishing")], samples[1].time)
    after = await source.snapshot([page("vanishing")], samples[2].time)

    assert counts(seen(before["vanishing"])[0]) == {"a": 1, "b": 1}
    assert counts(seen(after["vanishing"])[0]) == {"b": 1}


@pytest.mark.parametrize("name", ["underscored", "both"])
async def test_a_family_counts_once_however_its_name_is_spelled(
    source: PrometheusSource, name: str
) -> None:
    (sample,) = await once(source, page(name), lambda found: bool(found and found[0].histograms))

    assert counts(sample) == {"m": 2}


async def test_a_torn_histogram_fails_its_own_target_only(source: PrometheusSource) -> None:
    await history(source, page("counting"), scrapes=3)

    found = await source.snapshot([page("torn"), page("counting")], time.time())

    error = found["torn"]
    assert isinstance(error, SourceError)
    assert error.kind == "decode"
    assert "torn" in str(error)
    assert len(seen(found["counting"])) == 1


async def test_a_chunk_that_fails_fails_only_its_own_targets(
    url: str, source: PrometheusSource
) -> None:
    await once(source, page("nasty"), lambda found: bool(found and found[0].histograms))
    small = PrometheusSource(
        PrometheusSettings(url=url, max_query_targets=1, max_answer_bytes=20_000)
    )

    found = await small.snapshot([page("nasty"), page("fresh")], time.time())

    await small.close()
    error = found["nasty"]
    assert isinstance(error, SourceError)
    assert error.kind == "too_large"
    assert len(seen(found["fresh"])) == 1


async def test_a_selector_of_labels_that_up_lacks_still_shows_up_and_process_start(
    url: str, source: PrometheusSource
) -> None:
    await history(source, page("counting"), scrapes=3)
    queries: list[str] = []
    by_model = PrometheusSource(
        PrometheusSettings(url=url), lambda kind, _seconds, _error: queries.append(kind)
    )

    first = await by_model.snapshot([model("m")], time.time())
    asked = len(queries)
    second = await by_model.snapshot([model("m")], time.time())

    await by_model.close()
    assert (asked, len(queries)) == (2, 3)
    for found in (first, second):
        told = {s.instance[0]: (s.up, s.process_start) for s in seen(found["m"])}
        assert told["counting"] == (True, 100.0)


async def test_a_query_that_prometheus_refuses_keeps_its_words(
    url: str, source: PrometheusSource
) -> None:
    await once(source, page("fresh"), bool)
    endless = PrometheusSource(PrometheusSettings(url=url, timeout=1e12))

    found = await endless.snapshot([page("fresh")], time.time())

    await endless.close()
    error = found["fresh"]
    assert isinstance(error, SourceError)
    assert error.kind == "bad_data"
    assert 'bad_data: invalid parameter "timeout"' in str(error)
