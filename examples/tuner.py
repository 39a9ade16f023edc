"""A grid search that asks sloscore for the score of each candidate; plain HTTP, no client library.

It needs sloscore at SERVICE, and a Prometheus that scrapes 127.0.0.1:PORT. Candidates run as simulated
servers here: replace deploy() by what starts your own. Run it with:

    python examples/tuner.py --service http://127.0.0.1:8520 --port 8000
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.request

SLO = {
    "latency": {"p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2}},
    "ttft": {"threshold": 1.0, "weight": 2.0},
}


def deploy(port: int, max_num_seqs: int) -> subprocess.Popen[bytes]:
    """Start one candidate, with load from its first second on."""
    command = [sys.executable, "-m", "sloscore", "simulate", "--port", str(port), "--rate", "8"]
    return subprocess.Popen([*command, "--max-num-seqs", str(max_num_seqs)])


def call(url: str, body: object = None) -> dict[str, object]:
    """One call to the API: POST with a body, GET without."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=90) as answer:
        document: dict[str, object] = json.load(answer)
        return document


def try_candidate(service: str, port: int, max_num_seqs: int, seconds: float) -> float:
    """The score of one candidate; infinite where it broke a hard SLO or gave no data."""
    name = f"batch-{max_num_seqs}-{int(time.time())}"
    experiment = f"{service}/api/v1/experiments/{name}"
    task = {"task_name": "grid", "slo": SLO}
    # Registered before the server starts, so that its first requests count, too.
    registered = call(
        f"{service}/api/v1/experiments",
        {"id": name, "task": task, "server": "vllm", "selector": {"instance": f"127.0.0.1:{port}"}},
    )
    # A repeated registration is answered, too: its load may have ended long ago.
    if registered["state"] != "running":
        raise SystemExit(f"{name} is already {registered['state']}: choose another id")
    server = deploy(port, max_num_seqs)
    try:
        time.sleep(seconds)
        call(f"{experiment}/finish", {})
        # The closing scrape comes within a scrape interval: the server must live until then.
        report = call(f"{experiment}/score?wait=60")
    finally:
        server.terminate()
        server.wait()
    print(
        f"{name}: {report['status']} score {report['score']} {report['reason'] or ''}", flush=True
    )
    # float() reads "Infinity", which is how JSON carries an infinite score.
    return float("inf") if report["score"] is None else float(str(report["score"]))


def main() -> None:
    """Try all candidates and name the best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--service", default="http://127.0.0.1:8520")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    scores = {
        batch: try_candidate(options.service, options.port, batch, options.seconds)
        for batch in (4, 64)
    }
    best = min(scores, key=lambda batch: scores[batch])
    print(f"best: max_num_seqs={best}, score {scores[best]:.3g}")


if __name__ == "__main__":
    main()
