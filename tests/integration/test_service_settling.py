"""How long an ended experiment waits for its closing scrape, on a clock of the test's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from tests.integration.service import task_of

from sloscore.core.histogram import Histogram
from sloscore.core.samples import Child, InstanceSample, Target
from sloscore.errors import SourceError
from sloscore.evaluation.plan import plan_registration
from sloscore.evaluation.settle import UNMATCHED_SECONDS, settle
from sloscore.experiments.model import Experiment, State, new_experiment
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import Snapshot
from sloscore.wire import Registration, Report

START, END = 1000.0, 1010.0
INTERVAL = 2.0
VLLM_LATENCY = "vllm:e2e_request_latency_seconds_bucket"
CHILD = Child("latency", (("model_name", "m"),))


@dataclass
class Source:
    """Scrapes at the ``times``, one request each; it fails from ``gone`` until ``back``.

    A scrape at ``exposed_from`` shows the names that are ``exposed``.
    Each query takes a tenth of a second of its clock.
    """

    times: Sequence[float]
    gone: float = 0.0
    back: float = 0.0
    now: float = END
    exposed: Sequence[str] = ()
    exposed_from: float = END

    def clock(self) -> float:
        return self.now

    async def snapshot(
        self, targets: Sequence[Target], at: float
    ) -> Mapping[str, Snapshot | SourceError]:
        return {target.key: self._between(at - 2 * INTERVAL, at)[-1:] for target in targets}

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:  # noqa: ARG002  there is one
        self.now += 0.1
        if self.gone <= self.now < self.back:
            raise SourceError("the source is away", kind="unreachable")
        return self._between(after, until)

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        del target
        self.now += 0.1
        return frozenset(self.exposed if at - seconds < self.exposed_from <= at else ())

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def _between(self, after: float, until: float) -> list[InstanceSample]:
        return [self._sample(time) for time in self.times if after < time <= until]

    def _sample(self, time: float) -> InstanceSample:
        count = time - START + 1
        histogram = Histogram((float("inf"),), (count,), count)
        return InstanceSample(("job", "x"), time, up=True, histograms={CHILD: histogram})


async def settled(source: Source, server: str | None = "vllm", **settings: float) -> Report:
    task = task_of(slo={"latency": {"p50": {"threshold": 1.0}}}, selector={"instance": "x"})
    task["server"] = server
    registration = Registration.model_validate({"id": "one", "task": task})
    plan = plan_registration(registration)
    running = new_experiment("one", "chat", {}, plan.objective, "minimize", START, START)
    values = {name: getattr(running, name) for name in Experiment.__slots__}
    ended = Experiment(**{**values, "state": State.SETTLING, "end": END})
    given = EvaluationSettings.model_validate({"interval": 0.001, **settings})
    return (await settle(source, plan, ended, given, source.clock)).report


def scrapes(last: float) -> list[float]:
    return [START + INTERVAL * n for n in range(int((last - START) / INTERVAL) + 1)]


async def test_the_scrape_after_the_end_closes_the_window_at_once() -> None:
    source = Source([*scrapes(1008.0), 1010.5])
    report = await settled(source)
    assert report.window is not None
    assert (report.window.observed_end, report.window.unseen_tail) == (1010.5, 0)
    assert source.now < 1011.0


async def test_a_server_that_is_gone_is_waited_for_no_longer_than_two_intervals_and_a_bit() -> None:
    source = Source(scrapes(1008.0))
    report = await settled(source)
    assert report.window is not None
    assert (report.window.observed_end, report.window.unseen_tail) == (1008.0, 2.0)
    assert source.now == pytest.approx(END + 2 * INTERVAL + 5.0, abs=0.2)


@pytest.mark.parametrize("server", ["vllm", None])
@pytest.mark.parametrize(
    ("given", "waited"),
    [({"interval": 0.001}, UNMATCHED_SECONDS), ({"interval": 5.0}, UNMATCHED_SECONDS + 10.0),
     ({"closing_wait": 3.0}, 3.0)],
)  # fmt: skip
async def test_a_selector_that_matches_nothing_is_waited_for_no_longer_than_a_slow_first_scrape(
    monkeypatch: pytest.MonkeyPatch, server: str | None, given: Mapping[str, float], waited: float
) -> None:
    # The clock of the source is the one that counts.
    monkeypatch.setattr("sloscore.evaluation.settle._POLL_SECONDS", 0.001)
    source = Source([])
    report = await settled(source, server, **given)
    assert report.status == "NO_DATA"
    assert source.now == pytest.approx(END + waited, abs=0.4)


@pytest.mark.parametrize("server", ["vllm", None])
async def test_a_server_whose_first_scrape_comes_after_the_end_is_found(server: str | None) -> None:
    source = Source([END + 14.5], exposed=[VLLM_LATENCY], exposed_from=END + 14.5)
    report = await settled(source, server)
    assert report.window is not None
    assert (report.window.instances, report.window.observed_end) == (1, END + 14.5)


async def test_a_server_that_exposes_what_no_preset_fits_is_waited_for_as_long_as_settings_say() -> (
    None
):
    source = Source([], exposed=["up"], exposed_from=END - 1)
    report = await settled(source, None, closing_wait=30.0)
    assert report.reason is not None
    assert "no preset fits the metrics that are exposed (up)" in report.reason
    assert source.now == pytest.approx(END + 30.0, abs=0.4)


async def test_an_outage_after_the_end_does_not_use_up_the_wait_for_the_closing_scrape() -> None:
    # Away for longer than two intervals and a bit, then back three seconds before it scrapes.
    source = Source([*scrapes(1008.0), 1053.0], gone=1010.0, back=1050.0)
    report = await settled(source)
    assert report.window is not None
    assert (report.window.observed_end, report.window.unseen_tail) == (1053.0, 0)


async def test_an_outage_that_outlasts_its_wait_ends_without_data() -> None:
    source = Source(scrapes(1008.0), gone=1010.0, back=5000.0)
    report = await settled(source, source_wait=60.0)
    assert (report.status, report.score) == ("NO_DATA", None)
    assert report.reason == "the metric source failed: the source is away"
    assert source.now == pytest.approx(END + 60.0, abs=0.2)
