"""The examples of docs/baseline.md, run: the client's on real servers, the windows' by their counts."""

import contextlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.markdown import block, output
from tests.integration.service import Deployments, serving, settings

from sloscore.core.histogram import Histogram
from sloscore.evaluation.comparison import Baseline, compare_window
from sloscore.evaluation.plan import plan_registration
from sloscore.experiments.counted import CountedWindow
from sloscore.experiments.window import WindowCounts
from sloscore.wire import Registration

PAGE = "docs/baseline.md"
LIMIT = {"threshold": 1.0}
SLO = {"latency": {"p50": LIMIT, "p90": LIMIT}}


@pytest.fixture
def deployments() -> Iterator[Deployments]:
    with Deployments() as running:
        yield running


def test_the_client_tells_that_small_batches_are_worse(
    deployments: Deployments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = (deployments.quick, deployments.slow)

    def run_load() -> None:
        """Both are under load all the time: wait for some more requests of each."""
        enough = [len(server.log) + 60 for server in servers]
        deadline = time.monotonic() + 30
        while any(len(s.log) < number for s, number in zip(servers, enough, strict=True)):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    given = settings(tmp_path, prometheus={"enabled": False})
    stack = contextlib.AsyncExitStack()
    try:
        api = deployments.run(stack.enter_async_context(serving(given)))
        namespace = {
            # So certain that chance cannot fail this test.
            "task": {"task_name": "tune", "slo": {**SLO, "confidence": 0.9999}},
            "stock_page": f"http://{deployments.quick.address}/metrics",
            "tuned_page": f"http://{deployments.slow.address}/metrics",
            "run_load": run_load,
        }
        script = block(PAGE, "client").replace("http://127.0.0.1:8520", api.url)
        exec(script, namespace)  # noqa: S102  the document's own code
    finally:
        deployments.run(stack.aclose())
    assert capsys.readouterr().out.endswith(output(PAGE, "client"))


def test_the_windows_give_the_sentences_that_are_shown() -> None:
    task = {"task_name": "tune", "server": "vllm", "selector": {"a": "b"}, "slo": SLO}
    plan = plan_registration(Registration.model_validate({"id": "new", "task": task}))
    windows = {}
    for name, given in json.loads(block(PAGE, "windows")).items():
        bounds = tuple(float(bound) for bound in given["bounds"])
        latency = Histogram(bounds, tuple(given["counts"]), given["sum"])
        counts = WindowCounts({"latency": latency}, {}, 0.0, 60.0, 0.0, 0.0, 1, 0, 5.0)
        assert bounds[-1] == math.inf
        windows[name] = CountedWindow(0.0, 60.0, counts)

    found = compare_window(
        plan, windows["candidate"], Baseline("old", plan, windows["baseline"]), now=60.0
    )

    assert found.base_score is not None
    told = [found.base_score.explanation]
    for sli in found.slis:
        assert sli.over_threshold is not None
        told += [sli.explanation, sli.over_threshold.explanation]
    assert "\n".join(told) + "\n" == output(PAGE, "windows")
