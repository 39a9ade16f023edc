"""The form of a new task, as a person fills it in: curves, mistakes, by keyboard and on a phone."""

import re

import pytest
from playwright.async_api import Locator, Page, expect
from tests.e2e.axe import find_axe, violations
from tests.e2e.browser import Watch
from tests.e2e.conftest import Open
from tests.e2e.new_task_form import REFUSED, limit, open_import, score_of, task_in
from tests.e2e.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONTROLS = {"textbox", "checkbox", "switch", "combobox", "button", "image"}
# As the document of the scoring contract has them, and TPOT.
DEFAULTS = {
    "latency": {
        "p50": {"threshold": 2.0, "weight": 1.0, "hard_fail": False},
        "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
        "p99": {"threshold": 10.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.5},
    },
    "ttft": {"threshold": 1.0, "weight": 2.0, "hard_fail": False},
    "tpot": {"threshold": 0.05, "weight": 2.0, "hard_fail": False},
    "steepness": 0.1,
}
P90_TOLD = (
    "Penalty of P90 of latency: 0 at or under 5.0 s, 2 or more past it, 14.78 at the hard limit, "
    "hard fail from 6.0 s."
)


async def test_every_change_redraws_the_curve_and_scores_the_example(form: Page) -> None:
    p90 = limit(form, "P90")
    await expect(score_of(form)).to_contain_text("84.63")
    assert (await task_in(form))["slo"] == DEFAULTS
    await expect(p90).to_contain_text("hard fail from 6.0 s")
    await expect(limit(form, "P99")).to_contain_text("hard fail from 15.0 s")
    await expect(p90.get_by_role("img")).to_have_accessible_name(P90_TOLD)
    before = await p90.locator("path.curve").get_attribute("d")
    await p90.get_by_label("Threshold").fill("4")
    await expect(p90).to_contain_text("hard fail from 4.8 s")
    await expect(score_of(form)).to_contain_text("FAILED")
    await expect(score_of(form)).to_contain_text("\u221e")
    await p90.get_by_role("checkbox", name="Hard fail").uncheck()
    await expect(p90).to_contain_text("soft: no value fails")
    await expect(score_of(form)).to_contain_text("SUCCESS")
    assert await p90.locator("path.curve").get_attribute("d") != before
    await form.locator("#values").get_by_label("P90 of latency").fill("4")
    await expect(score_of(form)).to_contain_text("P90 of latency is 4 s, at or under")
    assert (await task_in(form))["slo"]["latency"]["p90"] == {
        "threshold": 4,
        "weight": 2,
        "hard_fail": False,
        "fail_ratio": 0.2,
    }


async def test_the_penalty_function_shapes_the_curves(form: Page, watch: Watch) -> None:
    watch.allowed.append(REFUSED)
    function, drawn = form.get_by_label("Penalty function"), limit(form, "P90").get_by_role("img")
    degree, points = form.get_by_label("Degree"), form.get_by_label("Points")
    await function.select_option("linear")
    await expect(drawn).to_have_accessible_name(re.compile("rising past it, 4 at the hard limit"))
    assert (await task_in(form))["slo"]["penalty"] == "linear"
    await expect(degree).to_be_hidden()
    await function.select_option("polynomial")
    await degree.fill("3")
    await expect(drawn).to_have_accessible_name(re.compile("16 at the hard limit"))
    assert (await task_in(form))["slo"]["penalty"] == {"function": "polynomial", "degree": 3}
    await function.select_option("piecewise")
    await points.fill("0.1: 4\n0.05: 1")
    await expect(points).to_have_accessible_description(re.compile("must ascend"))
    await points.fill("0: 0.5\n0.2: 5")
    await expect(drawn).to_have_accessible_name(re.compile("1 or more past it, 10 at the hard"))
    await function.select_option("not given: exponential")
    await expect(drawn).to_have_accessible_name(P90_TOLD)
    await expect(points).to_be_hidden()
    assert "penalty" not in (await task_in(form))["slo"]


async def test_what_is_switched_off_is_left_out_and_comes_back_as_it_was(form: Page) -> None:
    await limit(form, "TTFT").get_by_label("Weight").fill("7")
    use = limit(form, "TTFT").get_by_role("checkbox", name="TTFT")
    await use.uncheck()
    await expect(score_of(form)).to_contain_text("P99 of latency is")
    await expect(score_of(form)).not_to_contain_text("ttft")
    assert "ttft" not in (await task_in(form))["slo"]
    await use.check()
    slo = (await task_in(form))["slo"]
    assert slo["ttft"] == {"threshold": 1, "weight": 7, "hard_fail": False}
    switch = form.get_by_role("switch", name="Score against SLOs")
    await switch.uncheck()
    await expect(limit(form, "P90")).to_be_hidden()
    await expect(score_of(form)).to_contain_text("Score 2.5 \u00d7 1 = 2.5")
    assert "slo" not in await task_in(form)
    await switch.check()
    await expect(limit(form, "P90")).to_be_visible()
    assert (await task_in(form))["slo"] == slo


