"""``sloscore run`` with a real service process: what passes through, the score, and exit codes."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.command import Ended, sloscore
from tests.integration.service import EXPERIMENTS, NOWHERE, Deployments, Json

from sloscore.cli.exits import code_of_command
from sloscore.client.testing import FakeService
from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.wire import Report

pytest_plugins = ["tests.integration.service_fixtures"]
pytestmark = pytest.mark.prometheus

MET = {"latency": {"p50": {"threshold": 5000.0}}}
SOFT = {"latency": {"p50": {"threshold": 0.1}}, "steepness": 1000.0}
HARD = {"latency": {"p50": {"threshold": 0.1, "hard_fail": True}}}
LOAD = [sys.executable, str(Path(__file__).with_name("load_script.py"))]
# Any request over the limit but the first proves that this P50 breaks it.
DOOMED = {**HARD, "early_stop": {"planned_requests": 2}}


@dataclass(frozen=True, slots=True)
class Lab:
    """A service in a process of its own, and the deployment that it scores."""

    url: str
    instance: str

    @property
    def metrics(self) -> str:
        return f"http://{self.instance}/metrics"

    def load(self, requests: int = 20) -> list[str]:
        return [*LOAD, self.metrics, str(requests)]

    def ask(self, path: str) -> Json:
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def arguments(self, slo: Path, *options: str, command: list[str]) -> list[str]:
        deployment = ["--selector", f"instance={self.instance}", "--server", "vllm"]
        given = ["run", "--url", self.url, "--slo", str(slo), *deployment, *options]
        return [*given, "--", *command]

    def run(self, slo: Path, *options: str, command: list[str]) -> Ended:
        return sloscore(*self.arguments(slo, *options, command=command))

    def run_apart(self, slo: Path, *options: str, command: list[str], into: str = "") -> Ended:
        """A run in a process of its own, as its streams are the command's."""
        done = subprocess.run(
            [sys.executable, "-m", "sloscore", *self.arguments(slo, *options, command=command)],
            input=into, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def lab(
    prometheus: PrometheusProcess,
    deployments: Deployments,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lab]:
    place = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-u", "-m", "sloscore", "serve", "--port", "0", "--interval", "0.2"]
    command += ["--prometheus", prometheus.url, "--store", str(place / "s.db")]
    service = ChildProcess("serve", command, place / "serve.log")

    def listens() -> str | None:
        found = re.search(r"listens on (http://\S+)", service.output())
        return None if found is None else found[1]

    yield Lab(service.wait_until(listens), deployments.quick.address)
    service.stop()


@pytest.fixture
def section(tmp_path: Path) -> Path:
    return written(tmp_path, MET)


def written(place: Path, slo: Json) -> Path:
    path = place / "chat.json"
    path.write_text(json.dumps(slo), encoding="utf-8")
    return path


def test_a_command_keeps_its_streams_and_the_score_follows(lab: Lab, section: Path) -> None:
    ended = lab.run_apart(section, "--id", "streams", command=lab.load(), into="begin\n")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[:2] == ["BEGIN", "the load has ended"]
    assert lines[2].split() == ["SLI", "VALUE", "INTERVAL", "THRESHOLD", "PENALTY", "VERDICT"]
    assert lines[3].startswith("latency_p50 ")
    assert any(line.startswith("Score ") and line.endswith("SUCCESS") for line in lines)
    assert ended.err.splitlines() == [
        "sloscore: experiment streams runs",
        "the load begins",
        "sloscore: the load has ended; waiting for the score",
    ]
    report = lab.ask(f"{EXPERIMENTS}/streams/score")
    assert (report["task"], report["status"]) == ("chat", "SUCCESS")
    assert report["window"]["requests"] >= 20


def test_json_is_the_services_own_report(lab: Lab, section: Path) -> None:
    options = ("--id", "json", "--task", "mine", "--objective", "minimize_ttft", "--json")
    ended = lab.run(section, *options, command=["true"])
    report = json.loads(ended.out)
    assert report == lab.ask(f"{EXPERIMENTS}/json/score")
    assert (report["task"], report["objective"]) == ("mine", "minimize_ttft")
    Report.model_validate(report)


@pytest.mark.parametrize(
    ("slo", "options", "code"),
    [
        (SOFT, [], 0),
        (SOFT, ["--fail-on-soft"], 1),
        (MET, ["--fail-on-soft"], 0),
        (HARD, [], 2),
        ({**MET, "min_requests": 10**6}, [], 4),
    ],
)
def test_the_exit_code_is_the_verdict(
    lab: Lab, tmp_path: Path, slo: Json, options: list[str], code: int
) -> None:
    ended = lab.run(written(tmp_path, slo), *options, command=lab.load())
    assert ended.code == code, ended.err


def test_a_service_scrapes_a_target_itself(lab: Lab, section: Path) -> None:
    done = sloscore(
        "run", "--url", lab.url, "--slo", str(section), "--target", lab.metrics, "--json",
        *lab.load(5),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["window"]["requests"] >= 5


def test_a_command_that_fails_aborts_the_experiment(lab: Lab, section: Path) -> None:
    ended = lab.run(section, "--id", "failing", command=["sh", "-c", "exit 3"])
    assert (ended.code, ended.out) == (103, "")
    assert ended.err.splitlines()[1:] == [
        "sloscore: experiment failing is aborted",
        "sloscore: sh exited with 3",
    ]
    experiment = lab.ask(f"{EXPERIMENTS}/failing")
    assert (experiment["state"], experiment["reason"]) == (
        "aborted", "sh exited with 3",
    )  # fmt: skip


def test_a_load_that_is_bound_to_fail_is_ended_and_scored(lab: Lab, tmp_path: Path) -> None:
    ended = lab.run(
        written(tmp_path, DOOMED), "--stop-early", "--id", "doomed", command=["sleep", "60"]
    )
    assert ended.code == 2, ended.err
    assert "sloscore: ending the load: " in ended.err
    assert "hard limit is broken whatever follows" in ended.err
    assert lab.ask(f"{EXPERIMENTS}/doomed")["state"] == "failed"


def test_without_being_asked_to_it_ends_no_load(lab: Lab, tmp_path: Path) -> None:
    command = lab.load(60)
    ended = lab.run_apart(written(tmp_path, DOOMED), command=command, into="to the end\n")
    assert ended.code == 2
    assert ended.out.startswith("TO THE END\nthe load has ended\n")


def test_an_id_that_is_taken_is_refused_before_the_load(lab: Lab, section: Path) -> None:
    lab.run(section, "--id", "taken", command=["false"])
    ended = lab.run_apart(section, "--id", "taken", command=["echo", "load"])
    assert (ended.code, ended.out) == (64, "")
    assert ended.err == "sloscore: taken is already aborted: choose another id\n"


def test_no_service_scrapes_by_itself(lab: Lab, section: Path) -> None:
    arguments = ("run", "--no-service", "--slo", str(section), "--target", lab.metrics)
    ended = sloscore(*arguments, "--json", "--", *lab.load(30))
    assert (ended.code, ended.err) == (0, f"sloscore: scraping {lab.metrics}\n")
    report = json.loads(ended.out)
    assert (report["status"], report["experiment"]) == ("SUCCESS", None)
    assert report["window"]["requests"] >= 30
    assert sloscore(*arguments, "sh", "-c", "exit 3").code == 103
    assert (
        sloscore("run", "--no-service", "--slo", str(section), "--target", NOWHERE, "true").code
        == 5
    )


@pytest.mark.parametrize(
    ("returncode", "code"),
    [(1, 101), (25, 125), (26, 100), (125, 100), (126, 126), (127, 127), (137, 137), (255, 255),
     (-9, 137), (-15, 143)],
)  # fmt: skip
def test_a_commands_code_is_never_one_of_sloscores(returncode: int, code: int) -> None:
    assert code_of_command(returncode) == code >= 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing argument 'COMMAND...'"),
        (["--nonsense", "true"], "No such option '--nonsense'"),
        (["--grace", "soon", "true"], "'soon' is no duration"),
        (["--timeout", "0s", "true"], "must be above 0"),
        (["--url", "localhost", "true"], "the URL must look like"),
        (["--id", "a b", "true"], "id: "),
        (["--target", "localhost", "true"], "target: 'localhost' is no URL"),
        (["--no-service", "true"], "--no-service needs --target"),
        (["--no-service", "--target", NOWHERE, "--id", "a", "true"], "--no-service needs"),
        (["--stop-early", "true"], "--stop-early needs early_stop in the slo section"),
        (["--token-file", "nowhere", "true"], "--token-file: the file (of a name"),
        (["--slo", "nowhere.yaml", "true"], "nowhere.yaml: there is no such file"),
    ],
)
def test_wrong_usage_ends_with_64_and_a_sentence(
    section: Path, arguments: list[str], sentence: str
) -> None:
    ended = sloscore("run", "--slo", str(section), *arguments)
    assert (ended.code, ended.out) == (64, "")
    assert sentence in ended.err


