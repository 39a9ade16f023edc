"""Windows that are shorter than the scrape interval of Prometheus."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.pages import Engine, PageServer
from tests.integration.service import Json, serving, settings, task_of, unix

from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus

INTERVAL = 4.0
ADVICE = "A window between two scrapes needs a target"


@pytest.fixture
async def engine() -> Engine:
    return Engine()


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[PageServer]:
    async with PageServer(engine.answer) as server:
        yield server


@pytest.fixture
def slow(
    prometheus_binary: Path, tmp_path: Path, server: PageServer
) -> Iterator[PrometheusProcess]:
    """A Prometheus that scrapes the server now and then."""
    process = PrometheusProcess(prometheus_binary, tmp_path / "prometheus", INTERVAL)
    process.set_targets({"seldom": [server.address]})
    with process:
        yield process


def on(server: PageServer, **more: Json) -> Json:
    return {"task": task_of(), "selector": {"instance": server.address}, **more}


async def test_a_window_between_two_scrapes_is_never_a_pass(
    tmp_path: Path, engine: Engine, server: PageServer, slow: PrometheusProcess
) -> None:
    impatient = settings(tmp_path, slow.url, evaluation={"closing_wait": "500ms"})
    (tmp_path / "patient").mkdir()
    patient = settings(tmp_path / "patient", slow.url, evaluation={"closing_wait": "60s"})
    async with serving(impatient) as api, serving(patient) as waiting:
        engine.finish(0.25, times=10)
        await server.asked_again()
        await slow.wait_for_scrape(server.address, engine.shown[-1].at - INTERVAL / 2)
        baseline = engine.shown[-1]
        target = on(server, target=server.url, scrape_interval="1h")
        await api.register("asked", **on(server))
        await api.register("scraped", **target)
        await api.register("unknown", task_of(), selector={"instance": "127.0.0.1:1"})
        await waiting.register("asked", **on(server))
        engine.finish(0.75, times=30)
        for name in ("asked", "scraped", "unknown"):
            await api.finish(name)
        await waiting.finish("asked")
        unseen, scraped, unknown = [await api.final(n) for n in ("asked", "scraped", "unknown")]
        closed = await waiting.final("asked")

    # Prometheus saw nothing of it, and a target makes up for that.
    assert (unseen["status"], unseen["score"], unseen["base_score"]) == ("NO_DATA", None, None)
    assert "no scrape showed the server after the window's start" in unseen["reason"]
    assert ADVICE in unseen["reason"]
    assert (scraped["status"], scraped["window"]["requests"]) == ("SUCCESS", 30)
    assert (unknown["status"], ADVICE in unknown["reason"]) == ("NO_DATA", True)
    # Whoever waits gets the window widened to the scrapes around it.
    window = closed["window"]
    assert (closed["status"], window["requests"]) == ("SUCCESS", 30)
    assert unix(window["observed_start"]) == pytest.approx(baseline.at, abs=0.1)
    assert unix(window["observed_end"]) - unix(window["observed_start"]) == pytest.approx(
        INTERVAL, abs=0.1
    )
