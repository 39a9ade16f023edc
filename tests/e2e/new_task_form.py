"""The form of a new task, and its parts as a person finds them."""

import json

from playwright.async_api import Locator, Page
from tests.integration.service import Json

# The browser tells each refusal as an error of its console.
REFUSED = "status of 422"


def score_of(page: Page) -> Locator:
    return page.locator("#scored-example")


def limit(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=name)


def output(page: Page, name: str) -> Locator:
    return page.get_by_role("textbox", name=name, exact=True)


def register(page: Page) -> Locator:
    return page.get_by_role("button", name="Register", exact=True)


async def task_in(page: Page) -> Json:
    return json.loads(await output(page, "Task").input_value())


async def open_import(page: Page) -> None:
    await page.get_by_text("Start from a task that there is already").click()


async def import_text(page: Page, text: str) -> None:
    await page.get_by_label("Task, as JSON or YAML").fill(text)
    await page.get_by_role("button", name="Import").click()
