"""No page of another site may write through somebody's browser.

A browser says where a write comes from (``Origin``, ``Sec-Fetch-Site``), and by which name it was
sent (``Host``): a foreign name that resolves to this machine is how a page gets round both. Curl and
the client send neither of the first two.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from sloscore.api.auth import SAFE_METHODS, Access
from sloscore.api.context import Context
from sloscore.api.problems import Check, problem
from sloscore.settings import ListenSettings

_PORTS = {"http": 80, "https": 443}


def refuse_other_sites(context: Context, open_paths: frozenset[str], access: Access) -> Check:
    """A check that refuses the writes of other sites' pages, but for those that change nothing.

    Where no token is needed the ``Host`` must be one of the service's own, too: on a loopback address
    always, on others in what a browser sends.
    """

    def check(request: web.Request) -> web.Response | None:
        if request.method in SAFE_METHODS or request.path in open_paths:
            return None
        listen = context.settings.listen
        origin, host = request.headers.get("Origin"), request.headers.get("Host")
        cross = request.headers.get("Sec-Fetch-Site") == "cross-site"
        if cross or (origin is not None and not _is_own(origin, host, listen)):
            return problem(403, "A page of another site cannot change anything here.")
        strict = not access.has_tokens and (listen.is_loopback or origin is not None)
        if strict and host is not None and not _is_known(host, listen):
            return problem(
                403,
                f"The request was sent to {host!a}, which is no name of this service: use its "
                "address, set listen.external_url to the name, or protect writes by a token.",
            )
        return None

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


def _is_known(host: str, listen: ListenSettings) -> bool:
    parts = _split(f"http://{host}")
    if parts is None or parts.hostname is None:
        return False
    name = parts.hostname.removesuffix(".")
    try:
        # No page can come to hold a number for its name.
        return ipaddress.ip_address(name).is_loopback or not listen.is_loopback
    except ValueError:
        external = urlsplit(listen.external_url or "").hostname
        return name in {"localhost", listen.host.lower(), external}


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
