"""Certificates of an authority of the tests."""

import subprocess
from pathlib import Path

_NAMES = ("server", "client")


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


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
