"""The code of docs/client.md and the cases of docs/compat.md, run."""

import math
from typing import Any

import pytest
from tests.docs.markdown import block

from sloscore import SLOClient
from sloscore.client.testing import FakeService
from sloscore.compat import calculate_objective_score, calculate_slo_penalty

SLO: dict[str, Any] = {
    "latency": {"p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}}
}


def test_five_lines_give_a_score(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeService() as fake:
        fake.will_report("exp-17", score=1.25)
        script = block("docs/client.md", "five lines").replace("http://127.0.0.1:8520", fake.url)
        asked = []
        namespace = {
            "slo": SLO,
            "deployment": {"instance": "10.0.0.5:8000"},
            "run_load": lambda stop_early: asked.append(stop_early()),
        }
        exec(script, namespace)  # noqa: S102  the document's own code
    assert capsys.readouterr().out == "1.25\n"
    assert asked == [False]
    assert isinstance(namespace["client"], SLOClient)


def test_the_fake_service_is_used_as_shown() -> None:
    exec(block("docs/client.md", "fake"), {})  # noqa: S102  the document's own code


def test_what_differs_from_the_tuner_is_as_the_page_says() -> None:
    multiplier, is_hard, _ = calculate_slo_penalty({"p90_e2e_latency": 6.0}, SLO)
    assert is_hard
    assert f"{multiplier:.2f}" == "15.78"
    results = {"p90_e2e_latency": 4.0, "mean_total_throughput_per_gpu": 100.0}
    assert calculate_objective_score(results, "maximize_throughput", SLO) == 100.0
    failed = {**results, "p90_e2e_latency": 6.5}
    assert calculate_objective_score(failed, "maximize_throughput", SLO) == -math.inf
    assert calculate_slo_penalty({}, SLO)[2]["p90"]["severity"] == "NO_DATA"
    assert calculate_slo_penalty({"p90_e2e_latency": 5000.0}, SLO)[0] == math.inf
