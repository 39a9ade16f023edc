"""Hooks of mkdocs.yml: pages that lie outside of docs/, and links of pages to the rest of the repository."""

import os.path
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# Documents of the repository's root, by the pages that they are on the site.
PAGES = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)((?:#[^)\s]*)?)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents of the repository's root, and a script for the search."""
    for page, document in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / document)))
    script = ROOT / "tools" / "iframe-worker.js"
    files.append(File.generated(config, "assets/iframe-worker.js", abs_src_path=str(script)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links out of docs/ into links to pages or copies; a directory keeps its name only."""
    here = page.file.src_uri
    document = PAGES.get(here, f"docs/{here}")

    def relinked(link: re.Match[str]) -> str:
        label, target, anchor = link.groups()
        path = os.path.normpath(Path(document).parent / target)
        if not (ROOT / path).exists():
            return link[0]
        if (ROOT / path).is_dir():
            return f"`{path}`"
        there = _on_site(path)
        if there.startswith("files/") and files.get_file_from_path(there) is None:
            files.append(File.generated(config, there, abs_src_path=str(ROOT / path)))
        return f"[{label}]({posixpath.relpath(there, posixpath.dirname(here) or '.')}{anchor})"

    return _LINK.sub(relinked, markdown)


def _on_site(path: str) -> str:
    """Where the site has a file of the repository."""
    for page, document in PAGES.items():
        if path == document:
            return page
    return path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"
