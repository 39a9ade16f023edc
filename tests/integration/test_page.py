"""The page at /: what an operator reads in it, and what nobody can put into it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
from tests.integration.service import (
    PROBLEM,
    Api,
    Deployments,
    Json,
    has_requests,
    serving,
    settings,
    task_of,
)

from sloscore.simulate.prometheus import PrometheusProcess

pytest_plugins = ["tests.integration.service_fixtures"]

SLOS = {"latency": {"p90": {"threshold": 0.1, "hard_fail": True}}, "steepness": 50.0}
VOID = {"meta", "link", "br"}


@dataclass
class Page(HTMLParser):
    """The rows of the page's table by experiment, and every tag that it holds."""

    rows: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._cells: list[str] = []
        self._class = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.links += [link for name in ("href", "src") if (link := given.get(name))]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self._cells, self._class = [], given.get("class") or ""
        if tag == "td":
            self._cells.append("")
        if tag == "br":
            self._cells[-1] += "\n"

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "tr" and self._cells:
            self.rows[self._cells[1]] = (self._class, self._cells)

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open and self._open[-1] == "td":
            self._cells[-1] += data

    def close(self) -> None:
        super().close()
        assert self._open == []


async def read(api: Api) -> Page:
    answer = await api.get("/")
    assert (answer.status, answer.type) == (200, "text/html")
    page = Page()
    page.feed(answer.text)
    page.close()
    return page


async def test_an_empty_page_says_so(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        page = await read(api)
    assert "No experiment is running, and none ended lately." in page.text
    assert page.rows == {}


def figure(value: Json) -> str:
    return "∞" if value == "Infinity" else f"{value:.4g}"


@pytest.mark.prometheus
async def test_a_row_holds_the_figures_of_the_report_and_the_sentences_of_its_slis(
    deployments: Deployments, prometheus: PrometheusProcess, tmp_path: Path
) -> None:
    async with serving(settings(tmp_path, prometheus.url)) as api:
        reports = {}
        for name, slo in (("met", None), ("failed", SLOS)):
            task = task_of(slo=slo) if slo else task_of()
            await api.register(name, task, selector={"instance": deployments.quick.address})
            await api.score_until(name, has_requests(10))
            await api.finish(name)
            reports[name] = await api.final(name)
        await api.register("live", task_of(), selector={"instance": deployments.quick.address})
        await api.score_until("live", has_requests(10))
        page = await read(api)
    assert list(page.rows) == ["live", "failed", "met"]
    assert page.rows["live"][1][2] == "RUNNING"
    for name, report in reports.items():
        verdict, cells = page.rows[name]
        assert verdict == {"met": "met", "failed": "hard_fail"}[name]
        assert cells[:3] == ["chat", name, report["status"]]
        assert cells[3:6] == [figure(report[f]) for f in ("base_score", "penalty", "score")]
        assert cells[6].split("\n") == [sli["explanation"] for sli in report["slis"]]
    assert page.rows["failed"][1][5] == "∞"


async def test_what_is_not_known_is_called_no_data(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, evaluation={"source_wait": "1ms"})) as api:
        await api.register("one", task_of(), selector={"instance": "x"})
        await api.finish("one")
        await api.final("one")
        page = await read(api)
    verdict, cells = page.rows["one"]
    assert (verdict, cells[2:6]) == ("no_data", ["NO_DATA", "no data", "no data", "no data"])
    assert "cannot reach Prometheus" in cells[6]


async def test_a_name_cannot_bring_markup_into_the_page(tmp_path: Path) -> None:
    name = "<script>alert('&amp;')</script><img src=x onerror=alert(1)>\"'"
    async with serving(settings(tmp_path, evaluation={"source_wait": "1ms"})) as api:
        await api.register("one", task_of(name), selector={"instance": "x"})
        await api.finish("one")
        await api.final("one")
        page = await read(api)
    assert page.rows["one"][1][0] == name
    assert page.tags.isdisjoint({"script", "img"})


async def test_the_page_loads_nothing_from_elsewhere_and_its_links_answer(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        page = await read(api)
        assert "./static/page.css" in page.links
        for link in page.links:
            assert (await api.get(urljoin("/", link.partition("#")[0]))).status == 200
        headers = (await api.get("/")).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/experiments", "/nothing"])
async def test_no_answer_of_the_api_is_kept_by_a_cache(tmp_path: Path, path: str) -> None:
    async with serving(settings(tmp_path)) as api:
        assert (await api.get(path)).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/new", "/static/page.css", "/static/common.js"])
async def test_what_has_not_changed_is_not_sent_again(tmp_path: Path, path: str) -> None:
    async with serving(settings(tmp_path)) as api:
        first = await api.get(path)
        again = await api.request("GET", path, headers={"If-None-Match": first.headers["ETag"]})
        other = await api.request("GET", path, headers={"If-None-Match": 'W/"another"'})
    assert (first.status, first.headers["Cache-Control"]) == (200, "no-cache")
    assert (again.status, again.text) == (304, "")
    assert (other.status, other.text) == (200, first.text)


@pytest.mark.parametrize(
    ("name", "type_"),
    [("page.css", "text/css"), ("common.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
async def test_a_file_of_the_pages_has_its_type(tmp_path: Path, name: str, type_: str) -> None:
    async with serving(settings(tmp_path)) as api:
        answer = await api.get(f"/static/{name}")
    assert (answer.status, answer.type) == (200, type_)


@pytest.mark.parametrize("name", ["..%2f__init__.py", "%2fetc%2fpasswd", "nothing.css", "%00"])
async def test_no_other_file_is_served(tmp_path: Path, name: str) -> None:
    async with serving(settings(tmp_path)) as api:
        answer = await api.get(f"/static/{name}")
    assert (answer.status, answer.type) == (404, PROBLEM)
