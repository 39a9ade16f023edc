"""A bare aiohttp server that sends what another one sent: no middlewares, no checks, no log.

``GET /api/v1/experiments/NAME/score`` is answered with NAME.json of a directory, and
``POST /api/v1/score``, once its body is read, with numbers.json.

    python bench/bare_server.py DIRECTORY
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web


async def main(answers: Mapping[str, bytes]) -> None:
    async def show(request: web.Request) -> web.Response:
        body = answers[request.match_info["name"]]
        return web.Response(body=body, content_type="application/json")

    async def score(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=answers["numbers"], content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/v1/experiments/{name}/score", show)
    app.router.add_post("/api/v1/score", score)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"bare server at http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    files = Path(sys.argv[1]).glob("*.json")
    asyncio.run(main({path.stem: path.read_bytes() for path in files}))
