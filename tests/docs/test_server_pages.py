"""docs/vllm.md, docs/sglang.md and docs/no-prometheus.md, on simulated servers and a real Prometheus."""

import asyncio
import json
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT, block
from tests.docs.shell import BIN, LOAD, VLLM, announced, program, shell

from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.spec.preset import load_preset

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(shutil.which("curl") is None, reason="apt install curl"),
]

# Stands for ``python3 -m sglang.bench_serving --backend sglang --base-url URL``.
SGLANG = f"""import os, sys
command = "{LOAD}".split() + [sys.argv[4] + "/metrics", "20"]
os.execv(command[0], command)
"""
SHOWN = {"vllm": "127.0.0.1:8000", "sglang": "127.0.0.1:30000"}
WITH_PROMETHEUS = tuple(SHOWN)


@dataclass(frozen=True, slots=True)
class Desk:
    """Runs what the pages show, with the addresses of this machine."""

    place: Path
    addresses: Mapping[str, str]

    def run(self, page: str, mark: str, where: Path) -> str:
        script = "export SLOSCORE_URL=http://127.0.0.1:8520\n" + block(page, mark)
        for shown, real in self.addresses.items():
            script = script.replace(shown, real)
        done = shell(
            f"export PYTHONPATH={self.place}:${{PYTHONPATH:-}}\n{script}", where, self.place
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(scope="module")
def desk(prometheus: PrometheusProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    place = tmp_path_factory.mktemp("desk")
    program(place, "vllm", VLLM)
    (place / "sglang").mkdir()
    (place / "sglang" / "bench_serving.py").write_text(SGLANG, encoding="utf-8")
    simulate = [sys.executable, "-u", "-m", "sloscore", "simulate", "--port", "0", "--rate", "30"]
    simulate += ["--tensor-parallel", "4"]
    processes = [
        ChildProcess(kind, [*simulate, "--kind", kind], place / f"{kind}.log") for kind in SHOWN
    ]
    servers = [announced(process) for process in processes]
    prometheus.add_targets("desk", servers)
    for server in servers:
        # One that comes later than the first one or two, which see no load yet.
        asyncio.run(prometheus.wait_for_scrape(server, time.time() + 1))
    serve = [str(BIN / "sloscore"), "serve", "--port", "0", "--interval", "0.2", "--prometheus"]
    serve += [prometheus.url, "--store", str(place / "s.db")]
    processes.append(ChildProcess("serve", serve, place / "serve.log"))
    shown = dict(zip(SHOWN.values(), servers, strict=True))
    yield Desk(
        place,
        {
            **shown,
            "127.0.0.1:8520": announced(processes[-1]),
            "127.0.0.1:9090": prometheus.url.removeprefix("http://"),
            "for 60s": "for 2s",
        },
    )
    prometheus.remove_targets(servers)
    for process in processes:
        process.stop()


@pytest.mark.parametrize("server", WITH_PROMETHEUS)
def test_a_server_is_scored_as_its_page_says(desk: Desk, server: str, tmp_path: Path) -> None:
    page = f"docs/{server}.md"
    assert desk.run(page, "task", tmp_path).startswith("task.yaml: OK")
    option = {"vllm": "--custom-histogram-buckets", "sglang": "--bucket-e2e-request-latency"}
    assert option[server] in desk.run(page, "buckets", tmp_path)
    assert re.search(r"^OK +metrics", desk.run(page, "doctor", tmp_path), re.MULTILINE)
    assert re.search(r"^Score .*SUCCESS$", desk.run(page, "run", tmp_path), re.MULTILINE)


@pytest.mark.parametrize("server", WITH_PROMETHEUS)
def test_the_metrics_of_a_page_are_those_of_the_preset(server: str) -> None:
    known = {name for metric in load_preset(server).metrics.values() for name in metric.names}
    shown = set(re.findall(rf"`({server}:\w+)`", (ROOT / "docs" / f"{server}.md").read_text()))
    assert shown
    assert shown <= known


def test_a_server_is_scored_without_a_prometheus(desk: Desk, tmp_path: Path) -> None:
    page = "docs/no-prometheus.md"
    desk.run(page, "task", tmp_path)
    for mark in ("score", "run"):
        assert re.search(r"^Score .*SUCCESS$", desk.run(page, mark, tmp_path), re.MULTILINE), mark
    serve = [*block(page, "serve").split(), "--port", "0", "--store", str(tmp_path / "s.db")]
    process = ChildProcess("serve", [str(BIN / serve[0]), *serve[1:]], tmp_path / "serve.log")
    try:
        alone = Desk(desk.place, {**desk.addresses, "127.0.0.1:8520": announced(process)})
        assert json.loads(alone.run(page, "register", tmp_path))["state"] == "running"
        shell(f'{LOAD} "http://{desk.addresses[SHOWN["vllm"]]}/metrics" 20 < /dev/null')
        answers = alone.run(page, "finish", tmp_path)
        report = json.loads(answers[answers.index('{"experiment"') :])
        assert report["status"] == "SUCCESS"
    finally:
        process.stop()
