"""Mistakes in task files, and the sentences that they are answered with."""

import pytest
from tests.unit.spec_problems import problems_in

from sloscore.core.objective import Objective
from sloscore.spec.model import TaskSpec

KNOWN_OF_TASK = ", ".join(sorted(TaskSpec.model_fields))
OBJECTIVES = ", ".join(Objective)
KINDS = ("output", "output_per_gpu", "requests", "total", "total_per_gpu")
TARGET = "fail_ratio, hard_fail, penalty, threshold, weight"
FLAT_TARGET = "fail_ratio, hard_fail, penalty, statistic, threshold, weight"
FUNCTIONS = "exponential, continuous_exponential, linear, polynomial, piecewise"
NO_PERCENTILE = "'p100' is not a percentile; name one from p1 to p99.9, such as p90"


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("latency: {p90: {threshold: -5}}", "slo.latency.p90.threshold: must be above 0, got -5"),
        ("latency: {p90: {threshold: 0}}", "slo.latency.p90.threshold: must be above 0, got 0"),
        ("latency: {p90: {threshold: .nan}}", "slo.latency.p90.threshold: must be a finite number"),
        ("latency: {p90: {threshold: .inf}}", "slo.latency.p90.threshold: must be a finite number"),
        (
            "latency: {p90: {threshold: -.inf}}",
            "slo.latency.p90.threshold: must be a finite number",
        ),
        (
            "latency: {p90: {threshold: 1e999}}",
            "slo.latency.p90.threshold: must be a finite number",
        ),
        ('ttft: {threshold: "5"}', 'slo.ttft.threshold: must be a number, got "5"'),
        ("ttft: {threshold: true}", "slo.ttft.threshold: must be a number, got true"),
        ("ttft: {threshold: [1]}", "slo.ttft.threshold: must be a number, got a list"),
        ("ttft: {threshold: 1_000}", 'slo.ttft.threshold: must be a number, got "1_000"'),
        ("ttft: {threshold: 1:30}", 'slo.ttft.threshold: must be a number, got "1:30"'),
        (
            "ttft: {threshold: " + "9" * 30 + "}",
            "slo.ttft.threshold: must be a number of at most 64 bits",
        ),
        ("ttft: {}", "slo.ttft.threshold: is required"),
        ("ttft: {threshold: }", "slo.ttft.threshold: must be a number, got null"),
        ("ttft: 5", "slo.ttft: must be a mapping, got 5"),
        ("ttft: [1]", "slo.ttft: must be a mapping, got a list"),
        ("ttft: {threshold: 1, weight: -1}", "slo.ttft.weight: must be at least 0, got -1"),
        (
            "tpot: {threshold: 1, fail_ratio: -0.1}",
            "slo.tpot.fail_ratio: must be at least 0, got -0.1",
        ),
        (
            "tpot: {threshold: 1, hard_fail: yes}",
            'slo.tpot.hard_fail: must be true or false, got "yes"',
        ),
        ("tpot: {threshold: 1, hard_fail: 1}", "slo.tpot.hard_fail: must be true or false, got 1"),
        (
            "ttft: {threshold: 1, statistic: p100}",
            f"slo.ttft.statistic: {NO_PERCENTILE}, or mean",
        ),
        (
            "ttft: {threshold: 1, statistics: p50}",
            "slo.ttft.statistics: is not a known key; did you mean statistic?",
        ),
        (
            "ttft: {threshold: 1, xyz: 2}",
            f"slo.ttft.xyz: is not a known key; known are {FLAT_TARGET}",
        ),
        (
            "ttft: {p90: {threshold: 1, xyz: 2}}",
            f"slo.ttft.p90.xyz: is not a known key; known are {TARGET}",
        ),
        (
            "ttft: {threshold: 1, p90: {threshold: 1}}",
            f"slo.ttft.p90: is not a known key; known are {FLAT_TARGET}",
        ),
        ("ttft: {p90: {threshold: 0}}", "slo.ttft.p90.threshold: must be above 0, got 0"),
        ("ttft: {p90: 5}", "slo.ttft.p90: must be a mapping, got 5"),
        (
            "latency: {p100: {threshold: 1}}",
            f"slo.latency.p100: {NO_PERCENTILE}",
        ),
        (
            "latency: {mean: {threshold: 1}}",
            "slo.latency.mean: 'mean' is not a percentile; name one from p1 to p99.9, such as p90",
        ),
        (
            "latency: {p99.0: {threshold: 1}}",
            "slo.latency.p99.0: 'p99.0' must be written without its decimal: p99",
        ),
        (
            "latency: {p90: {threshold: 1, treshold: 2}}",
            "slo.latency.p90.treshold: is not a known key; did you mean threshold?",
        ),
        (
            'latency: {p90: {threshold: 1, "[key]": 1}}',
            f"slo.latency.p90.'[key]': is not a known key; known are {TARGET}",
        ),
        ("latency: 5", "slo.latency: must be a mapping, got 5"),
        (
            "throughput: {threshold: 1, statistic: mean}",
            f"slo.throughput.statistic: is not a known key; known are {TARGET}",
        ),
        (
            "throughput: {total: {threshold: 0}}",
            "slo.throughput.total.threshold: must be above 0, got 0",
        ),
        (
            "throughput: {threshold: 1, total: {threshold: 1}}",
            f"slo.throughput.threshold: is not a known key; known are {', '.join(KINDS)}",
        ),
        (
            "throughput: {totl: {threshold: 1}, output: {threshold: 1}}",
            "slo.throughput.totl: is not a known key; did you mean total?",
        ),
        (
            "goodput: {threshold: 0.9, within: {}}",
            "slo.goodput.within: must hold at least 1 items, got a mapping",
        ),
        (
            "goodput: {threshold: 0.9, within: {itl: 1}}",
            'slo.goodput.within.itl: must be one of latency, ttft, tpot, got "itl"',
        ),
        ("goodput: {threshold: 0.9}", "slo.goodput.within: is required"),
        (
            "goodput: {threshold: 90, within: {ttft: 1}}",
            "slo.goodput: is a share, so threshold must be 1 at most, got 90; or set measure: rate",
        ),
        ("error_rate: {threshold: 2}", "slo.error_rate.threshold: must be below 1, got 2"),
        (
            "error_rate: {threshold: 0.5, hard_fail: true, fail_ratio: 1.1}",
            "slo.error_rate: can never fail hard: 1.1 over 0.5 is a share above 1; lower fail_ratio",
        ),
        ("ttft: {threshold: 1}, steepness: 0", "slo.steepness: must be above 0, got 0"),
        (
            "ttft: {threshold: 5e-324}",
            "slo.ttft.threshold: must be between 1e-09 and 1e+09, got 4.94066e-324",
        ),
        (
            "latency: {p90: {threshold: 2e9}}",
            "slo.latency.p90.threshold: must be between 1e-09 and 1e+09, got 2e+09",
        ),
        (
            "ttft: {threshold: 1}, steepness: 1.0e-320",
            "slo.steepness: must be between 1e-09 and 1e+09, got 9.99989e-321",
        ),
        ("ttft: {threshold: 1}, min_requests: 0", "slo.min_requests: must be at least 1, got 0"),
        (
            "ttft: {threshold: 1}, min_requests: 2.5",
            "slo.min_requests: must be a whole number, got 2.5",
        ),
        (
            "steepness: 0.1",
            "slo: holds no SLO: give at least one of latency, ttft, tpot, queue, throughput, error_rate, goodput",
        ),
        (
            "latency: {}",
            "slo: holds no SLO: give at least one of latency, ttft, tpot, queue, throughput, error_rate, goodput",
        ),
        (
            "latencies: {p90: {threshold: 1}}, ttft: {threshold: 1}",
            "slo.latencies: is not a known key; did you mean latency?",
        ),
    ],
)
def test_a_mistake_in_the_slo_section_is_named_with_its_place(section: str, sentence: str) -> None:
    text = f"# comment\ntask_name: t\nslo: {{{section}}}\n"
    assert problems_in(text) == [f"task.yaml:3: {sentence}"]


