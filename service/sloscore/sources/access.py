"""Credentials and certificates of a Prometheus, read again when their files change."""

import base64
import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import SecretStr

from sloscore.errors import SourceError
from sloscore.secret_files import read_secret, reason_of
from sloscore.settings import PrometheusSettings, TlsSettings
from sloscore.watched import Watched

_SHORTEST_SECRET = 6


class Access:
    """The request headers and the TLS context that the settings ask for."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._extra = {name: v.get_secret_value() for name, v in settings.headers.items()}
        self._authorization = _authorization(settings)
        self._tls = _tls(settings.tls) if settings.url.startswith("https:") else None

    def __repr__(self) -> str:
        return "Access(...)"

    def headers(self) -> dict[str, str]:
        """Headers of the next request; raises SourceError (``auth``) for an unreadable file."""
        if self._authorization is None:
            return dict(self._extra)
        try:
            return {**self._extra, "Authorization": self._authorization.get()}
        except (OSError, ValueError) as error:
            raise SourceError(
                f"cannot read the credentials: {reason_of(error)}", kind="auth"
            ) from None

    def without_secrets(self, text: bytes) -> bytes:
        """What a server has said, without the credentials that it may quote."""
        secrets = set(self._extra.values())
        # Files that cannot be read now were not sent either.
        with contextlib.suppress(OSError, ValueError):
            if self._authorization is not None:
                sent = self._authorization.get()
                secrets |= {sent, *_parts(sent)}
        for secret in sorted(secrets, key=len, reverse=True):
            # Shorter ones are names of tenants, and parts of other words.
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret.encode(), b"***")
        return text

    def tls(self) -> ssl.SSLContext | bool:
        """TLS of the next request; raises SourceError (``auth``) for unusable certificates."""
        if self._tls is None:
            return True
        try:
            return self._tls.get()
        except (OSError, ValueError) as error:
            raise SourceError(
                f"cannot use the TLS files: {reason_of(error)}", kind="auth"
            ) from None


def _authorization(settings: PrometheusSettings) -> Watched[str] | None:
    if settings.basic_auth is not None:
        user = settings.basic_auth.username
        password, path = settings.basic_auth.password, settings.basic_auth.password_file
        return _secret(password, path, lambda secret: _basic(user, secret))
    if settings.bearer_token is None and settings.bearer_token_file is None:
        return None
    return _secret(settings.bearer_token, settings.bearer_token_file, lambda s: f"Bearer {s}")


def _secret(value: SecretStr | None, path: Path | None, make: Callable[[str], str]) -> Watched[str]:
    if path is not None:
        return Watched([path], lambda: make(_single_line(path)))
    return Watched([], lambda: make(value.get_secret_value() if value else ""))


def _parts(authorization: str) -> Iterator[str]:
    scheme, _, secret = authorization.partition(" ")
    yield secret
    if scheme == "Basic":
        yield base64.b64decode(secret).decode().partition(":")[2]


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _single_line(path: Path) -> str:
    text = read_secret(path)
    if not text or not text.isprintable():
        raise ValueError(f"{path} must hold one line of text")
    return text


def _tls(settings: TlsSettings) -> Watched[ssl.SSLContext]:
    paths = [settings.ca_file, settings.cert_file, settings.key_file]
    return Watched([path for path in paths if path is not None], lambda: _context(settings))


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert_file is not None:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
