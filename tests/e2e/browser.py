"""A person's browser: the Chromium of this machine, and pages that must not misbehave in it."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Request

DEFAULT = "/usr/bin/chromium"
HOW = "apt-get install chromium, or name one in SLOSCORE_CHROMIUM: the tests of the pages need a browser"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE: Mapping[str, object] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
}
# Reported as an error of the console, which fails the test.
TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} of ${event.blockedURI}`));
"""


def find_chromium() -> Path | None:
    """The Chromium to use, None where there is none."""
    found = shutil.which(os.environ.get("SLOSCORE_CHROMIUM", DEFAULT))
    return None if found is None else Path(found)


@dataclass
class Watch:
    """What went wrong in the pages of a context of one site, as sentences.

    ``allowed`` are parts of messages that a test provokes.
    """

    site: str
    allowed: list[str] = field(default_factory=list)
    _seen: list[str] = field(default_factory=list)

    async def over(self, context: BrowserContext) -> None:
        """Watch every page that the context opens."""
        context.on("console", self._note_message)
        context.on("weberror", lambda error: self._note_error(error.error))
        context.on("request", self._note_request)
        await context.add_init_script(TELL_VIOLATIONS)

    @property
    def troubles(self) -> list[str]:
        """All that was seen and is not allowed."""
        return [said for said in self._seen if not any(part in said for part in self.allowed)]

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._seen.append(f"console {message.type}: {message.text}")

    def _note_error(self, error: Error) -> None:
        self._seen.append(f"page error: {error.message}")

    def _note_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.site).netloc:
            self._seen.append(f"request to another host: {request.url}")
