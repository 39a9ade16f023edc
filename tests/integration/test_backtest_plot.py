"""Pictures of backtests, and what Prometheus itself says in them, through prometheus-api-client."""

import importlib
import json
import socket
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from tests.cli.command import sloscore
from tests.integration.service import NOWHERE, Deployments, Json

from sloscore.errors import SourceError
from sloscore.evaluation.backtest import Row, Window
from sloscore.evaluation.plan import plan_window
from sloscore.evaluation.report import report_values
from sloscore.settings import PrometheusSettings
from sloscore.simulate.prometheus import PrometheusProcess
from sloscore.wire import ScoreRequest

pytest_plugins = ["tests.integration.service_fixtures"]

# The client's own call of pandas, which pandas 4 will refuse: the extra stops before it.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

for _module in ("matplotlib", "pandas", "prometheus_api_client"):
    pytest.importorskip(
        _module, reason="needs the analysis extra: pip install 'sloscore[analysis]'"
    )
overlay = importlib.import_module("sloscore.analysis.overlay")
picture = importlib.import_module("sloscore.analysis.picture")

PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"
SLO = {
    "latency": {"p50": {"threshold": 0.01, "hard_fail": True}, "p90": {"threshold": 5000.0}},
    "tpot": {"threshold": 5000.0},
}
TIMES = [1000.0, 1015.0, 1060.0, 1075.0]


@dataclass
class Answering:
    """A server on loopback with one answer for all; ``headers`` are those of its requests."""

    body: bytes
    status: int = 200
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def answering(body: object, status: int = 200) -> Iterator[Answering]:
    answer = Answering(body if isinstance(body, bytes) else json.dumps(body).encode(), status)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.headers.append(dict(self.headers))
            self.send_response(answer.status)
            self.send_header("Location", f"{answer.url}/elsewhere")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    answer.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield answer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def matrix(times: Sequence[float]) -> Json:
    values = [[at, "NaN" if at == TIMES[1] else str(at / 100)] for at in times]
    return {"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {}, "values": values}]}}  # fmt: skip


def read(url: str, **settings: object) -> Json:
    given = PrometheusSettings.model_validate({"url": url, **settings})
    return overlay.read_figures(given, {"p90": "vector(1)"}, (1000.0, 1100.0), 15.0)


def test_a_line_breaks_where_prometheus_has_no_figure() -> None:
    with answering(matrix(TIMES)) as server:
        series = read(server.url)["p90"]
    seen = [(at.timestamp(), value) for at, value in series.items() if value == value]  # noqa: PLR0124  not NaN
    assert seen == [(1000, 10.0), (1060, 10.6), (1075, 10.75)]
    missing = [at.timestamp() for at, value in series.items() if value != value]  # noqa: PLR0124  NaN
    assert missing == [1015, 1052.5]
    assert str(series.index.tz) == "UTC"


def test_an_answer_without_series_is_left_out() -> None:
    empty = {"status": "success", "data": {"resultType": "matrix", "result": []}}
    with answering(empty) as server:
        assert read(server.url) == {}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b'{"status":"error","error":"bad query"}', "400.*bad query"),
        (503, b"starting up", "503.*starting up"),
        (200, b"<html>", "Expecting value"),
        (200, b"{}", "data"),
        (302, b"", "Exceeded 0 redirects"),
    ],
)
def test_an_answer_that_is_none_is_told_in_its_own_words(
    status: int, body: bytes, words: str
) -> None:
    with answering(body, status) as server:
        with pytest.raises(SourceError, match=words) as caught:
            read(server.url)
        assert str(caught.value).startswith(f"Prometheus at {server.url}: ")
    assert len(server.headers) == 1


def test_a_server_that_never_answers_is_given_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SourceError, match="timed out"):
            read(url, timeout="200ms")


def test_it_comes_with_the_credentials_of_the_settings_and_not_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    monkeypatch.setenv("http_proxy", NOWHERE)
    with answering(matrix(TIMES)) as server:
        read(server.url, bearer_token="of the settings", headers={"X-Scope-OrgID": "tenant"})
    (headers,) = server.headers
    assert headers["Authorization"] == "Bearer of the settings"
    assert headers["X-Scope-OrgID"] == "tenant"


