"""Options of the commands that speak to a service: where it is, and by which token and certificates."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sloscore.cli.options import read_token, web_address
from sloscore.errors import SpecError

if TYPE_CHECKING:
    from sloscore.client import SLOClient

_FILE: Final = click.Path(path_type=Path)
_OPTIONS: Final = (
    click.option(
        "--url", envvar="SLOSCORE_URL", default="http://127.0.0.1:8520", show_default=True,
        callback=web_address, help="URL of the service.",
    ),
    click.option("--token-file", type=_FILE, help="File with the service's token."),
    click.option(
        "--ca-file", type=_FILE, envvar="SLOSCORE_CA_FILE",
        help="Certificates of the authority that signed the service's. [default: the system's]",
    ),
    click.option(
        "--cert-file", type=_FILE, envvar="SLOSCORE_CERT_FILE",
        help="Client certificate to show to the service.",
    ),
    click.option("--key-file", type=_FILE, envvar="SLOSCORE_KEY_FILE", help="Its key."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServiceAccess:
    """A service, and how it is reached."""

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def client(self, *, retries: int = 5, timeout: float = 10.0) -> "SLOClient":
        """A client of it; raises SpecError for files that cannot be used."""
        from sloscore.client import SLOClient

        try:
            return SLOClient(
                self.url,
                token=read_token(self.token_file),
                retries=retries,
                timeout=timeout,
                ca_file=self.ca_file,
                cert_file=self.cert_file,
                key_file=self.key_file,
            )
        except (OSError, ValueError) as error:
            raise SpecError([f"--ca-file, --cert-file, --key-file: {error}"]) from None


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command these options, and their values as its argument ``service``."""

    @functools.wraps(command)
    def with_service(
        *args: object,
        url: str,
        token_file: Path | None,
        ca_file: Path | None,
        cert_file: Path | None,
        key_file: Path | None,
        **others: object,
    ) -> Any:  # noqa: ANN401  what the command returns
        service = ServiceAccess(url, token_file, ca_file, cert_file, key_file)
        return command(*args, service=service, **others)

    for option in reversed(_OPTIONS):
        option(with_service)
    return with_service
