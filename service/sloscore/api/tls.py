"""TLS of the server, whose certificates may be renewed while it runs."""

import ssl

import structlog

from sloscore.errors import SettingsError
from sloscore.secret_files import unreadable
from sloscore.settings_access import ServerTlsSettings
from sloscore.watched import Watched

_log = structlog.get_logger()


class ServerTls:
    """The TLS context to listen with: each handshake is done with the files as they are then.

    Files that cannot be used are logged, and those before stay in use. Raises SettingsError where
    there are none before.
    """

    def __init__(self, settings: ServerTlsSettings) -> None:
        paths = [settings.cert_file, settings.key_file, settings.client_ca_file]
        self._watched = Watched([path for path in paths if path], lambda: _context(settings))
        self._trouble: str | None = None
        try:
            self.context = self._watched.get()
        except (OSError, ValueError) as error:
            raise SettingsError(f"listen.tls: {_reason(error, settings)}") from None
        self._settings = settings
        self.context.sni_callback = self._renew

    def _renew(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        try:
            connection.context = self._watched.get()
        except (OSError, ValueError) as error:
            trouble = _reason(error, self._settings)
            # Once for each trouble: a handshake is made by whoever likes to.
            if trouble != self._trouble:
                _log.error("the new TLS files cannot be used", reason=trouble)
            self._trouble = trouble
        else:
            self._trouble = None


def _context(settings: ServerTlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A key with a passphrase would ask for it on the terminal.
    context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    if settings.client_ca_file is not None:
        context.load_verify_locations(settings.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _reason(error: OSError | ValueError, settings: ServerTlsSettings) -> str:
    for path in (settings.cert_file, settings.key_file, settings.client_ca_file):
        if path is not None:
            try:
                path.open("rb").close()
            except (OSError, ValueError) as trouble:
                return unreadable(path, trouble)
    reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
    return (
        f"{settings.cert_file} and {settings.key_file} (or client_ca_file) cannot be used: "
        f"{reason.replace('_', ' ').lower()}"
    )
