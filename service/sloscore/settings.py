"""Settings of the service: where its metrics come from and how it behaves."""

import ipaddress
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic.functional_validators import field_validator

from sloscore.allowed_targets import AllowedTargets, allowed_targets, pattern_of
from sloscore.logs import LogFormat, LogLevel
from sloscore.secret_files import SecretFile, read_secret
from sloscore.settings_access import AuthSettings, ServerTlsSettings
from sloscore.settings_base import Duration, PlainUrl, SettingsModel, database_url, parse_duration
from sloscore.sharding import Shard

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(?:\[\])?")
_OWN_PARAMETERS = frozenset({"query", "time", "timeout", "nocache"})
_OWN_HEADERS = frozenset({"authorization", "content-length", "content-type", "host"})


def _is_line(secret: SecretStr) -> bool:
    return secret.get_secret_value().isprintable()


class BasicAuthSettings(SettingsModel):
    """A user name with its password, or with a file that holds it."""

    username: str = Field(min_length=1, pattern=r"^[^:\r\n]+$")
    password: SecretStr | None = None
    password_file: SecretFile | None = None

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give either password or password_file")
        return self


class TlsSettings(SettingsModel):
    """How the server is verified, and the client certificate that is shown to it (PEM files)."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: SecretFile | None = None
    insecure_skip_verify: bool = False

    @model_validator(mode="after")
    def _has_certificate_and_key(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or none")
        return self


class PrometheusSettings(SettingsModel):
    """Access to the HTTP API of Prometheus, or of an engine that speaks it.

    ``timeout`` is the deadline of one query in seconds; ``max_answer_bytes`` bounds one answer
    after decompression; ``max_clock_skew`` is how many seconds its clock may differ from this
    machine's before it is believed no more; ``samples_span`` is how many seconds of raw samples one query asks for;
    ``max_query_targets`` and ``max_query_bytes`` bound the selectors that share a query.
    ``headers`` and ``parameters`` go with every query, as engines with several tenants or replicas ask for.
    Files with credentials and certificates are read again when they change. Without it
    (``enabled`` false) experiments must name a target of their own.
    """

    enabled: bool = True
    url: PlainUrl = "http://127.0.0.1:9090"
    timeout: Duration = 10.0
    max_concurrency: int = Field(default=8, ge=1)
    max_query_targets: int = Field(default=200, ge=1)
    max_query_bytes: int = Field(default=16 * 1024, ge=1)
    max_answer_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    samples_span: Duration = 600.0
    max_clock_skew: Duration = 2.0
    bearer_token: SecretStr | None = None
    bearer_token_file: SecretFile | None = None
    basic_auth: BasicAuthSettings | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    parameters: dict[str, str] = Field(default_factory=dict)
    tls: TlsSettings = Field(default_factory=TlsSettings)

    @field_validator("headers")
    @classmethod
    def _are_extra_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(
                    f"{name} is not an extra header: credentials go to basic_auth or bearer_token"
                )
            if not _is_line(value):
                raise ValueError(f"the value of {name} must be a single line of text")
        return headers

    @field_validator("parameters")
    @classmethod
    def _are_extra_parameters(cls, parameters: dict[str, str]) -> dict[str, str]:
        for name, value in parameters.items():
            if name in _OWN_PARAMETERS:
                raise ValueError(f"{name} is not an extra parameter: each query has its own")
            if not _PARAMETER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a parameter")
            if not value.isprintable():
                raise ValueError(f"the value of {name} must be a single line of text")
        return parameters

    @field_validator("bearer_token")
    @classmethod
    def _is_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not (token.get_secret_value().strip() and _is_line(token)):
            raise ValueError("the token must be a single line of text")
        return token

    @model_validator(mode="after")
    def _has_one_identity(self) -> Self:
        given = (self.bearer_token, self.bearer_token_file, self.basic_auth)
        if sum(one is not None for one in given) > 1:
            raise ValueError("give only one of bearer_token, bearer_token_file and basic_auth")
        return self


class ScrapeSettings(SettingsModel):
    """How servers are scraped whose experiments name their metrics page, in seconds and bytes.

    ``allowed_targets`` are names, addresses and networks (``*.svc:8000``, ``10.0.0.0/24``) that may
    be; without any only this machine may.
    """

    interval: Duration = 5.0
    timeout: Duration = 2.0
    max_concurrency: int = Field(default=64, ge=1)
    max_page_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    allowed_targets: tuple[str, ...] = ()

    @field_validator("allowed_targets")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        AllowedTargets(patterns)
        return patterns

    def why_not(self, url: str) -> str | None:
        """Why this URL may not be scraped, None where it may."""
        if allowed_targets(self.allowed_targets).names(url):
            return None
        return (
            f"{url} is not among scrape.allowed_targets, the addresses that may be scraped: add "
            f'"{pattern_of(url)}" to that setting if it may'
        )

    def admits(self, name: str, port: int, address: str) -> bool:
        """Whether a host may be scraped at an address that its name resolves to."""
        return allowed_targets(self.allowed_targets).admits(name, port, address)

    def naming(self, url: str) -> Self:
        """These settings where a person names the URL: it is allowed unless others are."""
        if self.allowed_targets:
            return self
        return self.model_copy(update={"allowed_targets": (pattern_of(url),)})


class ListenSettings(SettingsModel):
    """The address that the HTTP API binds; port 0 takes a free one.

    ``external_url`` is where people reach it, through a proxy for instance: alerts link there.
    ``drain`` is for how many seconds it goes on answering after it was told to stop.
    With ``tls`` it speaks https. With a ``shard`` such as ``0/3`` it takes the experiments of that part only.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8520, ge=0, le=65535)
    external_url: PlainUrl | None = None
    drain: Annotated[float, BeforeValidator(parse_duration), Field(ge=0, le=3600)] = 0.0
    tls: ServerTlsSettings | None = None
    shard: str | None = None

    @field_validator("shard")
    @classmethod
    def _is_shard(cls, text: str | None) -> str | None:
        if text is not None:
            Shard.parse(text)
        return text

    @property
    def part(self) -> Shard | None:
        """The part of all experiments that it takes, None for all of them."""
        return None if self.shard is None else Shard.parse(self.shard)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return _is_loopback(self.host)


