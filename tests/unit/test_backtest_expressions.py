"""The PromQL of an SLI, which a plot holds beside exact counts."""

import pytest

from sloscore.analysis.expressions import expression
from sloscore.core.objective import Signal
from sloscore.core.samples import Family, FamilyKind, Target
from sloscore.core.sli import Sli

P90 = Sli("latency_p90", Signal.LATENCY, "p90")
MEAN = Sli("tpot", Signal.TPOT, "mean")
RATE = Sli("throughput", Signal.THROUGHPUT, "rate")
HISTOGRAM, COUNTER = FamilyKind.HISTOGRAM, FamilyKind.COUNTER
SELECTOR = (("instance", 'a"b'), ("job", "x"))


@pytest.mark.parametrize(
    ("sli", "family", "expected"),
    [
        (
            P90,
            Family("latency", HISTOGRAM, ("v:e2e_seconds",)),
            'histogram_quantile(0.9, sum by (le) (rate({__name__="v:e2e_seconds_bucket",instance="a\\"b",job="x"}[300000ms]))) or histogram_quantile(0.9, sum(rate({__name__="v:e2e_seconds",instance="a\\"b",job="x"}[300000ms])))',
        ),
        (
            P90,
            Family("latency", HISTOGRAM, ("v:e2e", "v_e2e"), scale=0.001),
            '0.001 * (histogram_quantile(0.9, sum by (le) (rate({__name__=~"v:e2e_bucket|v_e2e_bucket",instance="a\\"b",job="x"}[300000ms]))) or histogram_quantile(0.9, sum(rate({__name__=~"v:e2e|v_e2e",instance="a\\"b",job="x"}[300000ms]))))',
        ),
        (
            MEAN,
            Family("tpot", HISTOGRAM, ("t",), match=(("code", ("200", "")),)),
            'sum(rate({__name__="t_sum",instance="a\\"b",job="x",code=~"200|"}[300000ms])) / sum(rate({__name__="t_count",instance="a\\"b",job="x",code=~"200|"}[300000ms]))',
        ),
        (
            RATE,
            Family("tokens_out", COUNTER, ("t_total",), unless=(("kind", ("a.b",)),)),
            'sum(rate({__name__="t_total",instance="a\\"b",job="x",kind!~"a\\\\.b"}[300000ms]))',
        ),
        (RATE, Family("latency", HISTOGRAM, ("v",)), None),
    ],
)
def test_an_sli_is_asked_of_prometheus_by_its_statistic(
    sli: Sli, family: Family, expected: str | None
) -> None:
    assert expression(sli, Target("t", SELECTOR, (family,)), 300.0) == expected


@pytest.mark.parametrize(("seconds", "range_"), [(0.0004, "1ms"), (2.5, "2500ms")])
def test_a_range_is_written_to_the_millisecond(seconds: float, range_: str) -> None:
    target = Target("t", (), (Family("tokens_out", COUNTER, ("t_total",)),))
    assert expression(RATE, target, seconds) == f'sum(rate({{__name__="t_total"}}[{range_}]))'


def test_rates_of_several_counters_add_up_and_are_shared_out_over_gpus() -> None:
    families = (
        Family("latency", HISTOGRAM, ("l",)),
        Family("tokens_in", COUNTER, ("i_total",)),
        Family("tokens_out", COUNTER, ("o_total",)),
    )
    target = Target("t", (), families)
    asked = {
        signal: expression(Sli.of_window(signal), target, 1.0, gpus=4)
        for signal in (Signal.TOTAL_THROUGHPUT_PER_GPU, Signal.REQUEST_THROUGHPUT)
    }
    prompts, answers, requests = (
        f'sum(rate({{__name__="{name}"}}[1000ms]))' for name in ("i_total", "o_total", "l_count")
    )
    assert asked == {
        Signal.TOTAL_THROUGHPUT_PER_GPU: f"({prompts} + {answers}) / 4",
        Signal.REQUEST_THROUGHPUT: requests,
    }
    alone = Target("t", (), families[2:])
    assert expression(Sli.of_window(Signal.TOTAL_THROUGHPUT), alone, 1.0) is None
    assert expression(Sli.of_window(Signal.REQUEST_THROUGHPUT), alone, 1.0) is None
