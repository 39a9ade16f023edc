"""One request to Prometheus' HTTP API, with every way it can fail told apart."""

import asyncio
import ssl
import string
from collections.abc import Mapping
from urllib.parse import quote_plus, urlsplit

import aiohttp
import orjson

from sloscore.errors import SourceDownError, SourceError
from sloscore.settings import PrometheusSettings
from sloscore.sources.access import Access
from sloscore.sources.quoting import quoted

# Prometheus gives up a little earlier, so that its own words arrive before the deadline.
_SERVER_SHARE = 0.9
_QUERY = "/api/v1/query"
_MAX_CONNECT_SECONDS = 5.0
_MAX_ERROR_BYTES = 64 * 1024
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# The sign of an escape is the first of them.
_ESCAPES = [
    (each, quote_plus(each))
    for each in sorted(string.punctuation + " ", key=lambda each: each != "%")
    if quote_plus(each) != each
]


class Transport:
    """Sends queries; the connections are opened by the first, in the loop that awaits it."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings
        self._access = Access(settings)
        self._session: aiohttp.ClientSession | None = None

    async def query(self, query: str, at: float | None) -> bytes:
        """The body of an instant query's successful answer, evaluated at Unix time ``at`` (or now).

        Raises SourceError of kind timeout, unreachable, auth, http, bad_data or too_large.
        """
        server_timeout = round(self._settings.timeout * _SERVER_SHARE * 1000)
        form = {**self._settings.parameters, "query": query}
        form["timeout"] = f"{max(1, server_timeout)}ms"
        # VictoriaMetrics keeps the last 30 s back unless asked like this; the others ignore it.
        form["nocache"] = "1"
        if at is not None:
            form["time"] = f"{at:.3f}"
        return await self._ask("POST", _QUERY, form)

    async def get(self, path: str) -> bytes:
        """The body of a successful answer to a GET of the API, such as /api/v1/status/buildinfo.

        Raises SourceError as for a query.
        """
        return await self._ask("GET", path, None)

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, method: str, path: str, form: Mapping[str, str] | None) -> bytes:
        try:
            async with asyncio.timeout(self._settings.timeout):
                try:
                    return await self._send(method, path, form)
                except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                    # A kept connection that the server closed meanwhile; a query can be repeated.
                    return await self._send(method, path, form)
        except TimeoutError as error:
            raise self._too_slow(error) from None
        except aiohttp.ClientSSLError as error:
            raise self._untrusted(error) from None
        except aiohttp.ClientPayloadError as error:
            raise SourceError(
                f"the answer of Prometheus at {self._settings.url} broke off: {error}", kind="http"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            reason = (isinstance(cause, OSError) and cause.strerror) or cause
            raise SourceError(
                f"cannot reach Prometheus at {self._settings.url}: {reason}; "
                "is it running, is the address right?",
                kind="unreachable",
            ) from None

    async def _send(self, method: str, path: str, form: Mapping[str, str] | None) -> bytes:
        async with self._opened().request(
            method,
            f"{self._settings.url}{path}",
            data=None if form is None else _encoded(form),
            headers={**self._access.headers(), **(_FORM if form is not None else {})},
            ssl=self._access.tls(),
            allow_redirects=False,
        ) as response:
            if response.status != 200:
                text = await response.content.read(_MAX_ERROR_BYTES)
                raise self._refused(response, text, path)
            return await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._settings.max_answer_bytes
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > limit:
                # The error's trace would keep it until the next collection of garbage.
                body.clear()
                raise SourceError(
                    f"the answer of Prometheus at {self._settings.url} is larger than {limit} bytes "
                    "(prometheus.max_answer_bytes): ask for fewer targets in a query "
                    "(prometheus.max_query_targets) or allow more",
                    kind="too_large",
                )
        return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=min(_MAX_CONNECT_SECONDS, self._settings.timeout / 2)
            )
            self._session = aiohttp.ClientSession(
                # Who asks bounds how many queries run, so that no deadline runs while one waits.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=timeout,
            )
        return self._session

    def _refused(self, response: aiohttp.ClientResponse, text: bytes, path: str) -> SourceError:
        status, url = response.status, self._settings.url
        said = _words_of(self._access.without_secrets(text))
        if 300 <= status < 400:
            place = urlsplit(response.headers.get("Location", ""))
            where = (
                f"{place.scheme}://{place.hostname}{place.path}" if place.hostname else place.path
            )
            return SourceError(
                f"Prometheus at {url} redirects to {where or 'nowhere'} (HTTP {status}), and "
                "redirects are not followed: set the final address",
                kind="http",
            )
        if status in {401, 403}:
            return SourceError(
                f"Prometheus at {url} refuses the credentials (HTTP {status}): {said}; "
                "check bearer_token, basic_auth and headers",
                kind="auth",
            )
        if status == 404:
            return SourceError(
                f"there is no {'query API' if path == _QUERY else 'such API'} at {url}{path} (HTTP 404): "
                "does the address lack a path prefix?",
                kind="http",
            )
        kind = _kind_of(text) or ("bad_data" if status in {400, 422} else "http")
        sentence = f"Prometheus at {url} answered HTTP {status}: {said}"
        if wait := response.headers.get("Retry-After"):
            sentence += f" (Retry-After: {quoted(wait.encode())})"
        # Who asks too much, or asks an overloaded server, must not go on with more and smaller queries.
        is_down = status in {429, 503} and kind == "http"
        return (SourceDownError if is_down else SourceError)(sentence, kind=kind)

    def _too_slow(self, error: TimeoutError) -> SourceError:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return SourceError(
                f"cannot reach Prometheus at {self._settings.url}: nobody accepts the connection; "
                "is the address right, does a firewall drop it?",
                kind="unreachable",
            )
        return SourceError(
            f"Prometheus at {self._settings.url} did not answer within "
            f"{self._settings.timeout:g} s (prometheus.timeout)",
            kind="timeout",
        )

    def _untrusted(self, error: aiohttp.ClientSSLError) -> SourceError:
        reason: BaseException = error
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            reason = error.certificate_error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return SourceError(
                f"the certificate of {self._settings.url} is not trusted: {reason.verify_message}; "
                "set prometheus.tls.ca_file to the authority that issued it",
                kind="unreachable",
            )
        return SourceError(
            f"no TLS connection to {self._settings.url}: {reason}; does it speak https, and does "
            "it want a client certificate?",
            kind="unreachable",
        )


def _encoded(form: Mapping[str, str]) -> bytes:
    """The form as a body; as ``urllib.parse.urlencode``, which takes long for queries of many targets."""
    return "&".join(f"{key}={_escaped(value)}" for key, value in form.items()).encode()


def _escaped(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        return quote_plus(text)
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text


def _error_fields(text: bytes) -> tuple[str, str] | None:
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(answer, dict) or "error" not in answer:
        return None
    return str(answer.get("errorType", "")), str(answer["error"])


def _words_of(text: bytes) -> str:
    fields = _error_fields(text)
    if fields is not None:
        return ": ".join(part for part in fields if part)
    return quoted(text)


def _kind_of(text: bytes) -> str | None:
    fields = _error_fields(text)
    kinds = {
        "timeout": "timeout",
        "canceled": "timeout",
        "bad_data": "bad_data",
        "execution": "bad_data",
    }
    return kinds.get(fields[0]) if fields else None
