"""Serves the metrics pages of many vLLMs under load: /N is that of the N-th.

Each page is the exposition of a real vLLM with 40 requests, taken as often as the load has been
served so far: 40 requests more every two seconds.

    python bench/page_server.py
"""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

EXPOSITION = Path(__file__).parents[1] / "tests" / "fixtures" / "expositions" / "vllm.txt"
LOAD_SECONDS = 2.0
# What grows with the load: neither gauges nor times.
_SAMPLE = re.compile(
    r"^(?!process_|vllm:num_requests_|vllm:kv_cache_|\S+_created\b)(?P<series>[^# ]+) (?P<value>\S+)$",
    re.MULTILINE,
)


def pages() -> Callable[[int], str]:
    """The page of a server that has served the load so many times."""
    text = EXPOSITION.read_text(encoding="utf-8")

    def page(times: int) -> str:
        def grown(sample: re.Match[str]) -> str:
            return f"{sample['series']} {float(sample['value']) * times!r}"

        return _SAMPLE.sub(grown, text)

    return page


async def main() -> None:
    page, known, began = pages(), dict[int, bytes](), time.monotonic()

    async def show(_: web.Request) -> web.Response:
        times = 1 + int((time.monotonic() - began) / LOAD_SECONDS)
        if times not in known:
            known.clear()
            known[times] = page(times).encode()
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return web.Response(body=known[times], headers={"Content-Type": kind})

    app = web.Application()
    app.router.add_get(r"/{number:\d+}", show)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"pages at 127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
