"""How many trials and GPU hours optimisers need with what a report tells them.

Each search tries configurations of the server in serving.py until its budget of trials is spent. It got
there with the first trial after which the configuration that it would recommend, the best measured one
that met all SLOs, is within 5 % of the best feasible one of the whole grid, by the truth of a long run.
Grid is a list of all configurations in an order shuffled for each seed. GPU hours are those of the load
(simulated seconds times devices); starting a server costs nothing here.

    python bench/bench_optimisers.py [--seeds 24] [--trials 60] [--jobs 2] [--write docs/optimisers.md]
"""

import argparse
import functools
import importlib.util
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import serving
from document import publish
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from serving import Config, Ended, Truth

from sloscore.tuners.optuna import tell

CLOSE = 0.05
SECONDS_IN_HOUR = 3600.0
PICTURE = "images/optimisers.svg"

Experiments = Callable[[Config], tuple[Ended, Ended]]
Teller = Callable[[optuna.Study, optuna.Trial, Ended], object]


@dataclass(frozen=True)
class Step:
    """After a trial: GPU hours so far, the recommendation so far, and whether it was stopped early."""

    hours: float
    recommended: Config | None
    tried: Config
    was_stopped: bool


@dataclass(frozen=True)
class Problem:
    """Which loads a search may offer, in output tokens/s per GPU: in 9 steps from ``low`` on."""

    name: str
    low: float

    @property
    def offered(self) -> Sequence[float]:
        """The loads."""
        first = serving.OFFERED.index(self.low)
        return serving.OFFERED[first : first + 9]

    @property
    def space(self) -> Sequence[Config]:
        """All configurations."""
        return [config for config in serving.SPACE if config.offered in self.offered]


@dataclass(frozen=True)
class Method:
    """A way to search; grid has neither sampler nor teller."""

    name: str
    sampler: Callable[[int], BaseSampler] | None = None
    told: Teller | None = None
    stops: bool = False


def tell_score(study: optuna.Study, trial: optuna.Trial, ended: Ended) -> None:
    """The score alone, infinite on a hard fail."""
    _tell_value(study, trial, ended.report.score)


def tell_log_score(study: optuna.Study, trial: optuna.Trial, ended: Ended) -> None:
    """The penalised score alone, finite on a hard fail."""
    _tell_value(study, trial, ended.report.log_score)


def tell_report(study: optuna.Study, trial: optuna.Trial, ended: Ended) -> None:
    """The report: log_score and constraints."""
    tell(study, trial, ended.report)


def _tell_value(study: optuna.Study, trial: optuna.Trial, value: float | None) -> None:
    state = optuna.trial.TrialState.FAIL if value is None else None
    study.tell(trial, value, state)


def tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed)


