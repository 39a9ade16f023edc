"""Reports told to real Optuna studies."""

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sloscore.client import Report, SLOClient
from sloscore.client.testing import FakeService

pytest.importorskip("optuna", reason="needs the extra: pip install 'sloscore[optuna]'")
import optuna
from optuna.trial import FrozenTrial

from sloscore.tuners import optuna as tuner

optuna.logging.set_verbosity(optuna.logging.WARNING)


def report(**fields: Any) -> Report:  # noqa: ANN401  fields of a report
    """A final report: met, with a score of 1."""
    document: Mapping[str, Any] = {
        "experiment": "one",
        "task": "tune",
        "status": "SUCCESS",
        "slo_violation": False,
        "reason": None,
        "direction": "minimize",
        "score": 1.0,
        "finite_score": 1.0,
        "log_score": 0.0,
        "base_score": 1.0,
        "penalty": 0.0,
        "constraints": {"latency_p90": -0.2, "ttft": -0.5},
        "infeasibility_reason": None,
        "decision": {"action": "stop", "reason": "The experiment has ended."},
        "slis": [],
    }
    return Report.of({**document, **fields})


HARD: Mapping[str, Any] = {
    "status": "FAILED",
    "slo_violation": True,
    "reason": "Hard SLO violation",
    "score": "Infinity",
    "finite_score": sys.float_info.max,
    "log_score": 14990.0,
    "constraints": {"latency_p90": 1499.0, "ttft": -0.5},
    "infeasibility_reason": "P90 of latency is 7500 s.",
}
PARTLY_KNOWN: Mapping[str, Any] = {
    **HARD,
    "finite_score": None,
    "log_score": None,
    "constraints": {"latency_p90": 1499.0, "ttft": None},
}
NO_DATA: Mapping[str, Any] = {
    "status": "NO_DATA",
    "reason": "No requests finished in the window.",
    "score": None,
    "finite_score": None,
    "log_score": None,
    "constraints": {"latency_p90": None, "ttft": None},
    "infeasibility_reason": "No requests finished in the window.",
}


def told(study: optuna.Study | None = None, **fields: Any) -> FrozenTrial:  # noqa: ANN401  as above
    study = study or optuna.create_study()
    return tuner.tell(study, study.ask(), report(**fields))


def test_a_scored_experiment_is_a_complete_trial() -> None:
    trial = told(log_score=1.5)
    assert (trial.state.name, trial.value) == ("COMPLETE", 1.5)
    assert trial.constraints == {"latency_p90": -0.2, "ttft": -0.5}
    assert trial.user_attrs["sloscore_experiment"] == "one"


def test_a_hard_fail_is_complete_with_a_finite_value_and_its_constraints() -> None:
    trial = told(**HARD)
    assert (trial.state.name, trial.value) == ("COMPLETE", 14990.0)
    assert trial.constraints == {"latency_p90": 1499.0, "ttft": -0.5}
    assert trial.user_attrs["sloscore_reason"] == "P90 of latency is 7500 s."


def test_a_hard_fail_whose_score_is_unknown_is_pruned_and_keeps_its_constraints() -> None:
    trial = told(**PARTLY_KNOWN)
    assert (trial.state.name, trial.value) == ("PRUNED", None)
    assert trial.constraints == {"latency_p90": 1499.0, "ttft": 1499.0}


def test_no_data_is_a_failed_trial_that_says_why() -> None:
    trial = told(**NO_DATA)
    assert (trial.state.name, trial.value, trial.constraints) == ("FAIL", None, {})
    assert trial.user_attrs["sloscore_reason"] == "No requests finished in the window."


def test_an_infinite_violation_ratio_is_told_as_a_finite_constraint() -> None:
    _, constraints = tuner.value_and_constraints(report(constraints={"ttft": "Infinity"}))
    assert constraints == {"ttft": sys.float_info.max}


REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "a report that is not final": ({"status": "RUNNING"}, "one has not ended"),
    "the other direction": (
        {"direction": "maximize"},
        "the study is to minimize but the objective to maximize",
    ),
}


