"""A grid search that asks sloscore for the score of each candidate; plain HTTP, no client library.

It needs sloscore at SERVICE, which scrapes the candidates itself, so that there need be no Prometheus.
Candidates run as simulated servers here: replace deploy() by what starts your own. Run it with:

    sloscore serve --no-prometheus
    python examples/tune_grid.py
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
import urllib.request

SLO = {
    "latency": {"p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}},
    "ttft": {"threshold": 1.0, "weight": 2.0},
}


def deploy(port: int, max_num_seqs: int, tensor_parallel: int) -> subprocess.Popen[bytes]:
    """Start one candidate, with load from its first second on; returns when it is up."""
    command = [sys.executable, "-m", "sloscore", "simulate", "--port", str(port), "--rate", "8"]
    command += ["--max-num-seqs", str(max_num_seqs), "--tensor-parallel", str(tensor_parallel)]
    server = subprocess.Popen(command)
    while server.poll() is None:
        try:
            with urllib.request.urlopen(page_of(port), timeout=5):
                return server
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"a candidate does not start: {' '.join(command)}")


def page_of(port: int) -> str:
    """The URL of a candidate's metrics page."""
    return f"http://127.0.0.1:{port}/metrics"


def call(url: str, body: object = None) -> dict[str, object]:
    """One call to the API: POST with a body, GET without."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=90) as answer:
        document: dict[str, object] = json.load(answer)
        return document


def try_candidate(
    service: str, port: int, candidate: tuple[int, int], seconds: float
) -> dict[str, object]:
    """The final report of one candidate, a batch size with a number of devices."""
    batch, devices = candidate
    name = f"batch-{batch}-tp-{devices}-{int(time.time())}"
    experiment = f"{service}/api/v1/experiments/{name}"
    # Registered before the server starts, so that its first requests count, too.
    registered = call(
        f"{service}/api/v1/experiments",
        {
            "id": name,
            "task": {"task_name": "grid", "slo": SLO},
            "server": "vllm",
            "target": page_of(port),
            "scrape_interval": "1s",
        },
    )
    # A repeated registration is answered, too: its load may have ended long ago.
    if registered["state"] != "running":
        raise SystemExit(f"{name} is already {registered['state']}: choose another id")
    server = deploy(port, batch, devices)
    try:
        time.sleep(seconds)
        call(f"{experiment}/finish", {})
        # The service scrapes the server once more: it must live until the score is there.
        report = call(f"{experiment}/score?wait=60")
    finally:
        server.terminate()
        server.wait()
    why = report["infeasibility_reason"] or f"bound by {report['binding_constraint']}"
    print(f"{name}: {report['status']} score {report['score']}, {why}", flush=True)
    return report


def score_of(report: dict[str, object]) -> float:
    """Lower is better; infinite where a candidate broke a hard SLO or gave no data."""
    # float() reads "Infinity", which is how JSON carries an infinite score.
    return float("inf") if report["score"] is None else float(str(report["score"]))


def main() -> None:
    """Try all candidates and name the best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--service", default="http://127.0.0.1:8520")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of load for each candidate")
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    scores = {
        candidate: score_of(
            try_candidate(options.service, options.port, candidate, options.seconds)
        )
        for candidate in itertools.product(options.batches, options.devices)
    }
    batch, devices = best = min(scores, key=lambda candidate: scores[candidate])
    print(f"best: max_num_seqs={batch}, tensor_parallel={devices}, score {scores[best]:.3g}")


if __name__ == "__main__":
    main()
