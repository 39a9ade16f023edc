"""A service that speaks https: its certificates, those of its clients, and how both are renewed."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs
from tests.cli.command import sloscore
from tests.integration.certificates import issue
from tests.integration.service import EXPERIMENTS, Json, settings, task_of

from sloscore.api.server import running_service
from sloscore.client import AsyncSLOClient, SLOClient
from sloscore.client.errors import ServiceUnreachable
from sloscore.errors import SettingsError

pytest_plugins = ["tests.integration.tls_fixtures"]

TASK = task_of(selector={"instance": "x"})


@pytest.fixture
def place(certificates: Path, tmp_path: Path) -> Path:
    """The certificates, in files that a test may replace."""
    return shutil.copytree(certificates, tmp_path / "tls")


def tls_of(place: Path, *, mutual: bool = False) -> Json:
    files = {"cert_file": place / "server.pem", "key_file": place / "server.key"}
    return {**files, "client_ca_file": place / "ca.pem"} if mutual else files


@pytest.fixture
async def url(place: Path, tmp_path: Path) -> AsyncIterator[str]:
    listen = {"port": 0, "tls": tls_of(place)}
    async with running_service(settings(tmp_path, listen=listen)) as url:
        yield url


@pytest.fixture
async def mutual(place: Path, tmp_path: Path) -> AsyncIterator[str]:
    listen = {"port": 0, "tls": tls_of(place, mutual=True)}
    async with running_service(settings(tmp_path, listen=listen)) as url:
        yield url


async def shown(url: str) -> bytes:
    """The certificate that a new connection is shown."""
    host, port = url.removeprefix("https://").split(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return bytes(certificate)


def der(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def replace(target: Path, source: Path) -> None:
    """As tools do that renew certificates: a new file takes the old one's name."""
    new = target.with_suffix(".new")
    shutil.copy(source, new)
    os.replace(new, target)  # noqa: PTH105  the call that is atomic


async def test_both_clients_verify_the_service_by_the_authority_that_they_are_given(
    url: str, place: Path
) -> None:
    ca = place / "ca.pem"
    async with AsyncSLOClient(url, ca_file=ca) as client, client.experiment("one", task=TASK):
        pass
    async with AsyncSLOClient(url, retries=0) as stranger:
        with pytest.raises(ServiceUnreachable, match="certificate"):
            await stranger.score("one")
    report = await asyncio.to_thread(SLOClient(url, ca_file=ca).score, "one")
    assert report.raw["experiment"] == "one"
    with pytest.raises(ServiceUnreachable, match="certificate"):
        await asyncio.to_thread(SLOClient(url, retries=0).score, "one")


async def test_old_versions_of_tls_are_refused(url: str, place: Path) -> None:
    context = ssl.create_default_context(cafile=place / "ca.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}/-/healthy", ssl=context)


async def test_only_clients_with_a_certificate_of_the_authority_are_heard(
    mutual: str, place: Path
) -> None:
    ca, cert, key = (place / name for name in ("ca.pem", "client.pem", "client.key"))
    client = AsyncSLOClient(mutual, ca_file=ca, cert_file=cert, key_file=key)
    async with client, client.experiment("one", task=TASK):
        pass
    blocking = SLOClient(mutual, ca_file=ca, cert_file=cert, key_file=key)
    assert (await asyncio.to_thread(blocking.score, "one")).raw["experiment"] == "one"
    async with AsyncSLOClient(mutual, ca_file=ca, retries=0) as stranger:
        with pytest.raises(ServiceUnreachable):
            await stranger.score("one")


async def test_commands_speak_to_the_service_by_the_same_files(mutual: str, place: Path) -> None:
    arguments = ["rescore", "--task", "nobody", "--set", "latency.p90.threshold=1", "--url", mutual]
    files = [f"--ca-file={place}/ca.pem", f"--cert-file={place}/client.pem"]
    key = [f"--key-file={place}/client.key"]

    ended = await asyncio.to_thread(sloscore, *arguments, *files, *key)
    # Nobody has run the task: the service has said so, over this connection.
    assert ended.code == 1
    assert "nobody" in ended.err

    lone = await asyncio.to_thread(sloscore, *arguments, *key)
    assert lone.code == 1
    assert "give cert_file" in lone.err


async def test_a_renewed_certificate_is_shown_to_the_next_connection(
    url: str, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert await shown(url) == der(place / "server.pem")
    other = issue(tmp_path_factory.mktemp("renewed"))

    replace(place / "server.pem", other / "server.pem")
    with capture_logs() as logs:
        # The key is still the old one: what was served before goes on.
        first = [await shown(url), await shown(url)]
    replace(place / "server.key", other / "server.key")

    assert der(other / "server.pem") not in first
    assert [line["event"] for line in logs] == ["the new TLS files cannot be used"]
    assert await shown(url) == der(other / "server.pem")


async def test_a_renewed_authority_of_clients_takes_the_place_of_the_old_one(
    mutual: str, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = issue(tmp_path_factory.mktemp("authority"))
    trust = tmp_path_factory.mktemp("trust") / "ca.pem"
    shutil.copy(place / "ca.pem", trust)

    async def status_of(files: Path) -> int | None:
        context = ssl.create_default_context(cafile=trust)
        context.load_cert_chain(files / "client.pem", files / "client.key")
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"{mutual}{EXPERIMENTS}", ssl=context) as answer:
                    return answer.status
            except aiohttp.ClientError:
                return None

    assert (await status_of(place), await status_of(other)) == (200, None)
    replace(place / "ca.pem", other / "ca.pem")
    assert (await status_of(place), await status_of(other)) == (None, 200)


@pytest.mark.parametrize("broken", ["server.pem", "server.key", "ca.pem"])
@pytest.mark.parametrize("how", ["gone", "empty"])
async def test_files_that_cannot_be_used_stop_the_start(
    place: Path, tmp_path: Path, broken: str, how: str
) -> None:
    if how == "gone":
        (place / broken).unlink()
    else:
        (place / broken).write_text("")
    listen = {"port": 0, "tls": tls_of(place, mutual=True)}
    with pytest.raises(SettingsError, match=r"^listen\.tls: .*/") as caught:
        async with running_service(settings(tmp_path, listen=listen)):
            pass
    assert str(place) in str(caught.value)
