"""How soon everybody who waits for a score has it, once it is final."""

import asyncio
import select
import socket
import statistics
import time
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

import orjson
from api_service import EXPERIMENTS, Service

WAIT_SECONDS = 60


async def polls_table(service: Service, number: int, rounds: int) -> list[str]:
    """The table: times from that at which the score became final to the answers."""
    found = [await _round(service, number, f"polls-{one}") for one in range(rounds)]
    rows = {
        "first answer": [times[0] for times in found],
        "half of them": [times[len(times) // 2] for times in found],
        "99 %": [times[int(len(times) * 0.99)] for times in found],
        "last answer": [times[-1] for times in found],
        "last answer, counted from the first": [times[-1] - times[0] for times in found],
    }
    head = [f"| {number:,} long polls | median of {rounds} | worst |", "| --- | --- | --- |"]
    return head + [
        f"| {name} | {statistics.median(times) * 1000:.0f} ms | {max(times) * 1000:.0f} ms |"
        for name, times in rows.items()
    ]


async def _round(service: Service, number: int, name: str) -> list[float]:
    """Seconds from the end of one experiment to each answer, in their order."""
    address = urlsplit(service.url)
    await service.register(name, 2)
    await service.until_counted(name)
    request = (
        f"GET {EXPERIMENTS}/{name}/score?wait={WAIT_SECONDS} HTTP/1.1\r\n"
        f"Host: {address.netloc}\r\n\r\n"
    ).encode()
    polls = await asyncio.to_thread(_open, (str(address.hostname), address.port or 80), number)
    try:
        for poll in polls:
            poll.sendall(request)
        # Answered after the requests before it have been read.
        await service.ask(f"{EXPERIMENTS}/{name}")
        answered = asyncio.create_task(asyncio.to_thread(_answer_times, polls))
        await service.ask(f"{EXPERIMENTS}/{name}/finish", {})
        times = await answered
    finally:
        for poll in polls:
            poll.close()
    ended = orjson.loads(await service.ask(f"{EXPERIMENTS}/{name}"))["updated_at"]
    final = datetime.fromisoformat(ended).timestamp()
    return [at - final for at in times]


def _open(address: tuple[str, int], number: int) -> list[socket.socket]:
    return [socket.create_connection(address) for _ in range(number)]


def _answer_times(polls: Sequence[socket.socket]) -> list[float]:
    """When each of the answers began to come, in Unix seconds."""
    left = {poll.fileno(): poll for poll in polls}
    times = []
    with select.epoll() as waiting:
        for number in left:
            waiting.register(number, select.EPOLLIN)
        while left:
            ready = waiting.poll(WAIT_SECONDS, len(left))
            assert ready, f"{len(left)} requests have no answer after {WAIT_SECONDS} s"
            for number, _ in ready:
                begin = left.pop(number).recv(64)
                times.append(time.time())
                waiting.unregister(number)
                assert begin.startswith(b"HTTP/1.1 200"), begin
    return times
