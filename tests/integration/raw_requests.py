"""Bytes that no client sends, to a service that has to answer them."""

import asyncio

from tests.integration.service import PATIENCE
from yarl import URL

NONSENSE = {
    "method": b"GARBAGE\r\n\r\n",
    "header": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\x00\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nAuthorization: Bearer %b" + b"x" * 9000 + b"\r\n\r\n",
    "path": b"GET /%b/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "lengths": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
}
"""What cannot be read as HTTP; ``%b`` is where a secret may stand."""


def nonsense(name: str, secret: str) -> bytes:
    """One of them, with a secret in its place."""
    return NONSENSE[name].replace(b"%b", secret.encode())


async def answer_to(url: str, raw: bytes) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of the answer, after which the service hangs up."""
    place = URL(url)
    reader, writer = await asyncio.open_connection(place.host, place.port)
    async with asyncio.timeout(PATIENCE):
        writer.write(raw)
        text = (await reader.read(-1)).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body