def chance(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


METHODS = (
    Method("grid, shuffled"),
    Method("random", chance, tell_report),
    Method("random, early stop", chance, tell_report, stops=True),
    Method("TPE on the score", tpe, tell_score),
    Method("TPE on log_score", tpe, tell_log_score),
    Method("constrained TPE", tpe, tell_report),
    Method("constrained TPE, early stop", tpe, tell_report, stops=True),
)
PROBLEMS = (Problem("any load", 1000.0), Problem("heavy load", 2000.0))


def asked(trial: optuna.Trial, problem: Problem) -> Config:
    """The configuration that a study asks for."""
    low, following, *_, high = problem.offered
    return Config(
        devices=2 ** trial.suggest_int("log2_devices", 0, 3),
        batch=2 ** trial.suggest_int("log2_batch", 3, 8),
        memory=serving.MEMORY[trial.suggest_int("memory", 0, len(serving.MEMORY) - 1)],
        offered=trial.suggest_float("offered", low, high, step=following - low),
    )


def search(
    problem: Problem, method: Method, seed: int, trials: int, experiments: Experiments
) -> list[Step]:
    """One search; the same configuration gives the same measurement again."""
    space = problem.space
    order = np.random.default_rng(seed).permutation(len(space))
    sampler = method.sampler(seed) if method.sampler else RandomSampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    steps: list[Step] = []
    hours, best, recommended = 0.0, -math.inf, None
    for number in range(trials):
        trial = study.ask()
        config = asked(trial, problem) if method.sampler else space[order[number]]
        ended = experiments(config)[method.stops]
        hours += ended.gpu_seconds / SECONDS_IN_HOUR
        if method.told:
            method.told(study, trial, ended)
        score = ended.report.score
        if is_feasible(ended) and score is not None and score > best:
            best, recommended = score, config
        steps.append(Step(hours, recommended, config, ended.was_stopped))
    return steps


def is_feasible(ended: Ended) -> bool:
    """Whether everything was measured and every SLO was met."""
    ratios = ended.report.constraints.values()
    return all(ratio is not None and ratio <= 0 for ratio in ratios)


Key = tuple[Problem, Method]


def searches(seed: int, trials: int) -> dict[Key, list[Step]]:
    """All problems and methods with the same luck: each configuration meets the same requests."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    numbers = {config: number for number, config in enumerate(serving.SPACE)}

    @functools.cache
    def experiments(config: Config) -> tuple[Ended, Ended]:
        return serving.experiment(config, seed * len(numbers) + numbers[config])

    return {
        (problem, method): search(problem, method, seed, trials, experiments)
        for problem in PROBLEMS
        for method in METHODS
    }


@dataclass(frozen=True)
class Outcome:
    """All seeds of a method: trials and GPU hours until each got there, infinite where it did not.

    ``spent`` are the GPU hours of all ``budget`` trials of each; ``wrongly_stopped`` are those of
    the experiments ``within`` their hard limits.
    """

    trials: list[float]
    hours: list[float]
    spent: list[float]
    budget: int
    stopped: int
    within: int
    wrongly_stopped: int
    feasible_at_the_end: float

    @classmethod
    def of(cls, runs: Sequence[Sequence[Step]], truths: Mapping[Config, Truth]) -> "Outcome":
        """What the searches came to; ``truths`` are those of all configurations of the problem."""
        best = best_of(truths)
        trials, hours = [], []
        for run in runs:
            there = next((n for n, step in enumerate(run) if _is_there(step, truths, best)), None)
            trials.append(math.inf if there is None else there + 1.0)
            hours.append(math.inf if there is None else run[there].hours)
        steps = [step for run in runs for step in run]
        within = [s.was_stopped for s in steps if truths[s.tried].violation < serving.FAIL_RATIO]
        ends = [run[-1].recommended for run in runs]
        feasible = sum(end is not None and truths[end].violation <= 0 for end in ends) / len(ends)
        spent = [run[-1].hours for run in runs]
        stopped = sum(step.was_stopped for step in steps)
        budget = len(runs[0])
        return cls(trials, hours, spent, budget, stopped, len(within), sum(within), feasible)


def best_of(truths: Mapping[Config, Truth]) -> float:
    """The best feasible score."""
    return max(truth.score for truth in truths.values() if truth.violation <= 0)


def _is_there(step: Step, truths: Mapping[Config, Truth], best: float) -> bool:
    if step.recommended is None:
        return False
    truth = truths[step.recommended]
    return truth.violation <= 0 and truth.score >= (1 - CLOSE) * best


def quartiles(values: Sequence[float]) -> str:
    """Median and quartiles; a dash where a search is not there within its budget."""
    ordered = sorted(values)
    found = [ordered[round(share * (len(ordered) - 1))] for share in (0.25, 0.5, 0.75)]
    low, middle, high = (f"{value:.3g}" if math.isfinite(value) else "-" for value in found)
    return f"{middle} ({low} to {high})"


def table(outcomes: Mapping[Key, Outcome]) -> Iterator[str]:
    """The table as Markdown, a line at a time."""
    yield (
        "| problem | search | trials until there | GPU hours until there | never there | GPU hours of all trials"
        " | stopped early | stopped wrongly | recommends a feasible one |"
    )
    yield "|" + " --- |" * 9
    for (problem, method), outcome in outcomes.items():
        seeds = len(outcome.trials)
        never = sum(map(math.isinf, outcome.trials)) / seeds
        total = statistics.fmean(outcome.spent)
        stopped = f"{outcome.stopped / seeds:.1f}" if method.stops else "-"
        wrongly = f"{outcome.wrongly_stopped / outcome.within:.1%}" if method.stops else "-"
        yield (
            f"| {problem.name} | {method.name} | {quartiles(outcome.trials)} | {quartiles(outcome.hours)} | {never:.0%} |"
            f" {total:.3g} | {stopped} | {wrongly} |"
            f" {outcome.feasible_at_the_end:.0%} |"
        )


def draw(outcomes: Mapping[Key, Outcome], path: Path) -> None:
    """The share of searches that are there, by trials and by GPU hours."""
    from picture import Curve, draw  # noqa: PLC0415  needs matplotlib, of the analysis extra

    rows: dict[str, tuple[list[Curve], list[Curve]]] = {}
    for (problem, method), outcome in outcomes.items():
        by_trials, by_hours = rows.setdefault(problem.name, ([], []))
        by_trials.append(Curve(method.name, outcome.trials, outcome.budget))
        by_hours.append(Curve(method.name, outcome.hours, statistics.fmean(outcome.spent)))
    draw(rows, ("trials", "GPU hours of load"), path)


def shares(truths: Mapping[Config, Truth]) -> str:
    """How many configurations are good enough, in words."""
    feasible = [truth for truth in truths.values() if truth.violation <= 0]
    best = best_of(truths)
    close = sum(truth.score >= (1 - CLOSE) * best for truth in feasible)
    return (
        f"{len(truths)} configurations, {len(feasible)} feasible, "
        f"{close} of them within 5 % of the best one's {best:.0f} tokens/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=24, help="searches of each kind")
    parser.add_argument("--trials", type=int, default=60, help="trials a search")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--write", type=Path, help="document whose table and picture to replace")
    options = parser.parse_args()
    if options.write and importlib.util.find_spec("matplotlib") is None:
        parser.error("--write draws with matplotlib: pip install 'sloscore[analysis]'")
    with ProcessPoolExecutor(options.jobs) as pool:
        truths = dict(zip(serving.SPACE, pool.map(serving.truth, serving.SPACE), strict=True))
        budget = [options.trials] * options.seeds
        found = list(pool.map(searches, range(options.seeds), budget))
    of_problem = {
        problem: {config: truths[config] for config in problem.space} for problem in PROBLEMS
    }
    outcomes = {
        (problem, method): Outcome.of(
            [runs[problem, method] for runs in found], of_problem[problem]
        )
        for problem in PROBLEMS
        for method in METHODS
    }
    publish(table(outcomes), "optimisers", options.write)
    for problem in PROBLEMS:
        print(f"{problem.name}: {shares(of_problem[problem])}")
    if options.write:
        draw(outcomes, options.write.parent / PICTURE)


if __name__ == "__main__":
    main()
