"""docs/import.md: its commands, on the files that it shows, print what it says."""

import re
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT, block, output
from tests.docs.shell import shell

PAGE = "docs/import.md"
FILE = re.compile(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("mark", ["openslo", "keptn"])
def test_the_examples_print_what_the_page_shows(mark: str, tmp_path: Path) -> None:
    for name, text in FILE.findall((ROOT / PAGE).read_text("utf-8")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = shell(block(PAGE, mark), tmp_path)
    assert done.returncode == 0
    assert done.stderr + done.stdout == output(PAGE, mark)
