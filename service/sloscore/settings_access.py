"""Settings of who may use the service: tokens with their roles, and the server's TLS."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic.functional_validators import field_validator

from sloscore.secret_files import SecretFile
from sloscore.settings_base import SettingsModel

MIN_TOKEN_LENGTH = 16
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Role(StrEnum):
    """What a token may do; each role may do what those before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what needs the other."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class TokenSettings(SettingsModel):
    """One token: the SHA-256 of it in hexadecimal digits, or a file that holds it."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    role: Role
    sha256: SecretStr | None = None
    token_file: SecretFile | None = None

    @field_validator("sha256")
    @classmethod
    def _is_sha256(cls, digest: SecretStr | None) -> SecretStr | None:
        if digest is not None and not _SHA256.fullmatch(digest.get_secret_value()):
            raise ValueError(
                "must be 64 hexadecimal digits, the SHA-256 of the token: sloscore token writes them"
            )
        return digest

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.sha256 is None) == (self.token_file is None):
            raise ValueError("give either sha256 or token_file")
        return self


class AuthSettings(SettingsModel):
    """Who may read and change experiments.

    ``token`` and ``token_file`` are one token of the role admin; ``tokens`` are more of them, each
    with a role. ``require_read`` asks reads for a token, too; where it is not set, that is so on
    an address that other machines can reach.
    """

    token: SecretStr | None = None
    token_file: SecretFile | None = None
    tokens: tuple[TokenSettings, ...] = ()
    require_read: bool | None = None
    allow_anonymous_writes: bool = False

    @property
    def has_tokens(self) -> bool:
        """Whether anything asks for a token."""
        return self.token is not None or self.token_file is not None or bool(self.tokens)

    @field_validator("token")
    @classmethod
    def _is_long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token) < MIN_TOKEN_LENGTH:
            raise ValueError(f"must hold at least {MIN_TOKEN_LENGTH} characters")
        return token

    @field_validator("tokens")
    @classmethod
    def _have_names(cls, tokens: tuple[TokenSettings, ...]) -> tuple[TokenSettings, ...]:
        names = [token.name for token in tokens]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two tokens are named {twice[0]}")
        return tokens

    @model_validator(mode="after")
    def _are_consistent(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("give either token or token_file, not both")
        if self.require_read and not self.has_tokens:
            raise ValueError("require_read needs a token: set tokens or token_file")
        return self


class ServerTlsSettings(SettingsModel):
    """The server's certificate and key, and the authority of its clients' certificates (PEM files).

    With ``client_ca_file`` only clients that show a certificate of that authority are heard.
    """

    cert_file: Path
    key_file: SecretFile
    client_ca_file: Path | None = None
