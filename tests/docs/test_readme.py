"""The commands of README.md, run in its order on a simulated vLLM and a real Prometheus."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml
from tests.docs.markdown import ROOT, block, output
from tests.docs.shell import BIN, announced, shell

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


def test_readme_quickstart_scores_a_vllm(
    vllm: str, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    prometheus.add_targets("vllm", [vllm])
    addresses = {"http://127.0.0.1:9090": prometheus.url, "127.0.0.1:8000": vllm}

    def step(mark: str) -> str:
        script = block(README, mark)
        for shown, real in addresses.items():
            script = script.replace(shown, real)
        return script

    serve = [*step("serve").split(), "--port", "0", "--store", str(tmp_path / "s.db")]
    service = ChildProcess("serve", [str(BIN / serve[0]), *serve[1:]], tmp_path / "serve.log")
    try:
        addresses["127.0.0.1:8520"] = announced(service)
        registered = orjson.loads(shell(step("register")).stdout)
        assert (registered["id"], registered["state"]) == ("exp-1", "running")

        def looked() -> bool | None:
            report = orjson.loads(shell(step("look")).stdout)
            assert report["status"] == "RUNNING"
            return True if report["score"] is not None else None

        service.wait_until(looked)
        finish, final = step("finish").splitlines()
        assert orjson.loads(shell(finish).stdout)["state"] == "settling"
        report = orjson.loads(shell(final).stdout)
    finally:
        service.stop()
        prometheus.remove_targets([vllm])
    assert report["status"] == "SUCCESS"
    assert {sli["sli"]: sli["verdict"] for sli in report["slis"]} == {
        "latency_p90": "met",
        "ttft": "met",
    }


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
