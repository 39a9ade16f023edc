"""A window next to its baseline's: what is compared, what cannot be, and why."""

import math
from typing import Any

import pytest

from sloscore.core.compare import Outcome
from sloscore.core.histogram import Histogram
from sloscore.evaluation.comparison import Baseline, NoBaseline, compare_window
from sloscore.evaluation.plan import Plan, plan_registration
from sloscore.evaluation.report import report_failure
from sloscore.experiments.counted import CountedWindow
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Change, Comparison, Registration, SliChange

START, END = 1000.0, 1060.0
BOUNDS = (0.5, 1.0, 2.0, math.inf)
SLOS: dict[str, Any] = {"latency": {"p50": {"threshold": 1.0}}}


def plan(
    objective: str = "minimize_latency", slo: dict[str, Any] | None = None, **more: object
) -> Plan:
    task = {
        "task_name": "chat",
        "server": "vllm",
        "baseline": "first",
        "slo": slo or SLOS,
        "optimization": {"objective": objective},
    }
    document = {"id": "new", "task": task, "selector": {"instance": "a:1"}, **more}
    return plan_registration(Registration.model_validate(document))


def latency(*cumulative: float, mean: float = 1.0) -> dict[str, Histogram]:
    return {"latency": Histogram(BOUNDS, cumulative, mean * cumulative[-1])}


def window(
    histograms: dict[str, Histogram], tokens: float | None = None, **more: object
) -> CountedWindow:
    given: dict[str, Any] = {
        "histograms": histograms,
        "counters": {} if tokens is None else {"tokens_out": tokens},
        "observed_start": START,
        "observed_end": END,
        "unseen_head": 0.0,
        "unseen_tail": 0.0,
        "instances": 1,
        "resets": 0,
        "scrape_interval": 5.0,
    }
    return CountedWindow(START, END, WindowCounts(**{**given, **more}))


FAST = window(latency(900, 1000, 1000, 1000, mean=0.3), 60_000)
SLOW = window(latency(0, 0, 1000, 1000, mean=1.5), 30_000)


def baseline(counted: CountedWindow, given_base: bool = False) -> Baseline:  # noqa: FBT002
    return Baseline("old", plan(), counted, given_base)


def compared(new: CountedWindow, old: CountedWindow, by: Plan | None = None) -> Comparison:
    found = compare_window(by or plan(), new, baseline(old), now=END)
    assert (found.baseline, found.reason) == ("old", None)
    return found


def only(found: Comparison) -> SliChange:
    (sli,) = found.slis
    return sli


def base(found: Comparison) -> Change:
    assert found.base_score is not None
    return found.base_score


def test_a_faster_deployment_is_better_in_everything() -> None:
    found = compared(FAST, SLOW)

    sli, over = only(found), only(found).over_threshold
    assert over is not None
    assert {one.verdict for one in (sli, over, base(found))} == {Outcome.BETTER}
    assert sli.sli == "latency_p50"
    assert (sli.baseline, sli.change_interval) == (1.5, (-2.0, -0.5))
    assert (over.value, over.baseline, over.change, over.change_ratio) == (0.0, 1.0, -1.0, -1.0)
    assert base(found).change == pytest.approx(-1.2)
    assert base(found).change_ratio == pytest.approx(-0.8)
    assert sli.explanation.startswith("P50 of latency is 0.2778 s, 1.5 s in the baseline: 81.5% l")
    assert over.explanation.startswith(
        "share of requests with a latency over 1 s is 0.00%, 100.00%"
    )
    assert base(found).explanation.startswith("base score (mean of latency) is 0.3 s, 1.5 s in the")


def test_a_slower_one_is_worse_in_everything() -> None:
    found = compared(SLOW, FAST)

    over = only(found).over_threshold
    assert over is not None
    assert {one.verdict for one in (only(found), over, base(found))} == {Outcome.WORSE}


def test_more_tokens_a_second_are_better() -> None:
    slo = {"throughput": {"threshold": 100.0}}
    by = plan("maximize_throughput", slo)

    up, down = compared(FAST, SLOW, by), compared(SLOW, FAST, by)

    for found, outcome in ((up, Outcome.BETTER), (down, Outcome.WORSE)):
        assert (only(found).verdict, base(found).verdict) == (outcome, outcome)
        assert only(found).over_threshold is None
    assert (only(up).value, only(up).baseline) == (1000, 500)


@pytest.mark.parametrize(
    ("signal", "more", "most"),
    [("request_throughput", {}, 0.0918), ("throughput_per_gpu", {"gpus": 4}, 0.1324)],
)
def test_every_kind_of_throughput_has_its_interval(
    signal: str, more: dict[str, Any], most: float
) -> None:
    by = plan(f"maximize_{signal}", **more)

    found = base(compare_window(by, FAST, Baseline("old", by, FAST), now=END))

    # Of 1000 requests each, and of tokens by their lengths, too.
    assert found.change_ratio_interval == pytest.approx((-most / (1 + most), most), rel=1e-3)


def test_on_how_many_gpus_a_baseline_runs_has_to_be_known() -> None:
    by = plan("maximize_throughput_per_gpu", gpus=4)

    found = base(compared(FAST, SLOW, by))

    assert found.explanation == (
        "base score (throughput per GPU) cannot be compared: of the baseline: nobody has said on how "
        "many GPUs the deployment runs."
    )


def test_what_shares_a_bucket_cannot_be_told_and_the_sentence_says_so() -> None:
    found = only(compared(SLOW, SLOW))

    assert found.verdict is Outcome.CANNOT_TELL
    assert found.explanation.endswith("finer buckets mend, but no number of requests.")


