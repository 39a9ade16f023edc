"""A report with phases on a terminal."""

import pytest
from tests.unit.phased_load import HOPELESS, QUICK, plan_of, settled, source_of

from sloscore.core.phases import PhaseRules
from sloscore.tables import print_report


async def test_a_report_shows_each_phase_and_what_the_score_is_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = source_of([*QUICK * 3, *HOPELESS])
    print_report(await settled(source, plan_of()))
    shown = capsys.readouterr().out
    print_report(await settled(source, plan_of(PhaseRules(ignore=frozenset({"c=8"})))))
    ignoring = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines()[3:6]]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("PHASE", "REQUESTS", "STATUS"), ("c=1", "180", "SUCCESS"), ("c=8", "120", "FAILED"),
    ]  # fmt: skip
    assert "\nPhase c=8 breaks a hard SLO.\nHard SLO violation in phase c=8\n" in shown
    assert "c=8 (ignored)" in ignoring
    assert "breaks a hard SLO" not in ignoring
