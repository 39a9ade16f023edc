"""A page as a program reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.integration.service import Api

VOID = {"meta", "link", "br", "path", "rect", "input"}
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


@dataclass
class Page(HTMLParser):
    """The rows of a page's table by experiment, and every tag and link that it holds."""

    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._row: dict[str, str] = {}
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.links += [link for name in ("href", "src") if (link := given.get(name))]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr" and (name := given.get("data-name")):
            self._row = self.rows[name] = {}
        if label := given.get("data-label"):
            self._label = label
            self._row[label] = ""

    def handle_startendtag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in {"td", "th"}:
            self._label = ""

    def handle_data(self, data: str) -> None:
        said = data.strip()
        self.text += f"{said} " if said else ""
        if self._label and said:
            self._row[self._label] = f"{self._row[self._label]} {said}".strip()

    def close(self) -> None:
        super().close()
        assert self._open == []


async def read(api: Api, path: str = "/", headers: Mapping[str, str] = BROWSER) -> Page:
    answer = await api.request("GET", path, headers=headers)
    assert answer.type == "text/html", answer.text
    page = Page()
    page.feed(answer.text)
    page.close()
    return page
