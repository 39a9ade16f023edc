"""docs/store.md: its commands, run in its order on the store of a service that has ended."""

from pathlib import Path

from tests.cli.test_db import fill
from tests.docs.markdown import block, output
from tests.docs.shell import shell
from tests.integration.service import serving, settings

PAGE = "docs/store.md"


async def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, evaluation={"source_wait": "300ms"})) as api:
        await fill(api)
    (tmp_path / "backups").mkdir()
    assert shell(block(PAGE, "check"), tmp_path).stdout == output(PAGE, "check")
    copied = shell(block(PAGE, "backup"), tmp_path)
    assert copied.returncode == 0, copied.stderr
    shown = shell(block(PAGE, "check").replace("sloscore.db", "backups/monday.db"), tmp_path)
    assert shown.stdout == output(PAGE, "check").replace("sloscore.db", "backups/monday.db")
    assert "which is up to date" in shell(block(PAGE, "migrate"), tmp_path).stdout


def test_the_service_is_killed_by_the_command_of_the_page() -> None:
    command = block(PAGE, "kills")
    assert "SLOSCORE_KILLS=200 " in command
    ended = shell(command.replace("=200", "=1"))
    assert (ended.returncode, "passed" in ended.stdout) == (0, True), ended.stdout