def test_the_confidence_is_that_of_the_task() -> None:
    one = window(latency(450, 500, 1000, 1000))
    other = window(latency(450, 545, 1000, 1000))

    for confidence, outcome in ((0.9, Outcome.WORSE), (0.99, Outcome.CANNOT_TELL)):
        found = compared(one, other, plan(slo={**SLOS, "confidence": confidence}))
        over = only(found).over_threshold
        assert found.confidence == confidence
        assert over is not None
        assert over.verdict is outcome


def test_a_threshold_inside_a_bucket_has_no_share() -> None:
    found = compared(FAST, SLOW, plan(slo={"latency": {"p50": {"threshold": 1.2}}}))

    assert only(found).over_threshold is None
    assert only(found).verdict is Outcome.BETTER


@pytest.mark.parametrize(
    ("slo", "new", "old", "text"),
    [
        (
            {"ttft": {"threshold": 1.0}}, FAST, SLOW,
            "P90 of ttft cannot be compared: ttft was not measured in its window.",
        ),
        (
            SLOS, window(latency(1, 1, 1, 1)), SLOW,
            "P50 of latency cannot be compared: 1 requests are too few for p50, which needs 2.",
        ),
        (
            SLOS, FAST, window(latency(0, 0, 0, 0)),
            "P50 of latency cannot be compared: of the baseline: no requests finished in the window.",
        ),
        (
            {"throughput": {"threshold": 1.0}}, FAST, window(latency(9, 9, 9, 9)),
            ("throughput cannot be compared: of the baseline: the server exposed no counter of output "
             "tokens in the window."),
        ),
        (
            {"tpot": {"threshold": 1.0}},
            window({"tpot": Histogram(BOUNDS, (1, 2, 3, 4), 2.0)}),
            window({"tpot": Histogram(BOUNDS, (1, 2, 3, 4), math.nan)}),
            "mean of tpot cannot be compared: of the baseline: tpot has a sum that is not a number.",
        ),
    ],
    ids=["not measured", "too few", "none", "no counter", "no sum"],
)  # fmt: skip
def test_where_a_value_is_unknown_nothing_is_told(
    slo: dict[str, Any], new: CountedWindow, old: CountedWindow, text: str
) -> None:
    found = only(compared(new, old, plan(slo=slo)))

    assert found.verdict is Outcome.CANNOT_TELL
    assert found.explanation == text
    assert (found.change, found.change_interval, found.change_ratio) == (None, None, None)
    assert (found.value is None) is ("of the baseline" not in text)


def test_a_window_without_an_end_lasts_until_now() -> None:
    by = plan("maximize_throughput")
    running = CountedWindow(START, None, FAST.counts)

    found = compare_window(by, running, baseline(FAST), now=START + 120)

    assert (base(found).value, base(found).baseline) == (500, 1000)


@pytest.mark.parametrize("whose", ["new", "old"])
def test_what_was_seen_in_part_only_is_told_of_neither(whose: str) -> None:
    patchy = window(latency(900, 1000, 1000, 1000), unseen_gaps=6.0)
    pair = (patchy, SLOW) if whose == "new" else (SLOW, patchy)

    found = compared(*pair)

    over = only(found).over_threshold
    assert over is not None
    assert {one.verdict for one in (only(found), over, base(found))} == {Outcome.CANNOT_TELL}
    said = "this experiment" if whose == "new" else "the baseline"
    assert f"No scrape tells of a tenth of the window of {said}, or more." in over.explanation


@pytest.mark.parametrize("side", ["new", "old"])
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"instances": 0}, "the selector matched no series"),
        ({"mixed": "10.0.0.5:80"}, "several processes answer at 10.0.0.5:80"),
        ({"unseen_tail": 40.0}, "nothing was seen of the server in the last 40.0 s"),
        ({"widened_head": 40.0}, "the nearest scrape lies 40.0 s before the window's start"),
    ],
)
def test_counts_of_another_load_are_compared_with_nothing(
    side: str, more: dict[str, Any], why: str
) -> None:
    odd = window(latency(900, 1000, 1000, 1000), **more)
    new, old = (odd, SLOW) if side == "new" else (SLOW, odd)

    found = compare_window(plan(), new, baseline(old), now=END)

    whose = "this experiment" if side == "new" else "the baseline 'old'"
    assert found.reason is not None
    assert found.reason.startswith(f"{whose} has no data: {why}")
    assert (found.base_score, found.slis) == (None, ())


@pytest.mark.parametrize("whose", ["new", "old"])
def test_a_base_score_of_the_tuner_has_no_counts(whose: str) -> None:
    old = baseline(SLOW, whose == "old")

    found = compare_window(plan(), FAST, old, now=END, has_given_base=whose == "new")

    assert base(found).verdict is Outcome.CANNOT_TELL
    assert "was given by the tuner" in base(found).explanation
    assert only(found).verdict is Outcome.BETTER


def test_without_a_baseline_the_comparison_says_why() -> None:
    found = compare_window(plan(), FAST, NoBaseline("old", "it is gone"), now=END)

    assert (found.baseline, found.reason, found.slis) == ("old", "it is gone", ())


def test_a_report_without_data_compares_nothing() -> None:
    comparison = report_failure(plan(), "it is away", (START, END), now=END).comparison

    assert comparison is not None
    assert comparison.reason == "this experiment has no data: it is away"


def test_the_registration_has_precedence_over_the_task() -> None:
    assert plan().spec.baseline == "first"
    assert plan(baseline="exp-0").spec.baseline == "exp-0"
