"""What generated rules record, against the scoring of the very same counts."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.integration.rules_engines import ENGINES, Engine, binary_of, running, until
from tests.integration.rules_lab import (
    ERRORS,
    FIRST,
    GPUS,
    LATENCY,
    ODD,
    PENALTIES,
    PROMPTS,
    REQUESTS,
    TOKENS,
    Case,
    Page,
    make_cases,
    serving,
)

from sloscore import conventions as names
from sloscore.cli.main import cli
from sloscore.core.curve import PenaltyFunction
from sloscore.core.goodput import good_requests
from sloscore.core.histogram import Histogram
from sloscore.core.judge import SliResult, judge
from sloscore.core.nodata import NoData
from sloscore.core.objective import Direction
from sloscore.core.scoring import Score, combine
from sloscore.core.shares import failed_share
from sloscore.core.sli import RATE, SHARE, Estimate, Sli, minimum_requests
from sloscore.core.verdict import Verdict
from sloscore.promql_text import quote
from sloscore.spec.loader import load_task
from sloscore.spec.slo import SloSpec

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(300)]

WINDOW, SECONDS = "5m", 300.0
INTERVAL = 1.0
CASES = make_cases(seed=26)
VALUES = f'{{__name__=~"task_sli:sloscore_.+_({"|".join(names.UNIT_NAMES.values())}):.+"}}'
COUNTERS = {"tokens_out": TOKENS, "tokens_in": PROMPTS, "requests": REQUESTS, "errors": ERRORS}
RATIOS = f'{{__name__="{names.RULE_VIOLATION.format(window=WINDOW)}"}}'
TASK_RULES = {
    names.RULE_TASK_REQUESTS,
    names.RULE_TASK_PENALTY,
    names.RULE_TASK_MULTIPLIER,
    names.RULE_TASK_HARD_FAIL,
    names.RULE_TASK_NO_DATA,
}


@dataclass
class Compared:
    """One deployment: what its rules recorded at one moment, and the scoring of its counts."""

    recorded: dict[tuple[str, str], float]
    score: Score
    requests: float | None

    def of(self, rule: str, sli: str = "") -> float | None:
        return self.recorded.get((rule.format(window=WINDOW), sli))

    def value_of(self, result: SliResult) -> float | None:
        sli = result.sli
        unit = names.UNIT_NAMES[sli.signal.unit]
        name = names.RULE_VALUE.format(
            signal=sli.signal, unit=unit, statistic=sli.statistic.replace(".", "_"), window=WINDOW
        )
        return self.recorded.get((name, sli.id))


@pytest.fixture(scope="module", params=ENGINES)
def compared(
    request: pytest.FixtureRequest,
    prometheus_binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Compared]]:
    binary = binary_of(request.param, prometheus_binary)
    place = tmp_path_factory.mktemp("rules")
    rules = place / "rules.yml"
    specs = {case.name: case.write(place) for case in CASES}
    arguments = ["rules", *map(str, specs.values()), "--interval", f"{INTERVAL:g}s"]
    made = CliRunner().invoke(cli, [*arguments, "--output", str(rules)], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    page = Page(CASES)
    with (
        serving(page) as address,
        running(request.param, binary, place, [rules], address) as engine,
    ):
        # Growth needs a sample before it; what is counted from the first sample on is not growth.
        until(lambda: page.scrapes.count(False) >= 3 or None)
        page.grown = True
        until(lambda: page.scrapes.count(True) >= 3 or None)
        if engine.extrapolates:
            page.empty = True
            until(lambda: not engine.ask(TOKENS) or None)
        moments = _moments(engine)
        yield {case.name: _compare(engine, case, specs[case.name], moments) for case in CASES}


def _moments(engine: Engine) -> dict[str, float]:
    """A moment for each task at which its rules ran after all scrapes."""
    if engine.lags:
        until(lambda: _is_steady(engine) or None)
    # What it writes side by side becomes visible one by one.
    since, patience = (engine.now() + 2 * INTERVAL, 5.0) if engine.lags else (engine.now(), 0.0)
    query = names.RULE_TASK_NO_DATA.format(window=WINDOW) + "[30s]"

    def find() -> dict[str, float] | None:
        rows = {row.labels["task"]: [t for t, _ in row.samples] for row in engine.ask(query)}
        if len(rows) < len(CASES) or min(max(times) for times in rows.values()) <= since + patience:
            return None
        return {task: min(t for t in times if t > since) for task, times in rows.items()}

    return until(find)


def _is_steady(engine: Engine) -> bool:
    """Whether all values have been there for a while, and each verdict rule has seen its value."""
    now = engine.now()
    counts = {len(engine.ask(query, at)) for query in (VALUES, RATIOS) for at in (now - 5, now)}
    return len(counts) == 1 and counts != {0}


def _compare(engine: Engine, case: Case, spec: Path, moments: dict[str, float]) -> Compared:
    at = moments[case.name]
    query = f'{{__name__=~"task.*:sloscore_.+",task={quote(case.name)}}}[30s]'
    recorded = {
        (row.labels["__name__"], row.labels.get("sli", "")): value
        for row in engine.ask(query, at)
        for time, value in row.samples
        if time == at
    }
    selector = f'{{case={quote(case.label)},job="lab"}}[{WINDOW}]'
    seen = {
        "latency": _histogram(engine, LATENCY, case.label, at, 1.0),
        "ttft": _histogram(engine, FIRST, case.label, at, 0.001),
    }
    seen |= {"tpot": seen["latency"], "queue": seen["ttft"]}
    counters = {
        role: engine.value(f"sum(increase({name}{selector}))", at)
        for role, name in COUNTERS.items()
    }
    slo = load_task(spec).slo
    assert slo is not None
    results = [
        judge(sli, limit, _estimate(sli, slo, case, seen, counters)) for sli, limit in slo.limits()
    ]
    latency = seen["latency"]
    score = combine(1.0, Direction.MINIMIZE, results)
    return Compared(recorded, score, None if latency is None else latency.count)


def _histogram(engine: Engine, name: str, label: str, at: float, scale: float) -> Histogram | None:
    selector = f'{{case={quote(label)},job="lab"}}[{WINDOW}]'
    rows = engine.ask(f"sum by (le) (increase({name}_bucket{selector}))", at)
    total = engine.value(f"sum(increase({name}_sum{selector}))", at)
    if not rows or total is None:
        return None
    buckets = {float(row.labels["le"]): row.samples[0][1] for row in rows}
    return Histogram.from_buckets(buckets, total).scaled(scale)


def _estimate(
    sli: Sli,
    slo: SloSpec,
    case: Case,
    seen: dict[str, Histogram | None],
    counters: dict[str, float | None],
) -> Estimate | NoData:
    if sli.within:
        return _goodput(sli, seen)
    if sli.statistic in {RATE, SHARE}:
        return _of_counters(sli, case, seen, counters)
    histogram = seen[sli.signal.value]
    needed = minimum_requests(sli.statistic) if slo.min_requests is None else slo.min_requests
    if histogram is None or histogram.count < needed:
        return NoData("too few")
    return histogram.mean() if sli.quantile is None else histogram.quantile(sli.quantile)


def _of_counters(
    sli: Sli, case: Case, seen: dict[str, Histogram | None], counters: dict[str, float | None]
) -> Estimate | NoData:
    if sli.statistic == SHARE:
        asked = counters["requests"]
        if asked is None:
            return NoData("nothing")
        return failed_share(counters["errors"] or 0.0, asked, case.held, 0.95)
    requests = seen["latency"].count if seen["latency"] else 0.0
    counted = [counters[role] for role in sli.roles] or [requests]
    total = sum(one or 0.0 for one in counted)
    if None in counted or total == requests == 0:
        return NoData("nothing")
    return Estimate.exact(total / SECONDS / (GPUS if sli.signal.is_per_gpu else 1))


def _goodput(sli: Sli, seen: dict[str, Histogram | None]) -> Estimate | NoData:
    within = []
    for signal, limit in sli.within:
        histogram = seen[signal]
        if histogram is None:
            return NoData("nothing")
        within.append((signal, limit, histogram))
    requests = seen["latency"].count if seen["latency"] else 0.0
    if not requests > 0 or (sli.statistic == SHARE and requests < 1):
        return NoData("nothing")
    least, _ = good_requests(requests, within)
    return Estimate.exact(least / (SECONDS if sli.statistic == RATE else requests))


def same(ours: float | None, theirs: float | None, least: float = 0.0) -> bool:
    """Equal to 1e-9, or to ``least`` next to 0.

    A penalty of exp(x) magnifies what values differ by x times.
    """
    if ours is None or theirs is None:
        return ours is theirs
    exponent = math.log(max(abs(theirs), 1.0)) if math.isfinite(theirs) else 0.0
    return math.isclose(ours, theirs, rel_tol=max(1e-9, 1e-11 * exponent), abs_tol=least)


def test_values_are_those_of_the_scoring_and_missing_where_it_has_none(
    compared: dict[str, Compared],
) -> None:
    wrong = [
        (name, result.sli.id, one.value_of(result), result.estimate)
        for name, one in compared.items()
        for result in one.score.slis
        if not same(
            one.value_of(result),
            None if isinstance(result.estimate, NoData) else result.estimate.value,
        )
    ]
    assert wrong == []


def test_violations_are_those_of_the_scoring(compared: dict[str, Compared]) -> None:
    rule = names.RULE_VIOLATION
    wrong = [
        (name, result.sli.id, one.of(rule, result.sli.id), result.violation_ratio)
        for name, one in compared.items()
        for result in one.score.slis
        # A ratio is what two almost equal numbers differ by, as a share of them.
        if not same(one.of(rule, result.sli.id), result.violation_ratio, 1e-11)
    ]
    assert wrong == []


def test_penalties_are_those_of_the_scoring_under_the_name_of_their_function(
    compared: dict[str, Compared],
) -> None:
    wrong = [
        (name, result.sli.id, rule, one.of(rule, result.sli.id), result.penalty)
        for name, one in compared.items()
        for result in one.score.slis
        for function, rule in names.RULE_PENALTY.items()
        # A ratio of 1e-11 next to the threshold costs as little where there is no jump.
        if not same(
            one.of(rule, result.sli.id),
            result.penalty if result.slo.curve.function == function else None,
            1e-9,
        )
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [(names.RULE_HARD_FAIL, Verdict.HARD_FAIL), (names.RULE_NO_DATA, Verdict.NO_DATA)],
)
def test_hard_fails_and_missing_data_are_those_of_the_scoring(
    compared: dict[str, Compared], rule: str, verdict: Verdict
) -> None:
    wrong = [
        (name, result.sli.id, one.of(rule, result.sli.id), result.verdict)
        for name, one in compared.items()
        for result in one.score.slis
        if one.of(rule, result.sli.id) != (result.verdict is verdict)
    ]
    assert wrong == []


def test_sums_multipliers_and_requests_are_those_of_the_scoring(
    compared: dict[str, Compared],
) -> None:
    for name, one in compared.items():
        assert same(one.of(names.RULE_TASK_PENALTY), one.score.penalty), name
        assert same(one.of(names.RULE_TASK_MULTIPLIER), one.score.multiplier), name
        assert same(one.of(names.RULE_TASK_REQUESTS), one.requests or 0.0), name


def test_a_task_fails_or_lacks_data_where_the_scoring_says_so(
    compared: dict[str, Compared],
) -> None:
    for name, one in compared.items():
        assert one.of(names.RULE_TASK_HARD_FAIL) == one.score.slo_violation, name
        assert one.of(names.RULE_TASK_NO_DATA) == (one.score.penalty is None), name


def test_the_cases_are_what_they_are_meant_to_be(compared: dict[str, Compared]) -> None:
    def verdicts(name: str) -> set[Verdict]:
        return {result.verdict for result in compared[name].score.slis}

    for name in ("met", "at-the-threshold-in-milliseconds", "at-the-last-bound"):
        assert verdicts(name) == {Verdict.MET}, name
    assert verdicts(ODD) == {Verdict.VIOLATED}
    assert verdicts("at-the-hard-limit") == {Verdict.HARD_FAIL}
    assert verdicts("under-the-hard-limit") == {Verdict.VIOLATED}
    assert verdicts("beyond-over") == {Verdict.VIOLATED}
    assert verdicts("beyond-at-the-threshold") == {Verdict.VIOLATED}
    for name in ("no-series", "no-traffic", "beyond-under", "no-finite-bucket", "too-few"):
        assert verdicts(name) == {Verdict.NO_DATA}, name
    assert compared["without-end"].score.penalty == math.inf
    penalties = {one.sli.id: one.penalty or 0 for one in compared["penalties"].score.slis}
    for number in range(len(PENALTIES)):
        met, little, more, far = (
            penalties[f"latency_p{percentile + number}"] for percentile in (10, 60, 70, 80)
        )
        assert met == 0 < little < more < far, number
    functions = {result.slo.curve.function for result in compared["penalties"].score.slis}
    assert functions == set(PenaltyFunction)
    everything = set().union(*map(verdicts, compared))
    assert everything == set(Verdict)
