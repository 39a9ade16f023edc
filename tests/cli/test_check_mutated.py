"""`sloscore check` on task files to which something happened: a sentence with file and line, or OK."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.mutations import mutated

from sloscore.cli.main import cli

EXAMPLES = Path(__file__).parents[2] / "examples"
TASKS = {
    path.name: path.read_text(encoding="utf-8")
    for path in (*EXAMPLES.glob("*.yaml"), EXAMPLES / "docker_task_with_slo.json")
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@examples(max_examples=200)
@given(data=st.data(), name=st.sampled_from(sorted(TASKS)))
def test_a_task_file_that_was_changed_is_ok_or_told_by_file_and_line(
    place: Path, data: st.DataObject, name: str
) -> None:
    path = place / name
    text = data.draw(mutated(TASKS[name]))
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    result = CliRunner().invoke(cli, ("check", str(path)))

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    if result.exit_code == 0:
        assert result.stdout.startswith(f"{path}: OK")
    else:
        told = result.stderr.splitlines()
        assert told
        assert re.match(rf"{re.escape(str(path))}(:\d+)*: ", told[0]), told