async def test_a_mistake_stands_beside_its_field_until_it_is_mended(
    form: Page, watch: Watch
) -> None:
    watch.allowed.append(REFUSED)
    for name, field, given, sentence in (
        ("P90", "Threshold", "5s", 'must be a number, got "5s"'),
        ("TTFT", "Threshold", "", "is required"),
        ("TPOT", "Weight", "-1", "must be at least 0, got -1"),
        ("P99", "Fail ratio", "1e999", 'must be a number, got "1e999"'),
    ):
        wrong = limit(form, name).get_by_label(field)
        right = await wrong.input_value()
        await wrong.fill(given)
        await expect(wrong).to_have_accessible_description(sentence)
        await expect(wrong).to_have_attribute("aria-invalid", "true")
        await expect(form.get_by_text("1 mistake in the task")).to_be_visible()
        await wrong.fill(right)
        await expect(form.get_by_text("The task is valid.")).to_be_visible()
        await expect(wrong).not_to_have_attribute("aria-invalid", "true")


async def test_a_service_that_is_away_is_no_mistake_of_the_task(form: Page, watch: Watch) -> None:
    watch.allowed.append("ERR_INTERNET_DISCONNECTED")
    await expect(form.get_by_text("The task is valid.")).to_be_visible()
    await form.context.set_offline(offline=True)
    await form.get_by_label("Name").fill("away")
    await expect(form.locator("#summary")).to_have_text("The service does not answer.")
    await form.context.set_offline(offline=False)
    await form.get_by_label("Name").fill("back")
    await expect(form.get_by_text("The task is valid.")).to_be_visible()


async def test_the_form_is_filled_in_by_keyboard_alone(form: Page, site: Site) -> None:
    async def to(control: Locator) -> None:
        for _ in range(30):
            if await control.evaluate("control => control === document.activeElement"):
                return
            await form.keyboard.press("Tab")
        raise AssertionError(control)

    await to(form.get_by_label("Name"))
    await form.keyboard.press("ControlOrMeta+a")
    await form.keyboard.type("by keyboard")
    await to(form.get_by_label("Inference server"))
    await form.keyboard.type("vllm")
    p50 = limit(form, "P50")
    await to(p50.get_by_role("checkbox", name="Hard fail"))
    await form.keyboard.press("Space")
    await to(p50.get_by_label("Fail ratio"))
    await form.keyboard.type("0.1")
    await to(limit(form, "P90").get_by_role("checkbox", name="P90"))
    await form.keyboard.press("Space")
    experiment = form.get_by_label("Experiment", exact=True)
    await experiment.focus()
    await form.keyboard.press("ControlOrMeta+a")
    await form.keyboard.type("by-keyboard")
    await to(form.get_by_label("Target"))
    await form.keyboard.type(site.target)
    await form.keyboard.press("Enter")
    await expect(form.get_by_role("link", name="by-keyboard")).to_be_visible()
    task = await task_in(form)
    assert (task["task_name"], task["server"]) == ("by keyboard", "vllm")
    p50_of_task = {"threshold": 2, "weight": 1, "hard_fail": True, "fail_ratio": 0.1}
    assert task["slo"]["latency"] == {"p50": p50_of_task, "p99": DEFAULTS["latency"]["p99"]}  # type: ignore[index]
    assert (await site.api.show("by-keyboard"))["task"] == "by keyboard"
    await site.api.abort("by-keyboard")


async def test_on_a_phone_every_control_is_in_sight_and_has_a_name(
    open_page: Open, watch: Watch
) -> None:
    watch.allowed.append(REFUSED)
    page = await open_page("/new", viewport={"width": 360, "height": 740}, color_scheme="dark")
    await open_import(page)
    await page.get_by_text("Recording and alert rules").click()
    await expect(limit(page, "TPOT").get_by_role("img")).to_have_accessible_name(
        re.compile("^Penalty")
    )
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    steepness = page.get_by_label("Steepness")
    await steepness.fill("x")
    await expect(steepness).to_have_attribute("aria-invalid", "true")
    if (axe := find_axe()) is not None:
        assert await violations(page, axe) == []
    devtools = await page.context.new_cdp_session(page)
    tree = await devtools.send("Accessibility.getFullAXTree")
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in tree["nodes"]
        if not node["ignored"] and node["role"]["value"] in CONTROLS
    ]
    assert {role for role, _ in named} == CONTROLS
    assert [role for role, name in named if not name.strip()] == []
