"""The commands of README.md, run in its order on a simulated vLLM and a real Prometheus."""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import yaml
from tests.docs.markdown import ROOT, block, output
from tests.docs.shell import BIN, announced, shell

from sloscore import SLOClient
from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess

README = "README.md"


@pytest.fixture
def vllm(tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, "-u", "-m", "sloscore", "simulate", "--port", "0", "--rate", "30"]
    command += ["--tensor-parallel", "4"]
    process = ChildProcess("vllm", command, tmp_path / "vllm.log")
    yield announced(process)
    process.stop()


@dataclass(frozen=True, slots=True)
class Walk:
    """The README's service beside a vLLM under load; ``real`` has the addresses for those it shows."""

    service: ChildProcess
    real: dict[str, str]

    def step(self, mark: str) -> str:
        script = block(README, mark)
        for shown, real in self.real.items():
            script = script.replace(shown, real)
        return script


@pytest.fixture
def walk(vllm: str, prometheus: PrometheusProcess, tmp_path: Path) -> Iterator[Walk]:
    prometheus.add_targets("vllm", [vllm])
    serve = block(README, "serve").replace("http://127.0.0.1:9090", prometheus.url).split()
    command = [str(BIN / serve[0]), *serve[1:], "--port", "0", "--store", str(tmp_path / "s.db")]
    service = ChildProcess("serve", command, tmp_path / "serve.log")
    try:
        address = announced(service)
        real = {"127.0.0.1:8520": address, "http://127.0.0.1:9090": prometheus.url}
        yield Walk(service, {**real, "127.0.0.1:8000": vllm})
    finally:
        service.stop()
        prometheus.remove_targets([vllm])


def test_readme_quickstart_scores_a_vllm(walk: Walk) -> None:
    registered = orjson.loads(shell(walk.step("register")).stdout)
    assert (registered["id"], registered["state"]) == ("exp-1", "running")

    def looked() -> bool | None:
        report = orjson.loads(shell(walk.step("look")).stdout)
        assert report["status"] == "RUNNING"
        return True if report["score"] is not None else None

    walk.service.wait_until(looked)
    finish, final = walk.step("finish").splitlines()
    assert orjson.loads(shell(finish).stdout)["state"] == "settling"
    report = orjson.loads(shell(final).stdout)
    assert report["status"] == "SUCCESS"
    assert {sli["sli"]: sli["verdict"] for sli in report["slis"]} == {
        "latency_p90": "met",
        "ttft": "met",
    }


def test_readme_scores_around_a_command_and_its_window_once_more(
    walk: Walk, tmp_path: Path
) -> None:
    task, load, table = (tmp_path / name for name in ("task.yaml", "load.sh", "day.csv"))
    shown = (ROOT / "examples/vllm_task.yaml").read_text()
    task.write_text(shown.replace("min_requests: 200", "min_requests: 20"))
    # As long as it takes until there is a score.
    load.write_text(
        'until curl -sS --fail "$SLOSCORE_URL/api/v1/experiments/$SLOSCORE_EXPERIMENT/score" '
        "| grep -q '\"score\":[0-9]'; do sleep 0.2; done\n"
    )
    walk.real.update(
        {
            "examples/vllm_task.yaml": str(task),
            "-- ./load.sh": f"--json --url http://{walk.real['127.0.0.1:8520']} -- bash {load}",
        }
    )
    ran = shell(walk.step("run"))
    assert ran.returncode == 0, ran
    window = orjson.loads(ran.stdout)["window"]
    walk.real.update(
        {
            **dict.fromkeys(("2026-11-24T12:00:00Z", "2026-11-24T00:00:00Z"), window["start"]),
            **dict.fromkeys(("2026-11-24T12:05:00Z", "2026-11-25T00:00:00Z"), window["end"]),
            "--every 5m": "--every 3s",
            "day.csv": str(table),
        }
    )
    for mark in ("past", "many"):
        again = shell(walk.step(mark))
        assert again.returncode == 0, again
    assert len(table.read_text().splitlines()) > 1


def test_readme_scores_in_a_block_of_python(walk: Walk, capsys: pytest.CaptureFixture[str]) -> None:
    script = walk.step("client").replace(
        "SLOClient()", f"SLOClient('http://{walk.real['127.0.0.1:8520']}')"
    )

    def run_load(stop_early: Callable[[], bool]) -> None:
        def scored() -> bool | None:
            score = client.score("exp-2").score
            return True if score is not None and not stop_early() else None

        client = SLOClient(f"http://{walk.real['127.0.0.1:8520']}")
        walk.service.wait_until(scored)

    slo = {"ttft": {"threshold": 1.0, "weight": 2.0}}
    exec(script, {"slo": slo, "run_load": run_load})  # noqa: S102  the document's own code
    assert float(capsys.readouterr().out) > 0


def test_readme_scores_numbers_as_it_shows() -> None:
    assert shell(block(README, "numbers")).stdout == output(README, "numbers")


def test_readme_scrape_configuration_is_valid_yaml() -> None:
    (config,) = re.findall(r"```yaml\n(.*?)```", (ROOT / README).read_text(), re.DOTALL)
    (job,) = yaml.safe_load(config)["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8000"]}]


def test_readme_names_every_preset() -> None:
    presets = {path.stem for path in (ROOT / "service/sloscore/spec/presets").glob("*.yaml")}
    shown = re.findall(r"^\| .+ \| `([\w-]+)` \|", (ROOT / README).read_text(), re.MULTILINE)
    assert set(shown) == presets


def test_every_make_target_that_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in (README, "CONTRIBUTING.md"):
        named = set(
            re.findall(r"(?:^|`)make ([a-z0-9-]+)", (ROOT / document).read_text(), re.MULTILINE)
        )
        assert named <= targets
