"""Secrets of the tests, and where a service could tell them."""

import base64
import hashlib
from pathlib import Path

from tests.integration.service import EXPERIMENTS, task_of

MARK = "hunter2"
TASK = task_of(selector={"instance": "x"})
PATHS = (
    "/", "/new", "/status", "/what-if", "/experiments/one", "/metrics", "/openapi.json", "/-/ready",
    "/api/v1/status", EXPERIMENTS, f"{EXPERIMENTS}/one", f"{EXPERIMENTS}/one/score", "/nowhere",
)  # fmt: skip


def secret(name: str) -> str:
    return f"{MARK}-{name}-0123456789"


def check_hidden(text: str) -> None:
    """No secret stands in a text, nor what hides none: its Base64 and its SHA-256."""
    assert MARK not in text
    for name in ("admin", "writer", "reader", "password", "header", "bearer"):
        assert base64.b64encode(f"me:{secret(name)}".encode()).decode() not in text
        assert hashlib.sha256(secret(name).encode()).hexdigest() not in text


def file_of(place: Path, name: str) -> Path:
    path = place / name
    path.write_text(f"{secret(name)}\n", encoding="utf-8")
    return path
