"""One experiment as a person follows it, ends it and reads what came of it."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from tests.e2e.browser import PHONE, Watch
from tests.e2e.conftest import Open
from tests.e2e.site import HOSTILE, SLO, Site, open_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "a token of these tests"


def fact(page: Page, name: str) -> Locator:
    term = page.get_by_text(name, exact=True)
    return page.locator("#facts div").filter(has=term).get_by_role("definition")


def drawing(page: Page, title: str) -> Locator:
    return page.get_by_role("figure").filter(has_text=title).get_by_role("img")


def distribution(page: Page) -> Locator:
    return page.get_by_role("figure").filter(has_text="requests at or under")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def open_running(open_page: Open, site: Site, name: str, **options: object) -> Page:
    await site.begin(name, [0.3], task="viewed")
    return await open_page(f"/experiments/{name}", **options)


async def test_a_live_one_changes_and_a_click_finishes_it(open_page: Open, site: Site) -> None:
    page = await open_running(open_page, site, "viewed-live")
    seen = page.get_by_role("region", name="Since this page was opened")
    p90 = seen.get_by_role("img", name="latency_p90 over")
    await expect(p90).to_have_accessible_name(re.compile(r": 0\.475 s at first, 0\.475 s now\.$"))
    await expect(fact(page, "Requests")).to_have_text("100")
    site.engine.finish(1.05, 300)
    await expect(fact(page, "Requests")).to_have_text("400")
    await expect(button(page, "SLO: soft violation")).to_be_visible()
    await expect(distribution(page)).to_contain_text("Latency of 400 requests")
    await expect(distribution(page)).to_contain_text("P90: 25.0% of requests at or under")
    await expect(p90).to_have_accessible_name(re.compile(r": 0\.475 s at first, 1\.087 s now\.$"))
    await expect(drawing(page, "P90 of latency")).to_have_accessible_name(
        re.compile("This experiment: 1.087 s, penalty 4.75")
    )
    await button(page, "Finish").click()
    await expect(fact(page, "State")).to_contain_text("SCORED")
    await expect(page.get_by_role("status").first).to_have_text("viewed-live: scored.")
    await expect(button(page, "Finish")).to_be_hidden()
    await expect(p90).to_be_visible()
    assert (await site.api.score("viewed-live"))["status"] == "SUCCESS"


async def test_abort_is_asked_twice_and_works_by_keyboard(open_page: Open, site: Site) -> None:
    page = await open_running(open_page, site, "viewed-off")
    sure = page.get_by_role("dialog", name="Abort viewed-off?")
    await button(page, "Abort…").focus()
    await page.keyboard.press("Enter")
    await expect(sure).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(sure).to_be_hidden()
    await page.keyboard.press("Enter")
    await button(page, "Keep it running").click()
    await expect(button(page, "Abort…")).to_be_focused()
    assert (await site.api.show("viewed-off"))["state"] == "running"
    await page.keyboard.press("Enter")
    await sure.get_by_label("Reason").fill(HOSTILE)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(button(page, "Abort it")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(fact(page, "State")).to_have_text("ABORTED")
    await expect(page.get_by_text(f"Experiment aborted: {HOSTILE}")).to_be_visible()
    await expect(page.get_by_role("main")).to_be_focused()
    await expect(button(page, "Abort…")).to_be_hidden()
    assert (await site.api.show("viewed-off"))["reason"] == HOSTILE


async def test_what_the_service_refuses_is_told(open_page: Open, site: Site, watch: Watch) -> None:
    watch.allowed.append("status of 409")
    page = await open_running(open_page, site, "viewed-late")
    await button(page, "Pause updates").click()
    await site.api.abort("viewed-late")
    await button(page, "Finish").click()
    await expect(page.locator("#actions").get_by_role("alert")).to_contain_text("aborted")
    await expect(button(page, "Finish")).to_be_enabled()


async def test_a_service_with_a_token_asks_for_it(chromium: Browser, tmp_path: Path) -> None:
    async with open_site(tmp_path, auth={"token": TOKEN}) as site:
        context = await chromium.new_context()
        watch = Watch(site.url(), ["status of 401"])
        await watch.over(context)
        page = await context.new_page()
        answer = await site.api.request(
            "POST",
            "/api/v1/experiments",
            body={
                "id": "guarded",
                "task": {"task_name": "chat", "server": "vllm", "slo": SLO},
                "target": site.target,
            },
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        assert answer.status == 201, answer.text
        await page.goto(site.url("/experiments/guarded"))
        await expect(drawing(page, "P90 of latency")).to_be_visible()
        await button(page, "Finish").click()
        token = page.get_by_label("Token")
        await expect(token).to_be_focused()
        await expect(token).to_have_accessible_description(
            re.compile("needs a token of the service")
        )
        await token.fill(TOKEN)
        await button(page, "Finish").click()
        await expect(fact(page, "State")).to_contain_text("NO DATA")
        kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage])")
        assert TOKEN not in kept
        await context.close()
    assert watch.troubles == []


async def test_a_failed_one_shows_what_failed_and_by_what(open_page: Open, site: Site) -> None:
    page = await open_page(
        "/experiments/exp-hard", permissions=["clipboard-read", "clipboard-write"]
    )
    await expect(fact(page, "Score")).to_have_text("∞")
    await expect(page.get_by_text("without the hard fail 1.8 \u00d7")).to_be_visible()
    await expect(page.locator("#actions, #seen")).to_have_count(0)
    counted = distribution(page)
    await expect(counted.get_by_role("img")).to_have_accessible_name(
        re.compile("^Latency of 100 requests: Mean 1.8 s. P50: 0.0% of requests at or under")
    )
    await expect(counted).to_contain_text("P90 fails 1.2 s")
    await counted.get_by_text("As a table").click()
    row = counted.get_by_role("row", name="2 s")
    await expect(row.get_by_role("cell")).to_have_text(["100", "100.0%"])
    await expect(drawing(page, "P90 of latency")).to_have_accessible_name(
        re.compile(r"hard fail from 1\.2 s\. This experiment: 1\.95 s, penalty 2\.672e\+04\.$")
    )
    await expect(page.get_by_role("link", name="Counts as JSON")).to_be_visible()
    await button(page, "Copy the registration").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert (copied["id"], copied["task"]["slo"], copied["target"]) == ("exp-hard", SLO, site.target)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "exp-silent",
            [
                "P90 of latency is unknown: no requests finished in the window.",
                "No request was counted in the window.",
            ],
        ),
        ("exp-off", ["Experiment 'exp-off' was aborted, so nothing is kept of its window."]),
        (
            "sweep-000",
            [
                "No counts are kept of experiment 'sweep-000'",
                "Nothing was read of this window.",
            ],
        ),
    ],
)
async def test_what_is_missing_is_told(open_page: Open, name: str, told: list[str]) -> None:
    page = await open_page(f"/experiments/{name}")
    is_kept = name == "exp-silent"
    await expect(page.get_by_role("link", name="Counts as JSON")).to_have_count(int(is_kept))
    for says in told:
        await expect(page.get_by_text(says).last).to_be_visible()
    await expect(drawing(page, "P90 of latency")).to_have_accessible_name(
        re.compile(r"This experiment: no data\.$")
    )


async def test_a_rank_and_a_task_that_is_markup(open_page: Open) -> None:
    page = await open_page("/experiments/exp-hostile")
    await expect(fact(page, "Rank in its task")).to_have_text("1")
    assert await page.locator("main script, main img").count() == 0
    await page.get_by_role("link", name=HOSTILE).click()
    await expect(page.get_by_role("rowheader")).to_have_text(["exp-hostile"])


async def test_an_unknown_one_is_a_page_that_leads_on(open_page: Open, watch: Watch) -> None:
    watch.allowed.append("status of 404")
    page = await open_page("/")
    answer = await page.goto(page.url + "experiments/%3Cb%3Enobody")
    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_text("<b>nobody")).to_be_visible()
    await page.get_by_role("link", name="All experiments").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Experiments")


async def test_phases_and_the_baseline_are_told(open_page: Open, site: Site) -> None:
    await site.begin("viewed-parts", [], task="viewed", baseline="exp-met")
    for name, latency in (("ramp", 0.3), ("steady", 1.05)):
        marked = await site.api.post("/api/v1/experiments/viewed-parts/phases", {"name": name})
        assert marked.status == 200, marked.text
        site.engine.finish(latency, 100)
    await site.api.finish("viewed-parts")
    report = await site.api.final("viewed-parts")
    page = await open_page("/experiments/viewed-parts")
    for phase in report["phases"]:
        cells = page.get_by_role("row", name=phase["name"]).get_by_role("cell")
        await expect(cells.nth(3)).to_have_text("100")
        await expect(cells.nth(5)).to_have_text(f"{phase['score']:.4g}")
    changes = report["comparison"]["slis"]
    assert len(changes) == 2
    for change in changes:
        await expect(page.get_by_text(change["explanation"])).to_be_visible()
    await page.get_by_role("link", name="exp-met").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("exp-met")


async def test_it_is_read_without_scripts(open_page: Open) -> None:
    page = await open_page("/experiments/exp-live", java_script_enabled=False)
    await expect(page.get_by_role("listitem").filter(has_text="P90 of latency is")).to_be_visible()
    await expect(distribution(page).get_by_role("img")).to_be_visible()
    await expect(page.get_by_label("What it was registered with")).to_have_value(
        re.compile('"id": "exp-live"')
    )
    await expect(button(page, "Finish")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Penalty curves")).to_be_hidden()


async def test_a_phone_shows_a_live_one(open_page: Open) -> None:
    page = await open_page("/experiments/exp-live", **PHONE)
    await expect(drawing(page, "P90 of latency")).to_be_visible()
    await button(page, "Abort…").tap()
    await expect(page.get_by_role("dialog")).to_be_in_viewport()
    assert await page.evaluate("document.scrollingElement.scrollWidth") == 360


async def test_a_minimum_has_its_unit_and_nothing_to_distribute(
    open_page: Open, site: Site
) -> None:
    slo = {"throughput": {"threshold": 1e6, "weight": 1.0}}
    report = await site.run("viewed-rate", [0.3], task="viewed", slo=slo)
    value = f"{report['slis'][0]['value']:.4g}"
    page = await open_page("/experiments/viewed-rate")
    await expect(drawing(page, "throughput")).to_have_accessible_name(
        re.compile(rf"This experiment: {re.escape(value)}(\.0)? tokens/s, penalty ")
    )
    await expect(drawing(page, "throughput")).to_contain_text("tokens/s")
    await expect(page.locator("#counted figure")).to_contain_text("Latency of 100 requests")
    await expect(page.locator("#counted svg .threshold")).to_have_count(0)
