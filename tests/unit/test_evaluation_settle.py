"""The end of an experiment: what is waited for, and what the final report is made of."""

from dataclasses import replace

import pytest
from tests.unit.memory_source import END, START, MemorySource, plan, requests, sample, source_of

from sloscore.core.samples import Target
from sloscore.core.scoring import Status
from sloscore.errors import SourceError
from sloscore.evaluation.plan import Plan
from sloscore.evaluation.settle import FINAL_STATE, UNMATCHED_SECONDS, settle
from sloscore.experiments.model import OUTCOMES, new_experiment
from sloscore.settings import EvaluationSettings
from sloscore.sources.base import Snapshot
from sloscore.wire import Report


async def settled(
    source: MemorySource,
    plan: Plan,
    *,
    end: float | None = END,
    base_score: float | None = None,
) -> Report:
    running = new_experiment("one", "t", {}, plan.objective, "minimize", START, START)
    experiment = replace(running, end=end, base_score=base_score)
    often = EvaluationSettings(interval=0.001)
    return (await settle(source, plan, experiment, often, source.clock)).report


async def test_the_end_waits_for_the_closing_scrape_of_every_instance() -> None:
    first = [sample(995, 1), sample(1050, 5), sample(1061, 7)]
    second = [
        sample(time, number, instance="b") for time, number in ((994, 0), (1049, 2), (1069, 4))
    ]
    source = source_of(*first, *second)

    report = await settled(source, plan())

    assert requests(report) == 6 + 4
    assert report.window is not None
    assert (report.window.observed_end, report.window.unseen_tail) == (1069, 0)
    assert source.now == 1069


async def test_an_instance_that_is_found_gone_after_the_end_is_not_waited_for() -> None:
    source = source_of(sample(995, 1), sample(1050, 5), sample(1061, None))

    report = await settled(source, plan())

    assert requests(report) == 4
    assert report.window is not None
    assert report.window.unseen_tail == 10
    assert source.now == 1062


class LateSource(MemorySource):
    """Shows no scrape in the first seconds after it, as VictoriaMetrics does."""

    def _latest(self, key: str, at: float) -> Snapshot | SourceError:
        return super()._latest(key, min(at, self.now - self.lags["a"]))


async def test_a_baseline_that_was_not_shown_yet_is_read_again_for_a_short_window() -> None:
    scrapes = [sample(990, 1), sample(999.5, 5), sample(1004.5, 9)]
    source = LateSource({"one": scrapes}, lags={"a": 3.0}, now=START)

    report = await settled(source, plan(), end=1004)

    assert requests(report) == 4


class BareSource(MemorySource):
    """Shows that a server is up, and its series only once all was shown, as VictoriaMetrics does."""

    shows_all_at = END + 9

    async def samples(self, target: Target, after: float, until: float) -> Snapshot:
        found = await super().samples(target, after, until)
        is_late = self.now < self.shows_all_at
        return [replace(each, histograms={}) for each in found] if is_late else found


async def test_a_new_server_is_waited_for_that_is_up_and_shows_no_series_yet() -> None:
    born = [sample(time, n, born=1005) for time, n in ((1010, 1), (1050, 5), (1061, 7))]

    report = await settled(source := BareSource({"one": born}), plan())

    assert requests(report) == 7
    assert END + 9 <= source.now < END + 12


async def test_a_server_that_never_shows_a_series_is_waited_for_briefly() -> None:
    source = BareSource({"one": [sample(1010, 1), sample(1061, 7)]})
    source.shows_all_at = END + 600

    report = await settled(source, plan())

    assert report.status is Status.NO_DATA
    assert END + UNMATCHED_SECONDS <= source.now < END + UNMATCHED_SECONDS + 3


async def test_a_source_that_is_away_at_the_end_is_waited_for() -> None:
    source = source_of(sample(995, 1), sample(1050, 5), sample(1061, 7))
    source.back = END + 30

    report = await settled(source, plan())

    assert requests(report) == 6
    assert source.now >= END + 30


async def test_the_end_takes_the_base_score_of_the_tuner() -> None:
    source = source_of(sample(995, 1), sample(1061, 7))

    report = await settled(source, plan(), base_score=3.5)

    assert report.base_score == 3.5


async def test_a_load_that_ends_in_its_warm_up_has_no_data() -> None:
    source = source_of(sample(995, 1), sample(1061, 7))

    report = await settled(source, plan(warmup="60s"))

    assert (report.status, report.score) == (Status.NO_DATA, None)
    assert report.reason == "the load ended within its warm-up of 60 s"
    assert source.asked == []


SGLANG, VLLM = "sglang:e2e_request_latency_seconds", "vllm:e2e_request_latency_seconds"
UP = "up"


@pytest.mark.parametrize(
    ("exposed", "hint"),
    [
        ({VLLM, UP}, "It was read as sglang, but the selector's series look like vllm."),
        ({SGLANG, UP}, None),
        ({SGLANG, VLLM}, None),
        ({UP}, None),
        (set(), None),
    ],
)
async def test_a_preset_that_matches_nothing_is_told_which_one_the_series_look_like(
    exposed: set[str], hint: str | None
) -> None:
    source = source_of(sample(995, None), sample(1061, None))
    source.exposed = frozenset(f"{name}_bucket" if ":" in name else name for name in exposed)

    report = await settled(source, plan(server="sglang"))

    assert report.status == Status.NO_DATA
    assert report.reason is not None
    assert report.reason.endswith(hint) if hint else "look like" not in report.reason
    assert source.asked.count("names") == 1


async def test_a_server_that_was_read_is_asked_for_no_names() -> None:
    source = source_of(sample(995, 1), sample(1061, 1))
    source.exposed = frozenset({f"{SGLANG}_bucket"})

    report = await settled(source, plan())

    assert (report.status, requests(report)) == (Status.NO_DATA, 0)
    assert "names" not in source.asked


async def test_an_experiment_that_runs_cannot_be_settled() -> None:
    with pytest.raises(ValueError, match="experiment one has not ended"):
        await settled(source_of(), plan(), end=None)


def test_every_outcome_of_a_report_is_a_state() -> None:
    assert set(FINAL_STATE) == set(Status) - {Status.RUNNING}
    assert set(FINAL_STATE.values()) == OUTCOMES
