"""Certificates of an authority of the tests."""

import ssl
import subprocess
from pathlib import Path

_NAMES = ("server", "client")


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def server_context(place: Path, name: str = "server") -> ssl.SSLContext:
    """What a server shows that has this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(place / f"{name}.pem", place / f"{name}.key")
    return context


def issue_expired(place: Path) -> None:
    """A server's certificate (expired.pem) of the authority at this place, which ended yesterday."""
    (place / "expired.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    request = f"{place}/expired.csr"
    openssl("req", "-new", "-key", f"{place}/server.key", "-subj", "/CN=server", "-out", request)
    signed = ["-CA", f"{place}/ca.pem", "-CAkey", f"{place}/ca.key", "-CAcreateserial"]
    dated = ["-days", "-1", "-extfile", f"{place}/expired.ext", "-out", f"{place}/expired.pem"]
    openssl("x509", "-req", "-in", request, *signed, *dated)
    (place / "expired.key").write_bytes((place / "server.key").read_bytes())


def issue(place: Path) -> Path:
    """An authority (ca.pem) with a server's and a client's certificate, at this place."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca = ["-x509", "-subj", f"/CN={place.name}", "-addext", "keyUsage=critical,keyCertSign"]
    files = ["-keyout", f"{place}/ca.key", "-out", f"{place}/ca.pem"]
    openssl("req", *key, *ca, *files)
    signed = ["-CA", f"{place}/ca.pem", "-CAkey", f"{place}/ca.key"]
    for name in _NAMES:
        files = ["-keyout", f"{place}/{name}.key", "-out", f"{place}/{name}.pem"]
        names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]
        openssl("req", "-x509", *key, *names, *leaf, *signed, *files)
    return place
