"""Headers of every answer that keep browsers from doing more with it than showing it."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict, istr

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    # Pages set their own policy, which lets them load what the service itself has.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SERVER: Final = "sloscore"
_HTTPS_ONLY: Final = {"Strict-Transport-Security": "max-age=31536000"}


def headers_of(*, is_https: bool) -> dict[str, str]:
    """The headers of an answer that has none of its own."""
    return {"Server": _SERVER} | _HEADERS | (_HTTPS_ONLY if is_https else {})


def harden(*, is_https: bool) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A signal of each answer that adds the headers which it does not have itself."""
    # Names that are lower case once and for all are found sooner.
    headers = CIMultiDict(
        (istr(name), value)
        for name, value in headers_of(is_https=is_https).items()
        if name != hdrs.SERVER
    )

    async def add(_: web.Request, response: web.StreamResponse) -> None:
        own = response.headers
        if not [name for name in headers if name in own]:
            # So it is with nearly all answers, which take all of them at once.
            own.extend(headers)
        else:
            for name, value in headers.items():
                own.setdefault(name, value)
        # The versions of what it is made of are nobody's business.
        own[hdrs.SERVER] = _SERVER

    return add
