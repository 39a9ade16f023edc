"""docs/tutorial.md: all its commands in their order, in one shell, with the load five times as fast."""

import json
import re
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT, block, output
from tests.docs.shell import shell
from tests.integration.alertmanager import free_port

pytestmark = pytest.mark.prometheus

PAGE = "docs/tutorial.md"
TEXT = (ROOT / PAGE).read_text()
STEPS = re.findall(r"<!-- test: (.+) -->\n```bash\n", TEXT)
PORTS = ("8000", "8001", "9091", "8520")
# A reader takes longer to go on than a program, which waits for what each step has started.
READY = {
    "prometheus": """python3 - <<'EOF'
import json, urllib.error, urllib.parse, urllib.request
query = urllib.parse.quote('count_over_time(up{instance="127.0.0.1:8000"}[1m]) >= 3')
while True:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:9091/api/v1/query?query={query}") as answer:
            if json.load(answer)["data"]["result"]:
                break
    except urllib.error.URLError:
        pass
EOF
""",
    "service": "curl -sS -o ready --retry 30 --retry-delay 1 --retry-all-errors "
    "http://127.0.0.1:8520/-/ready\n",
}


@pytest.fixture(scope="module")
def printed(prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each step prints."""
    lines = [
        "trap 'kill $(jobs -p) 2> killed || true' EXIT",
        f"export SLOSCORE_URL=http://127.0.0.1:8520 SLOSCORE_PROMETHEUS={prometheus_binary}",
        "export SLOSCORE_PORT=8520 SLOSCORE_INTERVAL=500ms",
    ]
    for step in STEPS:
        lines += [f"echo '=== {step}'", block(PAGE, step), READY.get(step, "")]
    script = "\n".join(lines)
    for shown, real in {
        **{port: str(free_port()) for port in PORTS},
        "sloscore simulate": "sloscore simulate --speed 5",
        "sleep 30": "sleep 4",
    }.items():
        script = script.replace(shown, real)
    done = shell(script, tmp_path_factory.mktemp("tutorial"))
    assert done.returncode == 0, (done.stdout, done.stderr)
    _, *parts = re.split(r"^=== (.+)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_command_of_the_page_is_run() -> None:
    assert TEXT.count("```bash") == len(STEPS)


def test_the_server_shows_its_buckets(printed: dict[str, str]) -> None:
    assert "vllm:e2e_request_latency_seconds_bucket{" in printed["metrics"]


def test_the_task_is_checked_as_shown(printed: dict[str, str]) -> None:
    assert printed["task"] == output(PAGE, "task")


def test_nothing_critical_is_found_before_the_experiment(printed: dict[str, str]) -> None:
    assert re.findall(r"exit code (\d+)", printed["doctor"]) in (["10"], [])
    assert printed["doctor"]


def test_the_first_experiment_meets_its_slos(printed: dict[str, str]) -> None:
    assert json.loads(printed["register"])["state"] == "running"
    state, shown = printed["finish"].split("\n", 1)
    assert json.loads(state)["state"] in {"settling", "scored"}
    assert pattern_of(output(PAGE, "finish")).fullmatch(shown)


def test_the_second_fails_as_shown(printed: dict[str, str]) -> None:
    assert re.findall(
        r"\b(hard_fail|violated|inf|FAILED|exit code \d)\b", printed["violation"]
    ) == (
        re.findall(r"\b(hard_fail|violated|inf|FAILED|exit code \d)\b", output(PAGE, "violation"))
    )


def test_the_first_is_the_best_and_the_second_comes_back_under_other_limits(
    printed: dict[str, str],
) -> None:
    task = json.loads(printed["compare"])
    assert task["best"] == "first"
    assert {one["id"]: one["state"] for one in task["ranking"]} == {
        "first": "scored",
        "second": "failed",
    }
    (row,) = re.findall(r"^.*\bsecond\b.*$", printed["what if"], re.MULTILINE)
    assert "SUCCESS" in row


def pattern_of(text: str) -> re.Pattern[str]:
    """The text, with any number where it has one."""
    return re.compile(re.sub(r"\d+(?:\\\.\d+)?", r"[\\d.]+", re.escape(text)))
