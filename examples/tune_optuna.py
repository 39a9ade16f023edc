"""A constrained Optuna study of a deployment, whose hopeless trials are stopped early.

It needs the extra (pip install 'sloscore[optuna]') and sloscore at SERVICE, which scrapes the candidates
itself, so that there need be no Prometheus. Candidates run as simulated servers here, whose clock runs
SPEED times as fast as the wall's: replace deployed() by what starts your own. Run it with:

    sloscore serve --no-prometheus
    python examples/tune_optuna.py --trials 20
"""

import argparse
import contextlib
import math
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import optuna
from optuna.samplers import TPESampler

from sloscore import SLOClient
from sloscore.tuners.optuna import NoScore, record

SLO = {
    # Hard from 5 s on, where vLLM has a bucket bound: slow requests can be counted for the early stop.
    "latency": {"p90": {"threshold": 2.5, "weight": 2.0, "hard_fail": True, "fail_ratio": 1.0}},
    "ttft": {"threshold": 1.0, "weight": 2.0},
    # Requests of a queue are slow together: look for more than the 10 % that a P90 allows.
    "early_stop": {"null_share": 0.2},
}
# What runs today is the first trial.
TODAY = {"max_num_seqs": 4, "tensor_parallel": 1, "memory_share": 0.75}


@contextlib.contextmanager
def deployed(port: int, speed: float, config: dict[str, float]) -> Iterator[str]:
    """The URL of a candidate's metrics page while it runs; under load from its first second on."""
    command = [sys.executable, "-m", "sloscore", "simulate", "--port", str(port), "--rate", "8"]
    for name, value in config.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    server = subprocess.Popen([*command, "--speed", str(speed)], stdout=subprocess.DEVNULL)
    page = f"http://127.0.0.1:{port}/metrics"
    try:
        while not is_up(page) and server.poll() is None:
            time.sleep(0.1)
        yield page
    finally:
        server.terminate()
        server.wait()


def is_up(page: str) -> bool:
    """Whether a metrics page answers."""
    try:
        with urllib.request.urlopen(page, timeout=5):
            return True
    except OSError:
        return False


def main() -> None:
    """Run the study and name the best configuration that met all SLOs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--service", default="http://127.0.0.1:8520")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0, help="of load for each candidate")
    parser.add_argument("--speed", type=float, default=10.0, help="of the simulated servers' clock")
    parser.add_argument("--seed", type=int, help="same seed, same first guesses")
    parser.add_argument("--storage", help="URL of a database that keeps the study")
    options = parser.parse_args()
    client = SLOClient(options.service)
    began = int(time.time())

    def objective(trial: optuna.Trial) -> float:
        config = {
            "max_num_seqs": trial.suggest_int("max_num_seqs", 4, 256, log=True),
            "tensor_parallel": trial.suggest_categorical("tensor_parallel", [1, 2, 4]),
            "memory_share": trial.suggest_float("memory_share", 0.75, 0.95, step=0.05),
        }
        name = f"optuna-{began}-{trial.number}"
        task = {"task_name": "optuna", "slo": SLO}
        with deployed(options.port, options.speed, config) as page:
            with client.experiment(
                name, task=task, server="vllm", target=page, scrape_interval="500ms"
            ) as running:
                start = time.monotonic()
                end = start + options.seconds
                while time.monotonic() < end and not running.should_stop():
                    time.sleep(0.1)
                took = time.monotonic() - start
            report = running.result(timeout=60)
        print(
            f"{name}: {report.status} score {report.score} after {took:.1f} s, "
            f"bound by {report.binding_constraint}", flush=True,
        )  # fmt: skip
        return record(trial, report)

    # With Optuna 4: TPESampler(constraints_func=sloscore.tuners.optuna.constraints).
    sampler = TPESampler(seed=options.seed)
    study = optuna.create_study(direction="minimize", sampler=sampler, storage=options.storage)
    study.enqueue_trial(TODAY)
    # An experiment without data is a failed trial, and the study goes on.
    study.optimize(objective, n_trials=options.trials, catch=NoScore)
    try:
        best = study.best_trial
    except ValueError:
        raise SystemExit("no configuration met all SLOs") from None
    print(f"best: {best.params}, score {math.exp(best.values[0]):.3g}")


if __name__ == "__main__":
    main()
