"""The code of docs/optimisers.md, run against a fake service, and its table."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.docs.markdown import block

from sloscore.client import Report, SLOClient
from sloscore.client.testing import FakeService

PAGE = "docs/optimisers.md"
HARD: Mapping[str, Any] = {
    "status": "FAILED",
    "slo_violation": True,
    "score": "Infinity",
    "finite_score": 20.0,
    "constraints": {"latency_p90": 0.5},
    "infeasibility_reason": "P90 of latency is 7.5 s.",
}


def tuner_of(fake: FakeService, asked: list[int]) -> dict[str, Any]:
    """What the page's code takes for granted; batches under 64 fail hard, larger ones are slower."""

    def run_load(config: Mapping[str, int], stop_early: Callable[[], bool]) -> None:
        batch = config["max_num_seqs"]
        (running,) = [name for name, state in fake.states.items() if state == "running"]
        met = {"score": batch / 64, "constraints": {"latency_p90": -0.1}}
        fake.will_report(running, **(HARD if batch < 64 else met))
        assert not stop_early()
        asked.append(batch)

    client = SLOClient(fake.url)
    return {"slo": {}, "deployment": {"instance": "a:1"}, "run_load": run_load, "client": client}


def test_a_study_is_asked_and_told_as_shown() -> None:
    optuna = pytest.importorskip("optuna", reason="needs the extra: pip install 'sloscore[optuna]'")
    asked: list[int] = []
    with FakeService() as fake:
        namespace = tuner_of(fake, asked)
        script = block(PAGE, "ask and tell").replace("http://127.0.0.1:8520", fake.url)
        exec(script, namespace)  # noqa: S102  the document's own code
        exec(block(PAGE, "objective"), namespace)  # noqa: S102  as above
    study = namespace["study"]
    assert isinstance(study, optuna.Study)
    assert [trial.params["max_num_seqs"] for trial in study.trials] == asked
    assert len(asked) == 40
    best = min(batch for batch in asked if batch >= 64)
    assert study.best_params == {"max_num_seqs": best}
    assert math.exp(study.best_value) == pytest.approx(best / 64)
    failed = [trial for trial in study.trials if trial.params["max_num_seqs"] < 64]
    assert {trial.state.name for trial in failed} == {"COMPLETE"}


def final(**fields: Any) -> Report:  # noqa: ANN401  fields of a report
    with FakeService() as fake:
        fake.will_report("one", **fields)
        with SLOClient(fake.url).experiment("one", task="tune") as running:
            pass
        return running.result(timeout=30)


def defined(mark: str, name: str) -> Callable[[Report], Any]:
    namespace: dict[str, Any] = {}
    exec(block(PAGE, mark), namespace)  # noqa: S102  the document's own code
    function: Callable[[Report], Any] = namespace[name]
    return function


def test_ax_gets_a_mean_with_its_error_and_the_constraints() -> None:
    raw_data = defined("ax", "raw_data")
    sure = final(score=2.0, standard_error=0.1, constraints={"ttft": -0.2})
    assert raw_data(sure) == {"log_score": (math.log(2.0), 0.05), "ttft": -0.2}
    assert raw_data(final(**HARD)) == {"log_score": math.log(20.0), "latency_p90": 0.5}
    assert raw_data(final(status="NO_DATA", score=None)) is None


def test_vizier_gets_what_was_measured_and_why_it_is_infeasible() -> None:
    completion = defined("vizier", "completion")
    metrics, reason = completion(final(**HARD))
    assert metrics == {"log_score": math.log(20.0), "latency_p90": 0.5}
    assert reason == "P90 of latency is 7.5 s."
    partly = {**HARD, "finite_score": None, "constraints": {"latency_p90": 0.5, "ttft": None}}
    assert completion(final(**partly))[0] == {"latency_p90": 0.5}
    assert completion(final(score=2.0))[1] is None
