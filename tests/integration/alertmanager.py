"""A real Alertmanager on loopback, and a webhook that it tells of alerts."""

import asyncio
import json
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from sloscore.simulate.process import ChildProcess

Json = Any

# Where Debian's build reads its templates; other builds carry them inside.
_TEMPLATES = "/usr/share/prometheus/alertmanager"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command_of(binary: Path, place: Path) -> list[str]:
    """How to run an Alertmanager that need not be installed.

    A package that was only unpacked does not find its templates: a copy looks for them below the
    directory that it is run in, by a path of the same length.
    """
    root = binary.resolve().parents[2]
    if Path(_TEMPLATES).exists() or not (root / _TEMPLATES.lstrip("/")).exists():
        return [str(binary)]
    relative = _TEMPLATES.lstrip("/").replace("/alertmanager", "//alertmanager")
    copy = place / "alertmanager"
    copy.write_bytes(binary.read_bytes().replace(_TEMPLATES.encode(), relative.encode()))
    copy.chmod(0o755)
    return ["env", "-C", str(root), str(copy)]


class Alertmanager:
    """One process with this configuration; ``with`` runs it."""

    def __init__(self, binary: Path, place: Path, config: Json) -> None:
        place.mkdir()
        self._command = command_of(binary, place)
        self._place = place
        (place / "alertmanager.yml").write_text(yaml.safe_dump(config))
        self.address = f"127.0.0.1:{free_port()}"
        self._process: ChildProcess | None = None

    def __enter__(self) -> Self:
        options = [
            f"--config.file={self._place / 'alertmanager.yml'}",
            f"--storage.path={self._place / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        log = self._place / "alertmanager.log"
        self._process = ChildProcess("Alertmanager", [*self._command, *options], log)
        self._process.wait_until(self._is_ready)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stop()

    async def alerts(self) -> list[Json]:
        """What it knows of, silenced and inhibited ones too."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self.address}/api/v2/alerts") as answer,
        ):
            found: list[Json] = await answer.json()
        return found

    def _is_ready(self) -> bool | None:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2) as answer:
                return True if answer.status == 200 else None
        except (urllib.error.URLError, OSError):
            return None


class Webhook:
    """Receives the messages of an Alertmanager; ``async with`` serves it."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self._came = asyncio.Condition()
        self.messages: list[Json] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.post("/", self._take)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def until(self, holds: Callable[[list[Json]], bool], seconds: float = 30.0) -> None:
        """Wait until something holds of all messages; fails after that many seconds."""
        async with self._came:
            try:
                await asyncio.wait_for(self._came.wait_for(lambda: holds(self.messages)), seconds)
            except TimeoutError:
                raise AssertionError(f"all there is: {json.dumps(self.messages)}") from None

    async def _take(self, request: web.Request) -> web.Response:
        message = await request.json()
        async with self._came:
            self.messages.append(message)
            self._came.notify_all()
        return web.Response()


def amtool_beside(binary: Path) -> Path | None:
    """The amtool that belongs to an Alertmanager."""
    beside: Sequence[Path] = (binary.with_name("amtool"), binary.resolve().with_name("amtool"))
    found = next((path for path in beside if path.exists()), None) or shutil.which("amtool")
    return None if found is None else Path(found)