def test_a_mistake_in_the_file_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text("ttft:\n  threshold: fast\n", encoding="utf-8")
    ended = sloscore("run", "--slo", str(path), "true")
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith(f"sloscore: {path}:2: ttft.threshold: ")


def test_a_program_that_is_not_there_registers_nothing(section: Path) -> None:
    with FakeService() as fake:
        ended = sloscore("run", "--url", fake.url, "--slo", str(section), "no-such-program")
        assert (ended.code, fake.states) == (127, {})
    assert ended.err == "sloscore: there is no program no-such-program\n"


def test_a_file_that_is_no_program_registers_nothing(section: Path) -> None:
    with FakeService() as fake:
        ended = sloscore("run", "--url", fake.url, "--slo", str(section), str(section))
        assert (ended.code, fake.states) == (126, {})
    assert ended.err == f"sloscore: {section} cannot be run: it is not an executable file\n"


def test_a_service_that_is_not_there_is_told_with_what_to_do(section: Path) -> None:
    ended = sloscore("run", "--url", NOWHERE, "--slo", str(section), "echo", "load")
    assert (ended.code, ended.out) == (6, "")
    assert f"sloscore: no answer from {NOWHERE}: Connection refused" in ended.err
    assert "sloscore serve --prometheus" in ended.err
    assert "--no-service" in ended.err


