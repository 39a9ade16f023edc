"""`sloscore token`: what it prints is what the service takes."""

import re
import stat
from pathlib import Path

import pytest
import yaml
from tests.cli.command import sloscore

from sloscore.api.auth import Access
from sloscore.settings import Settings


def access_of(text: str) -> Access:
    return Access(Settings.model_validate(yaml.safe_load(text)))


@pytest.mark.parametrize("role", ["read", "write", "admin"])
def test_the_printed_settings_let_the_printed_token_in(role: str) -> None:
    ended = sloscore("token", "tuner", "--role", role)
    first, _, lines = ended.out.partition("\n")
    secret = first.removeprefix("token: ")

    found = access_of(lines).find(secret)

    assert ended.code == 0
    assert found is not None
    assert (found.name, found.role) == ("tuner", role)
    assert re.fullmatch(r"slo_[\w-]{43}", secret)
    assert secret not in lines


def test_every_token_is_another_one() -> None:
    made = {sloscore("token", "a", "--role", "read").out for _ in range(3)}
    assert len(made) == 3


def test_a_token_goes_to_a_new_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "token"
    ended = sloscore("token", "tuner", "--role", "write", "--out", str(path))
    secret = path.read_text(encoding="utf-8").strip()
    assert access_of(ended.out).find(secret) is not None
    assert secret not in ended.out + ended.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    again = sloscore("token", "tuner", "--role", "write", "--out", str(path))

    assert again.code == 1
    assert again.err == f"sloscore: {path} cannot be written: File exists\n"
    assert path.read_text(encoding="utf-8").strip() == secret


def test_a_name_that_the_settings_would_refuse_is_refused() -> None:
    ended = sloscore("token", "a b", "--role", "read")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("sloscore: name: ")
