"""Where the store is, by the settings: a file or a PostgreSQL, whose password nobody sees."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.cli.command import sloscore

from sloscore.settings import StoreSettings

URL = "postgresql://sloscore@db.example.org/sloscore"


def test_a_url_stands_in_the_place_of_the_file() -> None:
    assert StoreSettings().place == Path("sloscore.db")
    assert StoreSettings.model_validate({"path": "x.db", "url": URL}).place == URL


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"url": "postgresql://u:hunter2@db/sloscore"}, "must not hold the password"),
        ({"url": "mysql://u@db/hunter2"}, "must look like"),
        ({"url": "postgresql://u@hunter2"}, "must look like"),
        ({"url": "postgresql://u@hunter2:port/sloscore"}, "is no URL"),
        ({"url": URL, "password": "hunter2", "password_file": "x"}, "only one of"),
    ],
)
def test_what_cannot_be_used_is_refused_without_quoting_it(
    given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence) as caught:
        StoreSettings.model_validate(given)
    assert "hunter2" not in str(caught.value)


def test_the_password_is_shown_to_nobody() -> None:
    given = StoreSettings.model_validate({"url": URL, "password": "hunter2"})
    assert "hunter2" not in f"{given!r} {given.model_dump_json()}"
    assert given.read_password() == "hunter2"


def test_the_password_of_a_file_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "password"
    given = StoreSettings.model_validate({"url": URL, "password_file": path})
    for password in ("first", "second"):
        path.write_text(f"{password}\n")
        assert given.read_password() == password
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        given.read_password()
    path.unlink()
    with pytest.raises(ValueError, match="password cannot be read: No such file"):
        given.read_password()


@pytest.mark.parametrize("command", ["check", "backup", "migrate"])
def test_commands_for_files_name_those_for_a_postgresql(tmp_path: Path, command: str) -> None:
    path = tmp_path / "sloscore.yaml"
    path.write_text(f"store:\n  url: {URL}\n")
    more = [str(tmp_path / "copy.db")] if command == "backup" else []
    for store in (("--config", str(path)), ("--store", URL)):
        ended = sloscore("db", command, *store, *more)
        assert ended.code == 1
        assert "pg_dump" in ended.err