NEEDS_POINTS = (
    "piecewise needs points of violation ratio and penalty, such as "
    "{function: piecewise, points: [[0.1, 1], [0.5, 20]]}"
)


@pytest.mark.parametrize(
    ("penalty", "sentence"),
    [
        ("lineer", f'penalty: must be one of {FUNCTIONS}, got "lineer"'),
        ("5", f"penalty: must be one of {FUNCTIONS}, got 5"),
        ("[linear]", f"penalty: must be one of {FUNCTIONS}, got a list"),
        ("piecewise", f"penalty: {NEEDS_POINTS}"),
        ("{function: piecewise}", f"penalty: {NEEDS_POINTS}"),
        ("{degree: 3}", "penalty.function: is required"),
        ("{function: cubic}", f'penalty.function: must be one of {FUNCTIONS}, got "cubic"'),
        (
            "{function: linear, steepness: 1}",
            "penalty.steepness: is not a known key; known are degree, function, points",
        ),
        (
            "{function: linear, degree: 3}",
            "penalty.degree: belongs to polynomial, not to linear",
        ),
        (
            "{function: polynomial, points: [[0.1, 1]]}",
            "penalty.points: belongs to piecewise, not to polynomial",
        ),
        ("{function: polynomial, degree: 0.5}", "penalty.degree: must be at least 1, got 0.5"),
        ("{function: polynomial, degree: 11}", "penalty.degree: must be at most 10, got 11"),
        (
            '{function: polynomial, degree: "3"}',
            'penalty.degree: must be a number, got "3"',
        ),
        ("{function: piecewise, points: 3}", "penalty.points: must be a list, got 3"),
        ("{function: piecewise, points: [0.1]}", "penalty.points[0]: must be a list, got 0.1"),
        ("{function: piecewise, points: [[0.1]]}", "penalty.points[0][1]: is required"),
        (
            "{function: piecewise, points: [[0.1, 1, 2]]}",
            "penalty.points[0]: must hold at most 2 items, got a list",
        ),
        (
            "{function: piecewise, points: [[0.1, -1]]}",
            "penalty.points[0][1]: must be at least 0, got -1",
        ),
        (
            "{function: piecewise, points: [[1.0e-10, 1]]}",
            "penalty.points[0][0]: must be 0, or between 1e-09 and 1e+09, got 1e-10",
        ),
        (
            "{function: piecewise, points: []}",
            "penalty.points: must hold a point with a violation ratio above 0",
        ),
        (
            "{function: piecewise, points: [[0.2, 1], [0.1, 2]]}",
            "penalty.points: violation ratios must ascend, got 0.1 after 0.2",
        ),
    ],
)
def test_a_mistake_in_a_penalty_is_named_with_its_place(penalty: str, sentence: str) -> None:
    of_all = f"task_name: t\nslo:\n  ttft: {{threshold: 1}}\n  penalty: {penalty}\n"
    assert problems_in(of_all) == [f"task.yaml:4: slo.{sentence}"]
    of_one = (
        f"task_name: t\nslo:\n  latency:\n    p90:\n      threshold: 1\n      penalty: {penalty}\n"
    )
    assert problems_in(of_one) == [f"task.yaml:6: slo.latency.p90.{sentence}"]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("task_name: ''", 'task_name: must be text of at least 1 characters, got ""'),
        ("task_name: '  '", "task_name: must be 1 to 128 printable characters, got '  '"),
        ('task_name: "a\\tb"', "task_name: must be 1 to 128 printable characters, got 'a\\tb'"),
        ("task_name: 5", "task_name: must be text, got 5"),
        (
            f"task_name: {'x' * 129}",
            f'task_name: must be text of at most 128 characters, got "{"x" * 59}...',
        ),
        ("description: no name", "task_name: is required"),
        ("task_name: t\nselektor: {}", "selektor: is not a known key; did you mean selector?"),
        ("task_name: t\nqqq: 1", f"qqq: is not a known key; known are {KNOWN_OF_TASK}"),
        (
            "task_name: t\noptimization: {objective: fastest}",
            f'optimization.objective: must be one of {OBJECTIVES}, got "fastest"',
        ),
        ("task_name: t\ngpus: 0", "gpus: must be at least 1, got 0"),
        ("task_name: t\ngpus: 1.5", "gpus: must be a whole number, got 1.5"),
        ("task_name: t\noptimization:", "optimization: must be a mapping, got null"),
        (
            "task_name: t\noptimization: {max_iterations: 0}",
            "optimization.max_iterations: must be at least 1, got 0",
        ),
        (
            "task_name: t\nselector: {instance: ''}",
            'selector.instance: must be text of at least 1 characters, got ""',
        ),
        ("task_name: t\nselector: {port: 80}", "selector.port: must be text, got 80"),
        (
            "task_name: t\nselector: {le: '5'}",
            "selector: must not hold le, which sloscore sets by itself",
        ),
        (
            "task_name: t\nselector: {__name__: x}",
            "selector: must not hold __name__, which sloscore sets by itself",
        ),
        (
            "task_name: t\nselector: {9a: x}",
            "selector: '9a' is no label name: use letters, digits and _, no digit first",
        ),
        (
            "task_name: t\nselector: {" + ", ".join(f"l{n}: x" for n in range(17)) + "}",
            "selector: takes at most 16 labels, got 17",
        ),
        ("task_name: t\nmodel: {a: .nan}", "model.a: must be a finite number"),
        ('task_name: t\nmodel: "\\ud800"', "model: must not hold half of a surrogate pair"),
    ],
)
def test_a_mistake_at_the_top_is_named_with_its_place(lines: str, sentence: str) -> None:
    line = len(lines.splitlines())
    assert problems_in(lines) == [f"task.yaml:{line}: {sentence}"]


BLOCK = """\
# A task with a mistake in every corner.
task_name: t
slo:
  latency:
    p90:
      threshold: 5
      weight: -1
    p99:
      weight: 1
  ttft:
    threshold: "1"
optimization:
  objective: minimise
"""


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    assert problems_in(BLOCK) == [
        "task.yaml:7: slo.latency.p90.weight: must be at least 0, got -1",
        "task.yaml:8: slo.latency.p99.threshold: is required",
        'task.yaml:11: slo.ttft.threshold: must be a number, got "1"',
        f'task.yaml:13: optimization.objective: must be one of {OBJECTIVES}, got "minimise"',
    ]


JSON = """\
{
  "task_name": "a \\"quoted\\" {name}",
\t"slo": {
    "latency": {"p90": {"threshold": 5,
                        "weight": -1}},
    "ttft": {
      "weight": 2
    }
  }
}
"""


def test_json_mistakes_have_lines_too() -> None:
    assert problems_in(JSON, "task.json") == [
        "task.json:5: slo.latency.p90.weight: must be at least 0, got -1",
        "task.json:6: slo.ttft.threshold: is required",
    ]
