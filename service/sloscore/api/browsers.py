"""No page of another site may write through somebody's browser, or read what only this machine may.

A browser says where a write comes from (``Origin``, ``Sec-Fetch-Site``), and by which name it was
sent (``Host``): a foreign name that resolves to this machine is how a page gets round both. Curl and
the client send neither of the first two.
"""

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from sloscore.api.auth import PROBES, SAFE_METHODS, Access
from sloscore.api.context import Context
from sloscore.api.problems import Check, problem
from sloscore.settings import ListenSettings

_PORTS = {"http": 80, "https": 443}


def refuse_other_sites(context: Context, open_paths: frozenset[str], access: Access) -> Check:
    """A check that refuses the writes of other sites' pages, but for those that change nothing.

    Where a request needs no token its ``Host`` must be one of the service's own, too: on a loopback
    address always, on others in the writes that a browser sends.
    """

    def check(request: web.Request) -> web.Response | None:
        if request.path in PROBES:
            return None
        listen = context.settings.listen
        origin, host = request.headers.get("Origin"), request.headers.get("Host")
        writes = request.method not in SAFE_METHODS and request.path not in open_paths
        cross = request.headers.get("Sec-Fetch-Site") == "cross-site"
        if writes and (cross or (origin is not None and not _is_own(origin, host, listen))):
            return problem(403, "A page of another site cannot change anything here.")
        loopback = listen.is_loopback
        strict = loopback or (writes and origin is not None)
        own = (listen.host, listen.external_url)
        if not strict or host is None or _is_known(host, *own, loopback=loopback):
            return None
        if access.role_needed(request.method, request.path, open_paths) is not None:
            return None
        protect = "protect writes by a token" if writes else "let reads need a token, too"
        return problem(
            403,
            f"The request was sent to {host!a}, which is no name of this service: use its "
            f"address, set listen.external_url to the name, or {protect}.",
        )

    return check


def _is_own(origin: str, host: str | None, listen: ListenSettings) -> bool:
    parts = _split(origin)
    if parts is None:
        return False
    named = _split(f"{parts.scheme}://{host}") if host is not None else None
    external = _split(listen.external_url) if listen.external_url is not None else None
    place = _place(parts)
    return (named is not None and place[1:] == _place(named)[1:]) or (
        external is not None and place == _place(external)
    )


# Few names are in use, and every request has one.
@lru_cache(maxsize=64)
def _is_known(host: str, own: str, external_url: str | None, *, loopback: bool) -> bool:
    parts = _split(f"http://{host}")
    if parts is None or parts.hostname is None:
        return False
    name = parts.hostname.removesuffix(".")
    try:
        # No page can come to hold a number for its name.
        return ipaddress.ip_address(name).is_loopback or not loopback
    except ValueError:
        return name in {"localhost", own.lower(), urlsplit(external_url or "").hostname}


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, None where it is none or has no host."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  reading the port is what checks it
    except ValueError:
        return None
    return parts if parts.hostname else None


def _place(parts: SplitResult) -> tuple[str, str | None, int | None]:
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port
