"""The pages of docs/runbooks as the service serves them, where alerts link to."""

from pathlib import Path

import pytest
from tests.integration.service import PROBLEM, serving, settings

PAGES = sorted((Path(__file__).parents[2] / "docs" / "runbooks").glob("*.md"))


async def test_every_page_is_served_as_text_that_a_browser_shows(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as api:
        answers = {page: await api.get(f"/runbooks/{page.name}") for page in PAGES}
    assert answers
    for page, answer in answers.items():
        assert (answer.status, answer.type, answer.text) == (200, "text/plain", page.read_text())


@pytest.mark.parametrize("name", ["Unknown.md", "..%2f..%2fpyproject.toml", "SloscoreDown", "%00"])
async def test_no_other_file_is(tmp_path: Path, name: str) -> None:
    async with serving(settings(tmp_path)) as api:
        answer = await api.get(f"/runbooks/{name}")
    assert (answer.status, answer.type) == (404, PROBLEM)
    assert "SloscoreDown.md" in answer.json["detail"]