def row(start: float, p50: float | None, slo: Json = None) -> Row:
    """A window of 10 s with a value of one SLI; without one there is no data."""
    slo = slo or {"latency": {"p50": {"threshold": 1.0, "hard_fail": True, "fail_ratio": 1.0}}}
    values = {"latency_p50": p50} if slo["latency"] else {}
    numbers = {"slo": slo, "base_score": 1.0, "values": values}
    report = report_values(ScoreRequest.model_validate(numbers), now=0.0)
    return Row(Window(start=start, end=start + 10), report)


def plotted(rows: Sequence[Row], ending: str, slo: Json = None) -> tuple[bytes, str | None]:
    document = {
        "slo": slo or {"latency": {"p50": {"threshold": 1.0, "hard_fail": True}}},
        "selector": {"instance": "$a$"},
        "server": "vllm",
        "window": {"start": 1, "end": 2},
    }
    plan = plan_window(ScoreRequest.model_validate(document))
    content, lacks = picture.plot("chat", rows, plan, PrometheusSettings(url=NOWHERE), ending)
    assert isinstance(content, bytes)
    return content, lacks


MIXED = [
    row(0, 0.5),
    row(10, 1.5),
    row(20, 2.5),
    row(30, 900.0),
    row(40, None),
    Row(Window(start=50, end=60), failure=SourceError("too large")),
    row(55, 0.5),
]


@pytest.mark.parametrize("rows", [MIXED, MIXED[:1], MIXED[2:3], MIXED[4:5], MIXED[5:6]])
def test_whatever_rows_hold_is_drawn(rows: Sequence[Row]) -> None:
    content, lacks = plotted(rows, ".png")
    assert content.startswith(PNG)
    assert lacks is not None
    assert lacks.startswith(f"the plot lacks Prometheus' own figures: Prometheus at {NOWHERE}: ")


def test_the_same_rows_give_the_same_picture() -> None:
    assert plotted(MIXED, ".svg") == plotted(MIXED, ".svg")


def test_windows_are_marked_by_what_became_of_them() -> None:
    content, _ = plotted(MIXED, ".svg")
    found = drawn(content)
    assert found["latency_p50-values"] == 5
    for panel in range(3):
        assert found[f"hard-fail-{panel}"] == 2
        assert found[f"no-data-{panel}"] == found[f"error-{panel}"] == 1
    text = "".join(ET.fromstring(content).itertext())  # noqa: S314  made just now
    assert "chat: minimize_latency, 7 windows of 10 s" in text
    assert "instance=$a$   3 scored, 2 failed, 1 without data, 1 with errors" in text


def drawn(content: bytes) -> dict[str, int]:
    """How many shapes each named group of a picture has."""
    groups = ET.fromstring(content).iter(f"{SVG}g")  # noqa: S314  made just now
    return {
        group.get("id", ""): len(group.findall(f"{SVG}path")) + len(group.findall(f".//{SVG}use"))
        for group in groups
    }


@pytest.mark.prometheus
def test_the_command_draws_exact_values_beside_those_of_prometheus(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    address = deployments.quick.address
    start = deployments.run(prometheus.wait_for_scrape(address, time.time()))
    deployments.run(prometheus.wait_for_scrape(address, start + 3.5))
    task = tmp_path / "task.yaml"
    task.write_text(yaml.safe_dump({"task_name": "chat", "slo": SLO}), encoding="utf-8")
    plot, output = tmp_path / "p.svg", tmp_path / "p.parquet"
    ended = sloscore(
        *("backtest", "--task", str(task), "--selector", f"instance={address}"),
        *("--start", f"{start:.3f}", "--end", f"{start + 3:.3f}", "--every", "1s"),
        *("--prometheus", prometheus.url, "--plot", str(plot), "--output", str(output)),
    )
    assert (ended.code, ended.err) == (3, f"Wrote {output}\nWrote {plot}\n")
    found = drawn(plot.read_bytes())
    assert found["hard-fail-0"] == 3
    for sli in ("latency_p50", "latency_p90", "tpot"):
        assert found[f"{sli}-values"] == 3
        assert found[f"{sli}-prometheus"] == 1
    # Four scrapes in its range: longer than these windows.
    assert "Prometheus' rate over the 2 s before" in plot.read_text(encoding="utf-8")
