"""axe-core, which checks what screen readers and people with weak eyes need; fetched, never committed."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from playwright.async_api import Page

VERSION = "4.14.1"
HOW = f"axe-core {VERSION} is not in ~/.cache/sloscore, and npm cannot fetch it: apt install npm"
_CACHE = Path.home() / ".cache" / "sloscore"
_FETCH_SECONDS = 60
_RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map(({ id, impact, nodes }) =>
    `${impact} ${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}"""


def find_axe() -> str | None:
    """The script, from the cache or from npm's registry; None where it cannot be had."""
    script = _CACHE / f"axe-core-{VERSION}.min.js"
    if not script.exists() and not _fetch(script):
        return None
    return script.read_text(encoding="utf-8")


def _fetch(script: Path) -> bool:
    npm = shutil.which("npm")
    if npm is None:
        return False
    script.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=script.parent) as place:
        command = [npm, "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", place]
        try:
            subprocess.run(command, check=True, timeout=_FETCH_SECONDS, capture_output=True)
        except (subprocess.SubprocessError, OSError):
            return False
        with tarfile.open(next(Path(place).glob("*.tgz"))) as package:
            package.extract("package/axe.min.js", place, filter="data")
        # Renamed last, so that nobody sees half of it.
        (Path(place) / "package" / "axe.min.js").rename(script)
    return True


async def violations(page: Page, axe: str) -> list[str]:
    """What is wrong with a page as it is now, with the elements that it is wrong in."""
    await page.evaluate(axe)
    found: list[str] = await page.evaluate(_RUN)
    return found
