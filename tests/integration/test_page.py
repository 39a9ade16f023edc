"""The pages without a browser: what they say, what nobody can put into them, how they are sent."""

from pathlib import Path
from urllib.parse import urljoin

import pytest
from tests.e2e.site import HOSTILE, fill, open_site
from tests.integration.page_reader import read
from tests.integration.service import PROBLEM, Json, serving, settings


async def test_an_empty_page_says_how_to_fill_it(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        page = await read(api)
    assert "No experiment is registered yet." in page.text
    assert page.rows == {}


def figure(value: Json) -> str:
    match value:
        case None:
            return "no data"
        case "Infinity":
            return "\u221e"
        case _:
            return f"{value:.4g}"


async def test_the_pages_say_what_the_reports_say(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await fill(site)
        ended = ("exp-met", "exp-soft", "exp-hard", "exp-silent")
        reports = {name: await site.api.score(name) for name in ended}
        page = await read(site.api)
        single = {name: await read(site.api, f"/experiments/{name}") for name in page.rows}
    assert list(page.rows) == ["exp-live", "exp-off", "exp-hostile", *reversed(ended)]
    for name, report in reports.items():
        row = page.rows[name]
        assert (row["Task"], row["Experiment"]) == ("chat", name)
        assert row["Penalty"] == figure(report["penalty"])
        assert row["Score"] == figure(report["score"])
        assert row["Requests"] == figure(report["window"]["requests"])
        for sli in report["slis"]:
            value = "no data" if sli["value"] is None else f"{figure(sli['value'])} s"
            assert f"{sli['sli']} {value}" in row["SLIs"]
            assert sli["explanation"] in single[name].text
    hard = reports["exp-hard"]["slis"][1]
    assert hard["verdict"] == "hard_fail"
    badge = f"FAILED SLO Hard violation. {hard['explanation']}"
    states = {name: row["State"].partition(". ")[0] for name, row in page.rows.items()}
    assert page.rows["exp-hard"]["State"] == badge
    assert states == {
        "exp-live": "RUNNING",
        "exp-off": "ABORTED",
        "exp-hostile": "SCORED",
        "exp-silent": "NO DATA SLO No data",
        "exp-hard": "FAILED SLO Hard violation",
        "exp-soft": "SCORED SLO Soft violation",
        "exp-met": "SCORED",
    }
    ranks = {name: row["Rank"] for name, row in page.rows.items()}
    assert (ranks["exp-met"], ranks["exp-soft"], ranks["exp-hostile"]) == ("1", "2", "1")
    assert page.rows["exp-hostile"]["Task"] == page.rows["exp-off"]["SLIs"] == HOSTILE
    assert page.tags.isdisjoint({"img", "iframe", "style"})


async def test_a_source_that_fails_is_told(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, evaluation={"source_wait": "1ms"})) as api:
        task = {"task_name": "chat", "server": "vllm"}
        await api.register("one", {**task, "slo": {"ttft": {"threshold": 1}}}, selector={"a": "x"})
        await api.finish("one")
        await api.final("one")
        page = await read(api)
    assert "cannot reach Prometheus" in page.rows["one"]["State"]
    assert page.rows["one"]["Score"] == "no data"


@pytest.mark.parametrize("path", ["/", "/new", "/status", "/what-if", "/experiments/one"])
async def test_a_page_loads_nothing_from_elsewhere_and_its_links_answer(
    tmp_path: Path, path: str
) -> None:
    async with serving(settings(tmp_path, prometheus={"enabled": False})) as api:
        task = {"task_name": "chat", "server": "vllm"}
        await api.register("one", task, selector={"pod": "x"})
        page = await read(api, path)
        assert "page.css" in {link.rpartition("/")[2] for link in page.links}
        # A proxy may serve all of it below a prefix, and sends the rest of the path.
        at = f"http://proxy.example/prefix{path}"
        linked = {urljoin(at, link.partition("#")[0]) for link in page.links}
        assert {
            url for url in linked if not url.startswith("http://proxy.example/prefix/")
        } == set()
        asked = {url.removeprefix("http://proxy.example/prefix") for url in linked}
        assert {link for link in asked if (await api.get(link)).status != 200} == set()
        headers = (await api.get(path)).headers
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
