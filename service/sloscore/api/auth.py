"""Tokens and their roles: who may read, write and administer."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from sloscore.api.problems import Check, problem
from sloscore.errors import SettingsError
from sloscore.secret_files import read_secret
from sloscore.settings import Settings
from sloscore.settings_access import MIN_TOKEN_LENGTH, AuthSettings, Role

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROBES: Final = frozenset({"/-/healthy", "/-/ready"})
ADMINISTRATION: Final = frozenset({"/-/reload"})


@dataclass(frozen=True, slots=True)
class Token:
    """A token that the service takes: its name, its role, and the SHA-256 of it.

    A plain hash is right for what is random and long: there is nothing that could be guessed.
    """

    name: str
    role: Role
    digest: bytes = field(repr=False)


class Access:
    """The tokens that the service takes now, and whether reading needs one."""

    def __init__(self, settings: Settings) -> None:
        """As ``replace``."""
        self.replace(settings)

    def replace(self, settings: Settings) -> None:
        """Take the tokens of these settings from now on, and none of those before.

        Raises SettingsError for a file that cannot be read or holds too short a token; the tokens
        stay as they were then.
        """
        self._tokens = tuple(_tokens(settings.auth))
        self._reads_need_token = settings.reads_need_token

    @property
    def has_tokens(self) -> bool:
        """Whether writes need a token."""
        return bool(self._tokens)

    def role_needed(self, method: str, path: str, open_paths: frozenset[str]) -> Role | None:
        """The role that a request needs; ``open_paths`` are POSTs that change nothing."""
        if not self._tokens or path in PROBES:
            return None
        if method in SAFE_METHODS or path in open_paths:
            return Role.READ if self._reads_need_token else None
        return Role.ADMIN if path in ADMINISTRATION else Role.WRITE

    def find(self, secret: str) -> Token | None:
        """The token that this is; one of the same secret with the widest role, where it has several."""
        digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
        # All are compared, each in constant time: how long it takes tells nothing of them.
        found = [token for token in self._tokens if hmac.compare_digest(token.digest, digest)]
        return max(found, key=lambda token: list(Role).index(token.role), default=None)


def require_role(access: Access, open_paths: frozenset[str]) -> Check:
    """A check that asks each request for a token of the role that it needs.

    What no route takes needs none: it is answered with what is wrong about it.
    """

    def check(request: web.Request) -> web.Response | None:
        needed = access.role_needed(request.method, request.path, open_paths)
        if needed is None or request.match_info.http_exception is not None:
            return None
        secret = _secret_of(request, takes_password=needed is Role.READ)
        token = access.find(secret) if secret is not None else None
        if token is None:
            return _unauthorized(needed)
        if not token.role.covers(needed):
            return problem(
                403,
                f"This needs a token of the role {needed}; the token {token.name} "
                f"has the role {token.role}.",
            )
        return None

    return check


def _unauthorized(needed: Role) -> web.Response:
    detail = (
        f"This needs a token of the service, of the role {needed}: "
        "send it as Authorization: Bearer TOKEN"
    )
    if needed is not Role.READ:
        return problem(401, f"{detail}.", headers={"WWW-Authenticate": 'Bearer realm="sloscore"'})
    # Browsers ask people for a password, and have no other way to send a token with a page.
    ways = 'Basic realm="sloscore: the token is the password", charset="UTF-8"'
    return problem(
        401,
        f"{detail}, or as the password of any user.",
        headers={"WWW-Authenticate": f'{ways}, Bearer realm="sloscore"'},
    )


def _secret_of(request: web.Request, *, takes_password: bool) -> str | None:
    """The token that a request carries; as a password only for what changes nothing.

    A browser adds a password by itself, also where another site's page makes it send something.
    """
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return given.strip()
        case "basic" if takes_password:
            try:
                text = base64.b64decode(given.strip(), validate=True).decode()
            except (binascii.Error, ValueError):
                return None
            return text.partition(":")[2]
        case _:
            return None


def _tokens(settings: AuthSettings) -> Iterator[Token]:
    if settings.token is not None:
        yield Token("of auth.token", Role.ADMIN, _digest(settings.token.get_secret_value()))
    if settings.token_file is not None:
        secret = _read(settings.token_file, "auth.token_file")
        yield Token("of auth.token_file", Role.ADMIN, _digest(secret))
    for number, token in enumerate(settings.tokens):
        if token.sha256 is not None:
            digest = bytes.fromhex(token.sha256.get_secret_value())
        else:
            file = token.token_file or Path()
            digest = _digest(_read(file, f"auth.tokens[{number}].token_file"))
        yield Token(token.name, token.role, digest)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _read(path: Path, setting: str) -> str:
    try:
        token = read_secret(path)
    except ValueError as error:
        raise SettingsError(f"{setting}: {error}") from None
    if len(token) < MIN_TOKEN_LENGTH:
        raise SettingsError(
            f"{setting}: {path} holds {len(token)} characters; "
            f"a token needs {MIN_TOKEN_LENGTH} or more"
        )
    return token