def test_a_token_comes_from_a_file_or_the_environment(section: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("of the tests\n", encoding="utf-8")
    with FakeService("of the tests") as fake:
        arguments = ("run", "--url", fake.url, "--slo", str(section))
        refused = sloscore(*arguments, "true", env={"SLOSCORE_TOKEN": ""})
        assert (refused.code, fake.states) == (6, {})
        assert sloscore(*arguments, "true", env={"SLOSCORE_TOKEN": "of the tests"}).code == 0
        assert sloscore(*arguments, "--token-file", str(token), "true").code == 0
        assert set(fake.states.values()) == {"finished"}


def test_a_command_is_told_which_experiment_it_is(section: Path, tmp_path: Path) -> None:
    tell = f'echo "$SLOSCORE_URL $SLOSCORE_EXPERIMENT" > {tmp_path}/told'
    with FakeService() as fake:
        sloscore("run", "--url", fake.url, "--slo", str(section), "sh", "-c", tell)
        (experiment,) = fake.states
    assert (tmp_path / "told").read_text() == f"{fake.url} {experiment}\n"
    assert re.fullmatch(r"chat-\d{8}T\d{6}Z-[0-9a-f]{6}", experiment)


def test_a_report_of_another_version_is_printed_as_it_is(section: Path) -> None:
    with FakeService() as fake:
        fake.will_report("new", grade="A")
        ended = sloscore("run", "--url", fake.url, "--slo", str(section), "--id", "new", "true")
    assert ended.code == 0
    assert json.loads(ended.out)["grade"] == "A"
    assert "sloscore: the service is of another version" in ended.err


def test_a_score_that_does_not_come_in_time_ends_with_6(section: Path) -> None:
    with FakeService() as fake:
        fake.will_report("late", status="RUNNING", reason="the source is away")
        ended = sloscore(
            "run", "--url", fake.url, "--slo", str(section), "--id", "late", "--timeout", "0.1",
            "true",
        )  # fmt: skip
        assert fake.states == {"late": "finished"}
    assert (ended.code, ended.out) == (6, "")
    assert "late has no final score after 0.1 s: the source is away" in ended.err


def test_an_experiment_that_others_called_off_ends_with_6(section: Path) -> None:
    with FakeService() as fake:
        abort = f"urllib.request.urlopen('{fake.url}{EXPERIMENTS}/off/abort', b'{{}}')"
        command = [sys.executable, "-c", f"import urllib.request; {abort}"]
        ended = sloscore("run", "--url", fake.url, "--slo", str(section), "--id", "off", *command)
    assert (ended.code, ended.out) == (6, "")
    assert "sloscore: experiment 'off' is aborted; somebody else has ended it" in ended.err
