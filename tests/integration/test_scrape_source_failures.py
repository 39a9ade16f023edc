"""What the direct scrape makes of servers that answer something else, late, in part or never."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest
from tests.integration.pages import HOST, Answer, PageServer
from tests.integration.scraping import OPEN_METRICS, Connect, Talk, always, failure, shown, silence

pytest_plugins = ["tests.integration.scrape_fixtures"]

LARGE = b"other 1\n" * 1000
REFUSED: dict[str, tuple[Answer, str, str]] = {
    "an error of the server": (always("", status=500), "http", "answered HTTP 500, not a page"),
    "no page at this path": (always("", status=404), "http", "answered HTTP 404, not a page"),
    "no content": (always("", status=204), "http", "answered HTTP 204, not a page"),
    "HTML": (always("<html></html>", "text/html"), "decode", "is no metrics exposition"),
    "JSON": (always("{}", "application/json"), "decode", "is no metrics exposition"),
    "OpenMetrics that is cut off": (always("# TYPE a gauge\n", OPEN_METRICS), "decode", "# EOF"),
    "bytes that are no text": (always(b'a{b="\xff"} 1\n'), "decode", "is not UTF-8"),
    "a page that is too large": (always(LARGE), "too_large", "larger than 2048 bytes"),
    "a page that grows too large": (
        always(gzip.compress(LARGE * 1000), headers={"Content-Encoding": "gzip"}),
        "too_large", "(scrape.max_page_bytes)",
    ),
    "what is not compressed but says so": (
        always("other 1\n", headers={"Content-Encoding": "gzip"}), "unreachable", "cannot scrape",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_an_answer_that_is_no_page_is_told(
    connect: Connect, server: PageServer, answer: Answer, kind: str, words: str
) -> None:
    server.answer = answer

    error = await failure(connect(max_page_bytes=2048), server.url)

    assert (error.kind, words in str(error)) == (kind, True), error
    assert server.address in str(error)


async def test_a_redirect_is_not_followed(connect: Connect, server: PageServer) -> None:
    server.answer = always("", status=302, headers={"Location": "/elsewhere"})

    error = await failure(connect(), server.url)

    assert (error.kind, "HTTP 302" in str(error)) == ("http", True)
    assert server.asked == ["/metrics"]


async def drops(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A page that begins, and goes on for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"other 1\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("talk", [silence, drops])
async def test_a_server_that_does_not_come_to_an_end_is_given_up(
    connect: Connect, listen: Callable[[Talk], Awaitable[str]], talk: Talk
) -> None:
    error = await failure(connect(timeout="100ms"), await listen(talk))

    assert error.kind == "timeout"
    assert "did not answer within 0.1 s (scrape.timeout)" in str(error)


def says(*parts: str) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("".join(parts).encode())
        await writer.drain()

    return talk


OLD = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
NEW = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
TORN: dict[str, tuple[Talk, str, str]] = {
    "hung up": (says(), "unreachable", "cannot scrape"),
    "no HTTP": (says("SSH-2.0-OpenSSH_9.6\r\n"), "unreachable", "cannot scrape"),
    "less than was promised": (
        says(NEW, "Content-Length: 99\r\n\r\n", "other 1\n"), "unreachable", "cannot scrape",
    ),
    "chunks that stop": (
        says(NEW, "Transfer-Encoding: chunked\r\n\r\n", "8\r\nother 1\n\r\n"),
        "unreachable", "cannot scrape",
    ),
    "a last line without its end": (says(OLD, "\r\n", "other 1\nother 12"), "decode", "cut off"),
}  # fmt: skip


@pytest.mark.parametrize(("talk", "kind", "words"), TORN.values(), ids=TORN.keys())
async def test_a_page_that_is_cut_off_is_never_data(
    connect: Connect,
    listen: Callable[[Talk], Awaitable[str]],
    talk: Talk,
    kind: str,
    words: str,
) -> None:
    error = await failure(connect(), await listen(talk))

    assert (error.kind, words in str(error)) == (kind, True), error


@pytest.mark.parametrize(
    "talk",
    [
        says(OLD, "\r\n", "vllm:generation_tokens_total 7\n"),
        says(OLD, "Content-Length: 30\r\n\r\n", "vllm:generation_tokens_total 7"),
    ],
)
async def test_a_page_that_ends_with_its_connection_or_its_length_is_whole(
    connect: Connect, listen: Callable[[Talk], Awaitable[str]], talk: Talk
) -> None:
    sample = await shown(connect(), await listen(talk))

    assert list(sample.counters.values()) == [7]


async def test_a_server_that_is_not_there_is_told(connect: Connect) -> None:
    error = await failure(connect(), f"http://{HOST}:1/metrics")

    assert error.kind == "unreachable"
    assert f"cannot scrape http://{HOST}:1/metrics: Connect call failed" in str(error)
