"""The site of mkdocs.yml: whole, with links that lead somewhere, and of files that are its own."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.async_api import async_playwright
from tests.docs.markdown import ROOT
from tests.docs.shell import shell
from tests.e2e.browser import FLAGS, HOW, find_chromium

# What a browser fetches by itself, and by which attribute.
FETCHED = {
    "script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src",
    "audio": "src", "object": "data", "embed": "src",
}  # fmt: skip
FOREIGN = re.compile(r"(https?:)?//")


class Fetched(HTMLParser):
    """Addresses that a browser fetches for a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v for name, v in attrs if v and name == FETCHED.get(tag)]


def build(configuration: Path, to: Path) -> tuple[int, str]:
    """Exit code and complaints of a strict build."""
    done = shell(f"mkdocs build --strict -f '{configuration}' -d '{to}'")
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built")
    code, complaints = build(ROOT / "mkdocs.yml", place)
    assert code == 0, complaints
    return place


def test_the_site_has_every_page(site: Path) -> None:
    documents = (path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
    pages = {site / path.with_suffix(".html") for path in documents}
    assert pages <= set(site.rglob("*.html"))


def test_the_first_page_is_the_readme(site: Path) -> None:
    first = (site / "index.html").read_text()
    assert "One number for each experiment of an LLM inference tuner" in first
    assert 'href="files/examples/tune_grid.py"' in first
    assert (site / "files/examples/tune_grid.py").read_text() == (
        ROOT / "examples/tune_grid.py"
    ).read_text()


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    fetched = {
        (path.name, address)
        for path in site.rglob("*.html")
        for address in Fetched(path.read_text()).addresses
    }
    assert any(address.endswith(".css") for _, address in fetched)
    assert {found for found in fetched if FOREIGN.match(found[1])} == set()
    # The theme's script fetches the one that draws these.
    assert [path for path in site.rglob("*.html") if 'class="mermaid"' in path.read_text()] == []


def test_no_style_fetches_anything_from_elsewhere(site: Path) -> None:
    styles = [path.read_text() for path in site.rglob("*.css")]
    assert styles
    assert [
        found for text in styles for found in re.findall(r"url\([\"']?(?:https?:)?//", text)
    ] == []


async def test_the_site_is_searched_from_the_file_system_and_asks_for_nothing_else(
    site: Path,
) -> None:
    found = find_chromium()
    if found is None:
        pytest.skip(HOW)
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        page = await browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto((site / "index.html").as_uri())
        # Keys, as the theme searches when one is let go.
        await page.get_by_role("textbox", name="Search").press_sequentially(
            "how often a verdict is wrong"
        )
        result = page.locator('.md-search-result__link[href*="certainty.html"]')
        await result.first.wait_for(state="attached")
        await browser.close()
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_forgotten_page_and_dead_links_fail_a_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    pages = {
        "forgotten.md": "# Forgotten\n",
        "faulty.md": "# Faulty\n\n[a](nowhere.md) [b](linked.md#nowhere) [c](../tests/nowhere.py)\n",
        "linked.md": "# Linked\n\n## A heading: `with` signs\n\n[here](#a-heading-with-signs)\n",
    }
    for name, text in pages.items():
        (docs / name).write_text(text, encoding="utf-8")
    configuration = tmp_path / "mkdocs.yml"
    configuration.write_text(
        f"INHERIT: {ROOT}/mkdocs.yml\nhooks: ['{ROOT}/tools/site.py']\ndocs_dir: {docs}\nnav: [faulty.md, linked.md]\n",
        encoding="utf-8",
    )
    code, complaints = build(configuration, tmp_path / "built")
    assert code != 0
    for named in ("forgotten.md", "'nowhere.md'", "'linked.md#nowhere'", "'../tests/nowhere.py'"):
        assert named in complaints
    assert "a-heading-with-signs" not in complaints