@pytest.mark.parametrize(("fields", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_study_cannot_learn_from_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        told(**fields)


def test_a_service_without_the_log_score_is_refused() -> None:
    old = report()
    document = {name: value for name, value in old.raw.items() if name != "log_score"}
    with pytest.raises(ValueError, match="the service is older than this client"):
        tuner.value_and_constraints(Report.of(document))


def test_a_maximised_objective_is_told_to_a_study_that_maximises() -> None:
    study = optuna.create_study(direction="maximize")
    assert told(study, direction="maximize", log_score=7.0).value == 7.0


def test_an_objective_function_returns_the_value_and_its_failures_fail_their_trials() -> None:
    reports = [report(log_score=2.0), report(**NO_DATA), report(**PARTLY_KNOWN)]
    study = optuna.create_study()
    study.optimize(lambda trial: tuner.record(trial, reports[trial.number]), 3, catch=tuner.NoScore)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "PRUNED"]
    assert study.best_value == 2.0


def scored(x: float) -> Report:
    """Lower is better up to the very end, but from 0.3 on the hard SLO is broken further and further."""
    ratio = (x - 0.3) / 0.3
    fields: dict[str, Any] = {"log_score": -x, "constraints": {"latency_p90": ratio}}
    if ratio > 0:
        fields |= {"status": "FAILED", "slo_violation": True, "score": "Infinity"}
    return report(**fields)


def tried(how: Callable[[optuna.Study, optuna.Trial, Report], object]) -> optuna.Study:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    for _ in range(40):
        trial = study.ask()
        how(study, trial, scored(trial.suggest_float("x", 0, 1)))
    return study


def late_and_feasible(study: optuna.Study) -> int:
    return sum(trial.params["x"] <= 0.3 for trial in study.trials[20:])


def test_a_study_learns_from_hard_fails_where_it_must_not_go() -> None:
    study = tried(tuner.tell)
    blind = tried(lambda study, trial, report: study.tell(trial, report.log_score))
    assert 0.25 < study.best_params["x"] <= 0.3
    assert blind.best_params["x"] > 0.9
    assert late_and_feasible(study) > 3 * late_and_feasible(blind)


def test_a_sampler_of_optuna_4_asks_the_function_for_the_constraints() -> None:
    with pytest.warns(Warning, match="constraints_func"):
        sampler = optuna.samplers.TPESampler(constraints_func=tuner.constraints)
    study = optuna.create_study(sampler=sampler)
    for fields in (HARD, PARTLY_KNOWN, {"log_score": 20000.0}):
        told(study, **fields)
    kept = [trial.system_attrs["constraints"] for trial in study.trials]
    assert [tuple(each) for each in kept] == [(1499.0, -0.5), (1499.0, 1499.0), (-0.2, -0.5)]
    assert study.best_value == 20000.0


class Loop:
    """A load that asks its trial in each step whether to go on."""

    def __init__(self, study: optuna.Study, client: SLOClient) -> None:
        self.study, self.client = study, client

    def run(self, name: str, pruner: Any, change: Callable[[int], None]) -> tuple[int, Any]:  # noqa: ANN401  Optuna's
        trial = self.study.ask()
        steps = 0
        with self.client.experiment(name, task="tune") as running:
            pruner.follow(trial, running)
            while steps < 3 and not trial.should_prune():
                change(steps)
                running.score()
                steps += 1
        return steps, tuner.tell(self.study, trial, running.result(timeout=30))


def test_the_pruner_takes_the_services_advice_and_the_stop_is_told_with_its_numbers() -> None:
    pruner = tuner.AdvicePruner()
    study = optuna.create_study(pruner=pruner)
    with FakeService() as fake:

        def advise_after_the_second_step(step: int) -> None:
            if step == 1:
                fake.will_report("hopeless", decision={"action": "stop", "reason": "hopeless"})

        loop = Loop(study, SLOClient(fake.url))
        fake.will_report("hopeless", **HARD)
        steps, stopped = loop.run("hopeless", pruner, advise_after_the_second_step)
        assert steps == 2
        assert (stopped.state.name, stopped.value) == ("COMPLETE", 14990.0)
        assert stopped.constraints["latency_p90"] == 1499.0
        steps, other = loop.run("fine", pruner, lambda _: None)
        assert (steps, other.value) == (3, 0.0)
    assert study.best_trial.number == other.number


def test_a_trial_that_no_experiment_runs_for_is_not_pruned() -> None:
    study = optuna.create_study(pruner=tuner.AdvicePruner())
    assert not study.ask().should_prune()


def test_a_score_that_the_fake_service_is_told_has_its_logarithm() -> None:
    with FakeService() as fake:
        fake.will_report("one", score=math.e)
        with SLOClient(fake.url).experiment("one", task="tune") as running:
            pass
        assert running.result(timeout=30).log_score == pytest.approx(1.0)
