"""Bearer tokens for everything that changes an experiment."""

import hmac
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from sloscore.api.problems import Handler, problem
from sloscore.errors import SettingsError
from sloscore.settings import MIN_TOKEN_LENGTH, AuthSettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def read_token(settings: AuthSettings) -> str | None:
    """The token that writes need, or None where they need none.

    Raises SettingsError where the token's file cannot be read or holds too short a token.
    """
    if settings.token is not None:
        return settings.token.get_secret_value()
    if settings.token_file is None:
        return None
    return _read(settings.token_file)


def require_token(token: str | None, open_paths: frozenset[str]) -> Middleware:
    """Middleware that asks for the token on every write but those that change nothing."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_open = request.method in SAFE_METHODS or request.path in open_paths
        if token is None or is_open or _carries(request.headers, token):
            return await handler(request)
        return problem(
            401,
            "This needs the service's token: send it as Authorization: Bearer TOKEN.",
            headers={"WWW-Authenticate": 'Bearer realm="sloscore"'},
        )

    return middleware


def _carries(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("utf-8", "surrogateescape"), token.encode()
    )


def _read(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"auth.token_file: {path} cannot be read: {error}") from error
    if len(token) < MIN_TOKEN_LENGTH:
        raise SettingsError(
            f"auth.token_file: {path} holds {len(token)} characters; "
            f"a token needs {MIN_TOKEN_LENGTH} or more"
        )
    return token
