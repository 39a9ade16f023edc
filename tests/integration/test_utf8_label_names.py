"""Label names of any text, as Prometheus 3 has them: a query asks for exactly that name and value."""

import json
import time
import urllib.request
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from tests.integration.pages import PageServer, page_of

from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.errors import SourceError
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.sources.prometheus import PrometheusSource

pytestmark = pytest.mark.prometheus

UTF_8 = "text/plain; version=1.0.0; escaping=allow-utf-8; charset=utf-8"
TOKENS = Family("tokens", FamilyKind.COUNTER, ("lab_tokens_total",))
# Each is what another one would also match, were its name or value taken for something else.
SERIES = dict(
    enumerate(
        [
            ("my.label", "x"),
            ("my.label", "y"),
            ("my_label", "x"),
            ("myxlabel", "x"),
            ("my.label", ".*"),
            ("my.label", 'x"} or lab_tokens_total{my_label="x'),
            ('my.label"} or up{a', "x"),
            ("my label", "x"),
            ("my{label}", "x"),
            ("my,label", "x"),
            ("my\\label", "x"),
            ("my\nlabel", "x"),
            ("0", "x"),
            ("größe", "x"),
            ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
        ],
        start=1,
    )
)


def exposed(text: str) -> str:
    """A text in quotes, by the escapes of expositions."""
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'"{escaped}"'


async def everything(_: web.Request) -> web.StreamResponse:
    lines = [
        f"lab_tokens_total{{{exposed(name)}={exposed(value)}}} {number}\n"
        for number, (name, value) in SERIES.items()
    ]
    return page_of("# TYPE lab_tokens_total counter\n" + "".join(lines), UTF_8)


def version_of(prometheus: PrometheusProcess) -> int:
    with urllib.request.urlopen(f"{prometheus.url}/api/v1/status/buildinfo") as answer:
        return int(json.load(answer)["data"]["version"].partition(".")[0])


@pytest.fixture
async def source(prometheus: PrometheusProcess) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(PrometheusSettings(url=prometheus.url))
    yield source
    await source.close()


def target(*labels: tuple[str, str]) -> Target:
    return Target("t", tuple(sorted(labels)), (TOKENS,))


async def test_every_label_name_finds_exactly_its_own_series(
    prometheus: PrometheusProcess, source: PrometheusSource
) -> None:
    if version_of(prometheus) < 3:
        pytest.skip("Prometheus 2 knows no such names: SLOSCORE_PROMETHEUS=/path/to/prometheus-3")
    async with PageServer(everything) as page:
        began = time.time()
        prometheus.add_targets("utf8", [page.address])
        await prometheus.wait_for_scrape(page.address, began)

        for number, pair in SERIES.items():
            found = (await source.snapshot([target(pair)], time.time()))["t"]
            assert not isinstance(found, SourceError), (pair, found)
            assert [list(sample.counters.values()) for sample in found] == [[number]], pair
            now = time.time()
            raw = await source.samples(target(pair), now - 60, now)
            assert {value for one in raw for value in one.counters.values()} == {number}, pair
        both = (await source.snapshot([target(SERIES[1], SERIES[3])], time.time()))["t"]
        assert both == []
        prometheus.remove_targets([page.address])


async def test_prometheus_2_refuses_such_a_name_and_the_source_says_so(
    prometheus: PrometheusProcess, source: PrometheusSource
) -> None:
    if version_of(prometheus) >= 3:
        pytest.skip("Prometheus 3 knows such names")

    found = (await source.snapshot([target(("my.label", "x"))], time.time()))["t"]

    assert isinstance(found, SourceError)
    assert found.kind == "bad_data"
    assert "parse error" in str(found)
    assert "my.label" in str(found)
