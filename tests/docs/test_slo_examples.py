"""The ``slo`` sections that documents show are valid."""

import re
from pathlib import Path

import pytest
import yaml
from tests.docs.markdown import ROOT

from sloscore.spec.loader import validate
from sloscore.spec.slo import SloSpec


def sections() -> list[tuple[str, str]]:
    found = []
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        blocks = re.findall(r"```yaml\n(slo:\n.*?)```", path.read_text(), re.DOTALL)
        found += [(path.name, block) for block in blocks]
    return found


@pytest.mark.parametrize(("page", "block"), sections())
def test_a_shown_slo_section_is_valid(page: str, block: str) -> None:
    assert Path(page).suffix == ".md"
    # A page may show the part that it explains, without a limit.
    limit = {"latency": {"p90": {"threshold": 1.0, "hard_fail": True}}}
    assert validate(SloSpec, {**limit, **yaml.safe_load(block)["slo"]}).limits()
