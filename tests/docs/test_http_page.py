"""docs/http.md: its calls, scripts and errors, run against a real service, Prometheus and load."""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.markdown import block, output, table
from tests.docs.shell import BIN, VLLM, announced, program, shell

from sloscore.api.drafts import MAX_SLIS
from sloscore.settings import Settings
from sloscore.simulate.process import ChildProcess
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.spec.model import MAX_SELECTOR_LABELS, MAX_VALUE_LENGTH
from sloscore.wire.drafts import MAX_TEXT
from sloscore.wire.rescore import MAX_EXPERIMENTS

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(shutil.which("curl") is None, reason="apt install curl"),
]

PAGE = "docs/http.md"
# Stands for a program that may not be here: it prints a part of a JSON document.
JQ = f"""exec {sys.executable} -c '
import json, sys
document = json.load(sys.stdin)
print(document[sys.argv[2][1:]] if sys.argv[1] == "-r" else json.dumps(document, indent=2))
' "$@"
"""


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs what the page shows, with the addresses of this machine."""

    place: Path
    tools: Path
    addresses: Mapping[str, str]

    def here(self, text: str) -> str:
        for shown, real in self.addresses.items():
            text = text.replace(shown, real)
        return text

    def run(self, script: str, code: int = 0) -> str:
        """What the script prints; fails where it does not exit with ``code``."""
        url = "export SLOSCORE_URL=http://127.0.0.1:8520"
        done = shell(self.here(f"{url}\n{script}"), self.place, self.tools)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of programs that the page's scripts call."""
    place = tmp_path_factory.mktemp("bin")
    for name, script in (("vllm", VLLM), *(() if shutil.which("jq") else (("jq", JQ),))):
        program(place, name, script)
    return place


@pytest.fixture(scope="module")
def page(
    prometheus: PrometheusProcess, tools: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    place = tmp_path_factory.mktemp("http")
    simulate = [sys.executable, "-u", "-m", "sloscore", "simulate", "--port", "0", "--rate", "30"]
    vllm = ChildProcess("vllm", [*simulate, "--tensor-parallel", "4"], place / "vllm.log")
    serve = [str(BIN / "sloscore"), "serve", "--port", "0", "--interval", "0.2", "--prometheus"]
    serve += [prometheus.url, "--store", str(place / "s.db")]
    service = ChildProcess("serve", serve, place / "serve.log")
    addresses = {"127.0.0.1:8000": announced(vllm), "127.0.0.1:8520": announced(service)}
    prometheus.add_targets("http", [addresses["127.0.0.1:8000"]])
    page = Shell(place, tools, addresses)
    (place / "task.json").write_text(page.here(block(PAGE, "task")), encoding="utf-8")
    yield page
    service.stop()
    prometheus.remove_targets([addresses["127.0.0.1:8000"]])
    vllm.stop()


def test_three_calls_give_a_score(page: Shell) -> None:
    assert json.loads(page.run(block(PAGE, "register")))["state"] == "running"
    while json.loads(page.run(block(PAGE, "look")))["score"] is None:
        pass
    page.run(block(PAGE, "phases"))
    assert json.loads(page.run(block(PAGE, "finish")))["state"] == "settling"
    report = json.loads(page.run(block(PAGE, "wait")))
    assert (report["experiment"], report["status"]) == ("chat-17", "SUCCESS")
    assert [phase["name"] for phase in report["phases"]] == ["concurrency 8"]


def test_an_experiment_is_aborted(page: Shell) -> None:
    page.run(block(PAGE, "register").replace("chat-17", "chat-18"))
    assert json.loads(page.run(block(PAGE, "abort")))["state"] == "aborted"


def test_the_script_scores_a_load(page: Shell) -> None:
    report = json.loads(page.run(block(PAGE, "script")))
    assert (report["task"], report["status"]) == ("chat", "SUCCESS")
    assert report["window"]["requests"] >= 20


def test_the_script_aborts_where_the_load_breaks_off(page: Shell) -> None:
    script = block(PAGE, "script").replace("vllm bench serve", "false").replace("chat-$", "off-$")
    page.run(script, code=1)
    listing = page.run("curl -sS 'http://127.0.0.1:8520/api/v1/experiments?limit=1'")
    (newest,) = json.loads(listing)["experiments"]
    assert newest["id"].startswith("off-")
    assert (newest["state"], newest["reason"]) == ("aborted", "the load broke off")


def test_the_command_does_the_same(page: Shell) -> None:
    printed = page.run(block(PAGE, "run"))
    assert re.search(r"^Score .*SUCCESS$", printed, re.MULTILINE)


def test_a_mistake_is_answered_as_shown(page: Shell) -> None:
    assert page.run(block(PAGE, "mistake")) == output(PAGE, "mistake")


def test_limits_are_those_of_the_code() -> None:
    shown = {row["what"]: row for row in table(PAGE, "limits")}
    most = {what: row["most"].removesuffix(" characters") for what, row in shown.items()}
    for row in shown.values():
        if row["setting"]:
            section, name = row["setting"].strip("`").split(".")
            assert in_units(row["most"]) == getattr(getattr(Settings(), section), name), row
    assert {what: int(number) for what, number in most.items() if not shown[what]["setting"]} == {
        "labels of a selector": MAX_SELECTOR_LABELS,
        "a label's value": MAX_VALUE_LENGTH,
        "experiments of a page or a rescored task": MAX_EXPERIMENTS,
        "the text of a file to check": MAX_TEXT,
        "SLOs of drawn curves and compiled rules": MAX_SLIS,
    }


def in_units(text: str) -> float:
    """A number with or without its unit, in bytes or seconds."""
    number, _, unit = text.partition(" ")
    return float(number) * {"": 1, "MiB": 2**20, "s": 1, "h": 3600}[unit]


def test_every_error_is_in_the_table(page: Shell) -> None:
    api = json.loads(page.run("curl -sS http://127.0.0.1:8520/openapi.json"))
    problems = {
        status
        for path, operations in api["paths"].items()
        if path.startswith("/api/v1/experiments")
        for operation in operations.values()
        for status in operation["responses"]
        if status >= "400"
    }
    shown = {code for row in table(PAGE, "errors") for code in re.findall(r"\d+", row["status"])}
    assert problems <= shown


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("-d '{' -H 'Content-Type: application/json'", "400"),
        ("-d '{}'", "415"),
        ("-d '{}' -H 'Content-Type: application/json'", "422"),
        ("-X DELETE", "405"),
    ],
)
def test_errors_have_the_status_of_the_table(page: Shell, request_: str, status: str) -> None:
    url = "http://127.0.0.1:8520/api/v1/experiments"
    answered = page.run(f"curl -sS -o /dev/null -w '%{{http_code}}' {url} {request_}")
    assert answered == status
    assert status in {row["status"] for row in table(PAGE, "errors")}
