"""The names that users' programs import, and how they are called: none changes unnoticed."""

import difflib

from tests.golden.api.public import FILE, MODULES, described


def test_public_names_and_signatures_are_those_of_the_golden_file() -> None:
    was, now = FILE.read_text().splitlines(), described().splitlines()
    changed = "\n".join(difflib.unified_diff(was, now, "before", "now", lineterm="", n=1))
    assert not changed, (
        f"{changed}\nThe public API changed: if it is meant, run make golden, and tell users in CHANGELOG.md "
        "(docs/upgrade.md says what stays for how long)"
    )


def test_the_golden_file_has_names_of_each_public_module() -> None:
    lines = FILE.read_text().splitlines()
    heads = [index for index, line in enumerate(lines) if not line.startswith(" ")]
    assert tuple(lines[index] for index in heads) == MODULES
    assert all(lines[index + 1].startswith("  ") for index in heads)