# Asked for with every request.
@lru_cache(maxsize=16)
def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class StoreSettings(SettingsModel):
    """Where experiments are kept: an SQLite file, made when it is not there, or a PostgreSQL.

    ``url`` is that of the latter, which then stands in the place of ``path``. The file of its
    password is read again for each connection.
    """

    path: Path = Path("sloscore.db")
    url: Annotated[str, AfterValidator(database_url)] | None = None
    password: SecretStr | None = None
    password_file: SecretFile | None = None

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give only one of password and password_file")
        return self

    @property
    def place(self) -> Path | str:
        """The file's path, or the URL."""
        return self.path if self.url is None else self.url

    def read_password(self) -> str | None:
        """The password of this moment, if any; raises ValueError for an unusable file."""
        if self.password_file is not None:
            try:
                return read_secret(self.password_file)
            except ValueError as error:
                raise ValueError(f"store.password_file: {error}") from None
        return None if self.password is None else self.password.get_secret_value()


class EvaluationSettings(SettingsModel):
    """When experiments are evaluated, in seconds.

    ``closing_wait`` bounds the wait for the scrape that closes a window, ``source_wait`` the wait
    for a metric source that does not answer; ``max_window`` ends an experiment that nobody ends;
    ``retention`` is how long a finished experiment keeps its series in /metrics.
    """

    interval: Duration = 5.0
    closing_wait: Duration = 60.0
    source_wait: Duration = 300.0
    max_window: Duration = 6 * 3600.0
    retention: Duration = 3600.0


class LimitSettings(SettingsModel):
    """What one client may ask of the service; times are in seconds.

    ``idle_timeout`` bounds the time until the headers of a connection's next request are there,
    ``body_timeout`` that of a body, ``unread_timeout`` how long a client may take nothing of its
    answer.
    """

    max_connections: int = Field(default=4096, ge=1)
    idle_timeout: Duration = 75.0
    body_timeout: Duration = 30.0
    unread_timeout: Duration = 30.0
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    max_live_experiments: int = Field(default=5000, ge=1)
    max_exported_experiments: int = Field(default=10_000, ge=1)
    max_wait: Duration = 60.0
    max_waiting: int = Field(default=1000, ge=1)
    max_phases: int = Field(default=64, ge=1)


class LogSettings(SettingsModel):
    """What is logged, to stderr: a line an event, for people (console) or for machines (json)."""

    level: LogLevel = "info"
    format: LogFormat = "console"


class SettingsFile(SettingsModel):
    """Everything that ``sloscore serve`` can be told, as a YAML file holds it."""

    listen: ListenSettings = Field(default_factory=ListenSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    prometheus: PrometheusSettings = Field(default_factory=PrometheusSettings)
    scrape: ScrapeSettings = Field(default_factory=ScrapeSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    log: LogSettings = Field(default_factory=LogSettings)


class Settings(SettingsFile):
    """The settings in effect, from file, environment and command line together."""

    @model_validator(mode="after")
    def _others_need_a_token(self) -> Self:
        if not (
            self.listen.is_loopback or self.auth.has_tokens or self.auth.allow_anonymous_writes
        ):
            raise ValueError(
                f"listen.host is {self.listen.host}, which other machines can reach, and no token "
                "protects it: set auth.tokens or auth.token_file (or SLOSCORE_TOKEN), bind "
                "127.0.0.1, or let everybody write by --insecure (auth.allow_anonymous_writes)"
            )
        return self

    @model_validator(mode="after")
    def _is_shared_in_one_way(self) -> Self:
        if self.listen.shard is not None and self.store.url is not None:
            raise ValueError(
                "listen.shard and store.url exclude each other: services that share a database "
                "divide the experiments among themselves"
            )
        return self

    @property
    def reads_need_token(self) -> bool:
        """Whether reading asks for a token, too."""
        asked = self.auth.require_read
        return self.auth.has_tokens and (not self.listen.is_loopback if asked is None else asked)
