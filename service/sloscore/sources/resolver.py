"""Name lookups that hold up nothing else when no answer comes."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = 8


class Resolver(AbstractResolver):
    """Looks names up in threads of its own.

    A lookup cannot be cancelled and takes many seconds where a name server is away. The threads
    that the event loop lends to everybody would all be taken by a few names of that kind.
    ``admits`` says of a host's name, its port and an address behind it whether that may be asked:
    the others are left out, and the connection goes to one of those that were judged.
    """

    def __init__(self, admits: Callable[[str, int, str], bool]) -> None:
        self._admits = admits
        self._threads = ThreadPoolExecutor(_THREADS, "resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See aiohttp; raises OSError, also where no address of the host may be asked."""
        look_up = partial(
            socket.getaddrinfo,
            host,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        results = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
            if self._admits(host, port, str(address[0]))
        ]
        if not results:
            addresses = ", ".join(sorted({str(one[4][0]) for one in found}))
            raise OSError(
                None,
                f"{host} is {addresses}, which scrape.allowed_targets has to name by its address",
            )
        return results

    async def close(self) -> None:
        """Take no more lookups; those under way are left to end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
