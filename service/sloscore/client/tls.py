"""How the clients verify a service, and show it a certificate of their own."""

import ssl
from pathlib import Path

File = str | Path


def tls_context(
    ca_file: File | None, cert_file: File | None, key_file: File | None
) -> ssl.SSLContext | None:
    """A context of these PEM files, None without any: then the system's authorities are trusted.

    Raises OSError for files that cannot be used, ValueError for a key without its certificate.
    """
    if key_file is not None and cert_file is None:
        raise ValueError("key_file belongs to a certificate: give cert_file, too")
    if ca_file is None and cert_file is None:
        return None
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context
