"""Other SLOs for a task's ended experiments, as a person tries them."""

import asyncio
import json
import re
import shlex
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from tests.cli.command import sloscore
from tests.e2e.axe import find_axe, violations
from tests.e2e.browser import PHONE, Watch
from tests.e2e.conftest import Open
from tests.e2e.site import HOSTILE, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

TASK = "what if"
SLO = {
    "latency": {"p50": {"threshold": 1.0}, "p90": {"threshold": 2.0, "weight": 1.0}},
    "steepness": 0.5,
}
# The browser tells each refusal as an error of its console.
REFUSED = "status of 422"


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _experiments(site: Site) -> None:
    """One is quick but for its tail, the other one even."""
    await site.run("quick-tailed", [0.3, 0.3, 1.8], task=TASK, slo=SLO)
    await site.run("even", [1.05], task=TASK, slo=SLO)
    await site.begin("given-up", [], task=TASK, slo=SLO)
    await site.api.abort("given-up")


@pytest_asyncio.fixture(loop_scope="session")
async def what_if(open_page: Open) -> Page:
    page = await open_page(f"/what-if?task={quote(TASK)}")
    await expect(row(page, "even")).to_contain_text("unchanged")
    return page


def row(page: Page, name: str) -> Locator:
    return page.locator(f'#ranking tr[data-name="{name}"]')


def section(page: Page) -> Locator:
    return page.get_by_role("textbox", name="slo section as JSON")


async def order(page: Page) -> list[str]:
    return await page.locator("#ranking tbody th").all_inner_texts()


async def test_a_stricter_limit_flips_the_ranking(what_if: Page) -> None:
    assert await order(what_if) == ["quick-tailed", "even"]
    await what_if.get_by_label("Threshold, P90 of latency").fill("1.2")
    await expect(row(what_if, "even")).to_contain_text("up 1")
    await expect(row(what_if, "quick-tailed")).to_contain_text("down 1")
    await expect(row(what_if, "quick-tailed")).to_contain_text("latency_p90, missed by")
    assert await order(what_if) == ["even", "quick-tailed"]
    await expect(what_if.locator("#summary")).to_have_text(
        re.compile(r"^2 experiments: 1 moved up, 1 moved down\. 1 left out")
    )


async def test_a_hard_limit_fails_one(what_if: Page, site: Site) -> None:
    await what_if.get_by_label("Threshold, P90").fill("1.2")
    await what_if.get_by_label("Hard fail, P90").check()
    failed = row(what_if, "quick-tailed")
    await expect(failed).to_contain_text("newly failed")
    await expect(failed.get_by_role("cell").nth(2)).to_have_text("\u221e")
    await expect(failed).to_contain_text("FAILED")
    await what_if.get_by_role("button", name="As they were").click()
    await expect(failed).to_contain_text("unchanged")
    assert (await site.api.score("quick-tailed"))["status"] == "SUCCESS"


async def test_a_mistake_stands_beside_its_field(what_if: Page, watch: Watch) -> None:
    watch.allowed.append(REFUSED)
    threshold = what_if.get_by_label("Threshold, P50")
    await threshold.fill("-1")
    await expect(threshold).to_have_attribute("aria-invalid", "true")
    await expect(threshold).to_have_accessible_description(re.compile("greater than 0|above 0"))
    await expect(what_if.locator("#summary")).to_contain_text("the ranking is the one before")
    await threshold.fill("1")
    await expect(threshold).not_to_have_attribute("aria-invalid", "true")


async def test_the_section_and_its_fields_edit_each_other(what_if: Page, watch: Watch) -> None:
    watch.allowed.append(REFUSED)
    await what_if.get_by_text("with all else that it may hold").click()
    await what_if.get_by_label("Weight, P50").fill("3")
    await what_if.get_by_label("Penalty function").select_option("linear")
    held = json.loads(await section(what_if).input_value())
    assert (held["latency"]["p50"]["weight"], held["penalty"]) == (3, "linear")
    await section(what_if).fill("{")
    await expect(section(what_if)).to_have_accessible_description(re.compile("no JSON"))
    await expect(what_if.get_by_label("Weight, P50")).to_be_disabled()
    await section(what_if).fill('{"ttft": {"threshold": 1.0}}')
    await expect(what_if.get_by_label("Weight, TTFT")).to_be_editable()
    await expect(row(what_if, "even")).to_contain_text("was not read in its window")
    await expect(row(what_if, "even")).to_contain_text("not rescored")
    await section(what_if).fill('{"ttft": {"threshold": 1.0}, "confidence": 3}')
    await expect(section(what_if)).to_have_accessible_description(re.compile("confidence"))


async def test_the_command_does_the_same(what_if: Page) -> None:
    await what_if.get_by_label("Threshold, P90").fill("1.2")
    await what_if.get_by_role("textbox", name="Steepness").fill("")
    await expect(row(what_if, "even")).to_contain_text("up 1")
    command = await what_if.get_by_label("The same on the command line").input_value()
    words = shlex.split(command)
    assert words[:4] == ["sloscore", "rescore", "--task", TASK]
    assert {"latency.p90.threshold=1.2", "steepness=null"} <= set(words)
    result = await asyncio.to_thread(sloscore, *words[1:], "--json")
    after = {one["experiment"]: one["after"] for one in json.loads(result.out)["experiments"]}
    assert [one["rank"] for one in after.values()] == [1, 2]
    shown = row(what_if, "even").get_by_role("cell").nth(2)
    await expect(shown).to_have_text(f"{after['even']['score']:.4g}")


async def test_markup_in_the_name_of_a_task_is_text(open_page: Open) -> None:
    page = await open_page("/what-if")
    await page.get_by_role("combobox", name="Task").select_option(HOSTILE)
    await page.get_by_role("button", name="Choose").click()
    await expect(row(page, "exp-hostile")).to_contain_text("unchanged")
    await expect(page.get_by_role("combobox", name="Task")).to_have_value(HOSTILE)
    command = page.get_by_label("The same on the command line")
    assert shlex.split(await command.input_value())[3] == HOSTILE
    assert await page.locator("main script, main img").count() == 0


async def test_without_scripts_it_shows_them_as_they_were_ranked(open_page: Open) -> None:
    page = await open_page("/what-if", java_script_enabled=False)
    await page.get_by_role("combobox", name="Task").select_option(TASK)
    await page.get_by_role("button", name="Choose").click()
    assert await order(page) == ["quick-tailed", "even"]
    await expect(page.get_by_text("use sloscore rescore")).to_be_visible()
    await expect(page.get_by_role("button", name="Rescore")).to_be_hidden()


async def test_the_list_of_a_task_leads_here_and_a_phone_holds_it(open_page: Open) -> None:
    page = await open_page(f"/?task={quote(TASK)}", **PHONE, color_scheme="dark")
    await page.get_by_role("link", name="What if its SLOs were others").click()
    await page.get_by_label("Threshold, P90").fill("1.2")
    await expect(row(page, "even")).to_contain_text("up 1")
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    if (axe := find_axe()) is not None:
        assert await violations(page, axe) == []
