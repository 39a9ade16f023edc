"""Secrets that stand where the path of their file belongs, and keys and passwords of files."""

import io
import shutil
import signal
import ssl
from pathlib import Path

import aiohttp
import pytest
import yaml
from tests.cli.command import running, sloscore
from tests.integration.hidden import MARK, PATHS, TASK, check_hidden, file_of, secret
from tests.integration.postgres import PASSWORD, Postgres
from tests.integration.service import EXPERIMENTS, NOWHERE, Api, Json, serving, settings

from sloscore.secret_files import shown

pytest_plugins = [
    "tests.integration.hidden_fixtures",
    "tests.integration.store_fixtures",
    "tests.integration.tls_fixtures",
]

# What people put where a path belongs: a token, one in Base64, a signed one, a key.
MISPLACED = {
    "token": secret("admin"),
    "base64": f"{MARK}/{secret('admin')}/ab==",
    "absolute": f"/{secret('admin')}==",
    "long": MARK * 100,
    "key": f"-----BEGIN PRIVATE KEY-----\n{MARK}/{MARK}\n-----END PRIVATE KEY-----\n",
    "nul": f"{MARK}\0",
}
UNREACHABLE = "postgresql://me@127.0.0.1:1/sloscore"


def sections(value: str) -> dict[str, Json]:
    """Settings whose files are named by this value, by the setting that errors name."""
    token = {"name": "a", "role": "read", "token_file": value}
    return {
        "auth.token_file": {"auth": {"token_file": value}},
        "auth.tokens[0].token_file": {"auth": {"tokens": [token]}},
        "listen.tls": {"listen": {"tls": {"cert_file": "/etc/hostname", "key_file": value}}},
        "store.password_file": {"store": {"url": UNREACHABLE, "password_file": value}},
    }


@pytest.mark.parametrize("kind", MISPLACED)
@pytest.mark.parametrize("setting", sections(""))
def test_a_secret_in_the_place_of_its_file_stops_the_start_and_is_not_repeated(
    tmp_path: Path, setting: str, kind: str
) -> None:
    path = tmp_path / "sloscore.yaml"
    path.write_text(yaml.safe_dump(sections(MISPLACED[kind])[setting]), encoding="utf-8")
    ended = sloscore("serve", "--config", str(path), "--port", "0", "--log-level", "debug")
    assert ended.code == 1
    assert f"{setting}: the file (of a name that is not repeated here)" in ended.err
    check_hidden(ended.out + ended.err)


@pytest.mark.parametrize("kind", sorted(MISPLACED.keys() - {"nul"}))
def test_a_token_in_the_place_of_its_file_is_not_repeated_by_a_command(
    tmp_path: Path, kind: str
) -> None:
    slo = tmp_path / "slo.yaml"
    slo.write_text(yaml.safe_dump(TASK), encoding="utf-8")
    ended = sloscore("run", "--token-file", MISPLACED[kind], "--slo", str(slo), "true")
    assert ended.code != 0
    assert "--token-file: the file (of a name that is not repeated here)" in ended.err
    check_hidden(ended.out + ended.err)


@pytest.mark.parametrize("kind", MISPLACED)
@pytest.mark.parametrize("how", ["bearer_token_file", "password_file"])
async def test_a_secret_in_the_place_of_a_file_for_prometheus_is_told_by_nothing(
    tmp_path: Path, log: io.StringIO, how: str, kind: str
) -> None:
    value = MISPLACED[kind]
    basic = {"basic_auth": {"username": "me", "password_file": value}}
    identity = basic if how == "password_file" else {"bearer_token_file": value}
    async with serving(settings(tmp_path, prometheus=identity)) as api:
        await api.register("one", TASK)
        report = await api.score_until(
            "one", lambda report: "cannot read the" in str(report["reason"])
        )
        said = [(await api.get(path)).text for path in PATHS]
    for text in (*said, log.getvalue(), str(report)):
        check_hidden(text)


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_the_key_of_tls_is_told_by_nothing(
    certificates: Path, tmp_path: Path, log_format: str
) -> None:
    for name in ("server.pem", "server.key"):
        shutil.copy(certificates / name, tmp_path)
    key = tmp_path / "server.key"
    lines = key.read_text().splitlines()[1:-1]
    given = {
        "listen": {"tls": {"cert_file": str(tmp_path / "server.pem"), "key_file": str(key)}},
        "auth": {"token_file": str(file_of(tmp_path, "admin")), "require_read": True},
    }
    config = tmp_path / "sloscore.yaml"
    config.write_text(yaml.safe_dump(given), encoding="utf-8")
    options = ("--port", "0", "--store", str(tmp_path / "s.db"), "--prometheus", NOWHERE)
    logs = ("--log-level", "debug", "--log-format", log_format)
    trusted = ssl.create_default_context(cafile=certificates / "ca.pem")
    headers = {"Authorization": f"Bearer {secret('admin')}"}
    said = []
    async with (
        running("serve", "--config", str(config), *options, *logs) as process,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted), headers=headers
        ) as session,
    ):
        api = Api(session, (await process.line()).split()[-1])
        assert (await api.register("one", TASK)).status == 201
        said.extend([(await api.get(path)).text for path in PATHS])
        # The next handshake finds a key that is none, and logs that.
        key.write_text(f"-----BEGIN PRIVATE KEY-----\n{MARK}\n")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as another:
            said.append((await Api(another, api.url).get("/-/ready")).text)
        process.send(signal.SIGTERM)
        ended = await process.end()
    assert "the new TLS files cannot be used" in ended.err
    for text in (*said, ended.out, ended.err):
        check_hidden(text)
        assert not any(line in text for line in lines)


async def test_the_password_of_a_database_is_told_by_nothing(
    postgres: Postgres, tmp_path: Path, log: io.StringIO
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    store: Json = {"url": postgres.new_database(), "password_file": password}
    said = []
    async with serving(settings(tmp_path, store=store)) as api:
        assert (await api.register("one", TASK)).status == 201
        said.extend([(await api.get(path)).text for path in PATHS])
        # Every new connection is refused from now on, for its password.
        password.write_text(f"{secret('password')}\n")
        postgres.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            store["url"].rpartition("/")[2],
        )
        refused = await api.get(f"{EXPERIMENTS}/two")
        assert refused.status == 503, refused.text
        said.extend([refused.text, *[(await api.get(path)).text for path in PATHS]])
        password.write_text(f"{PASSWORD}\n")
    assert "password authentication failed" in "".join((*said, log.getvalue()))
    for text in (*said, log.getvalue()):
        check_hidden(text)
        assert PASSWORD not in text


@pytest.mark.parametrize("given", ["file", "environment", "settings"])
def test_a_wrong_password_of_a_database_is_not_repeated(
    postgres: Postgres, tmp_path: Path, given: str
) -> None:
    store: Json = {"url": postgres.new_database()}
    if given == "file":
        store["password_file"] = str(file_of(tmp_path, "password"))
    elif given == "settings":
        store["password"] = secret("password")
    env = {"SLOSCORE_STORE_PASSWORD": secret("password")} if given == "environment" else {}
    config = tmp_path / "sloscore.yaml"
    config.write_text(yaml.safe_dump({"store": store}), encoding="utf-8")
    ended = sloscore("serve", "--config", str(config), "--port", "0", env=env)
    assert ended.code == 1
    assert "password authentication failed" in ended.err
    check_hidden(ended.out + ended.err)


def test_paths_are_shown_where_something_is_there(tmp_path: Path) -> None:
    assert shown(tmp_path / "gone") == str(tmp_path / "gone")
    assert shown(tmp_path) == str(tmp_path)
