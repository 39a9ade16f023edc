"""Tasks that are taken into the form, and what of it is copied, saved and registered."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.async_api import Browser, Page, expect
from tests.e2e.browser import Watch
from tests.e2e.new_task_form import (
    REFUSED,
    import_text,
    limit,
    open_import,
    output,
    register,
    score_of,
    task_in,
)
from tests.e2e.site import HOSTILE, Site, open_site

from sloscore.cli.main import cli

pytestmark = pytest.mark.asyncio(loop_scope="session")
EXAMPLES = Path(__file__).parents[2] / "examples"
TOKEN = "a token of these tests"


async def test_an_imported_task_keeps_all_that_the_form_does_not_show(form: Page) -> None:
    task = json.loads((EXAMPLES / "docker_task_with_slo.json").read_text(encoding="utf-8"))
    task["parameters"]["more"] = {"seed": [0.50, 1e3, 12345678901234567890], "ready": None}
    task["optimization"] = {"strategy": "bayesian", "<b>": [{"__proto__": [[]]}]}
    task["slo"] = {
        "latency": {"p90": {"threshold": 5.0, "hard_fail": True}, "p99.9": {"threshold": 9.0}},
        "ttft": {"p95": {"threshold": 1.0}},
        "throughput": {"total": {"threshold": 100.0}, "requests": {"threshold": 2.0}},
        "violation_budget": {"share": 0.1},
        "warmup": "30s",
        "penalty": "polynomial",
    }
    await open_import(form)
    await import_text(form, json.dumps(task))
    await expect(form.get_by_text("Imported task.json.")).to_be_visible()
    assert await task_in(form) == task
    shown = "".join((await output(form, "Task").input_value()).split())
    assert "[0.5,1000.0,12345678901234567890]" in shown
    switch = form.get_by_role("switch", name="Score against SLOs")
    await switch.uncheck()
    await switch.check()
    assert await task_in(form) == task
    for name in ("P99.9 of latency", "P95 of TTFT", "throughput: total"):
        await expect(limit(form, name)).to_be_visible()
    await expect(limit(form, "P50").get_by_role("checkbox", name="P50")).not_to_be_checked()
    await expect(limit(form, "P90").get_by_label("Weight")).to_have_attribute("placeholder", "1")
    requests = limit(form, "throughput: requests")
    await expect(requests).to_contain_text("Threshold (requests/s)")
    await expect(requests.get_by_role("img")).to_have_accessible_name(re.compile("request thr"))
    await expect(form.locator("#values").get_by_label("total throughput")).to_have_value("100.0")
    await expect(score_of(form)).to_contain_text("at or above the minimum of 2 requests/s")
    await limit(form, "throughput: total").get_by_label("Threshold").fill("120.5")
    await form.get_by_label("Degree").fill("4")
    task["slo"]["throughput"]["total"]["threshold"] = 120.5
    task["slo"]["penalty"] = {"function": "polynomial", "degree": 4}
    assert await task_in(form) == task


async def test_a_file_is_imported_and_a_wrong_task_is_not(form: Page, watch: Watch) -> None:
    watch.allowed.append(REFUSED)
    before = await task_in(form)
    await open_import(form)
    await import_text(form, "task_name: a\nslo:\n  ttft: {treshold: 1}\n")
    alert = form.get_by_role("alert").filter(has_text="task.yaml:3: slo.ttft")
    await expect(alert).to_contain_text("did you mean threshold?")
    assert await task_in(form) == before
    await form.get_by_label("Its file").set_input_files(EXAMPLES / "vllm_task.yaml")
    await form.get_by_role("button", name="Import").click()
    await expect(form.get_by_text("Imported vllm_task.yaml.")).to_be_visible()
    await expect(alert).to_be_hidden()
    await expect(form.get_by_label("Inference server")).to_have_value("vllm")


async def test_the_task_and_its_rules_are_copied_and_saved_as_they_are_shown(
    form: Page, watch: Watch, tmp_path: Path
) -> None:
    watch.allowed.append(REFUSED)
    await form.get_by_label("Name").fill(HOSTILE)
    await form.get_by_text("Recording and alert rules").click()
    alert = form.get_by_role("alert").filter(has_text="selector: is required")
    await expect(alert).to_be_visible()
    await form.get_by_label("Inference server").select_option("vllm")
    await form.get_by_label("Labels of its series").fill("job=vllm\nmodel=a=b, c\n")
    await expect(alert).to_be_hidden()
    task = await output(form, "Task").input_value()
    assert json.loads(task)["task_name"] == HOSTILE
    await form.get_by_role("button", name="Copy Task").click()
    await expect(form.get_by_text("Copied.")).to_be_visible()
    assert await form.evaluate("navigator.clipboard.readText()") == task
    saved = await save(form, "Download Task", tmp_path)
    assert saved.read_text(encoding="utf-8") == task
    rules = await save(form, "Download Rules", tmp_path)
    assert rules.read_text(encoding="utf-8") == rules_of(saved)
    assert (saved.name, rules.name) == ("task.json", "rules.yml")


async def save(form: Page, button: str, place: Path) -> Path:
    async with form.expect_download() as saving:
        await form.get_by_role("button", name=button).click()
    saved = await saving.value
    path = place / saved.suggested_filename
    await saved.save_as(path)
    return path


def rules_of(file: Path) -> str:
    """What `sloscore rules` makes of a task, but for the digest of its file."""
    made = CliRunner().invoke(cli, ["rules", str(file)])
    assert made.exit_code == 0, made.output
    lines = made.output.split("\n")
    return "\n".join(
        line.partition(" (sha256")[0] if line.startswith("# from") else line for line in lines
    )


async def test_the_button_and_the_call_register_the_same_experiment(
    form: Page, site: Site, watch: Watch
) -> None:
    watch.allowed.append(REFUSED)
    name = f"it's $(false) `false` \\ $HOME {HOSTILE}"
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("Inference server").select_option("vllm")
    await form.get_by_label("Target").fill(site.target)
    experiment = form.get_by_label("Experiment", exact=True)
    await experiment.fill("<img src=x>")
    await register(form).click()
    await expect(experiment).to_have_accessible_description(re.compile("^must match"))
    await experiment.fill("from-the-form")
    await experiment.press("Enter")
    link = form.get_by_role("link", name="from-the-form")
    await expect(link).to_have_attribute("href", site.url("/experiments/from-the-form"))
    stored = await site.api.show("from-the-form")
    assert (stored["task"], stored["state"]) == (name, "running")
    assert await form.locator("main img, main script").count() == 0
    # The same id with another body would be refused.
    call = await output(form, "Call that registers an experiment").input_value()
    assert json.loads(await answer_of(call))["created_at"] == stored["created_at"]
    await site.api.abort("from-the-form")


async def answer_of(call: str) -> bytes:
    shell = await asyncio.create_subprocess_exec("bash", "-c", call, stdout=asyncio.subprocess.PIPE)
    answer, _ = await shell.communicate()
    assert shell.returncode == 0
    return answer


async def test_a_service_with_a_token_asks_for_it_and_the_page_tells_it_to_nobody(
    chromium: Browser, tmp_path: Path
) -> None:
    async with open_site(tmp_path, auth={"token": TOKEN}) as site:
        context = await chromium.new_context()
        watch = Watch(site.url(), ["status of 401"])
        await watch.over(context)
        page = await context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(site.url("/new"))
        await page.get_by_label("Inference server").select_option("vllm")
        await page.get_by_label("Target").fill(site.target)
        token = page.get_by_label("Token")
        await token.fill("another token of these")
        await register(page).click()
        await expect(token).to_have_accessible_description(
            re.compile("needs a token of the service")
        )
        await token.fill(TOKEN)
        await register(page).click()
        await expect(page.get_by_role("link", name="trial-1")).to_be_visible()
        call = await output(page, "Call that registers an experiment").input_value()
        assert "Bearer $SLOSCORE_TOKEN" in call
        kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage])")
        assert not any(TOKEN in text for text in (*asked, call, kept, page.url))
        await context.close()
    assert watch.troubles == []
