"""Files that hold a task, or an ``slo`` section alone."""

from pathlib import Path

import pytest

from sloscore.errors import SpecError
from sloscore.spec.model import TaskSpec
from sloscore.spec.section import load_task_or_slo
from sloscore.spec.slo import SloSpec

TASK = """
task_name: chat
optimization: {objective: minimize_ttft}
slo:
  warmup: 30s
  ttft: {threshold: 1.0}
"""
SECTION = """
warmup: 30s
ttft: {threshold: 1.0}
"""


def written(place: Path, text: str, name: str = "file.yaml") -> Path:
    path = place / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "name", "given", "expected"),
    [
        (TASK, "file.yaml", None, "chat"),
        (TASK, "file.yaml", "mine", "mine"),
        (TASK.replace("task_name: chat", ""), "file.yaml", "mine", "mine"),
        (SECTION, "strict.yaml", None, "strict"),
        (SECTION, "strict.yaml", "mine", "mine"),
        ('{"warmup": "30s", "ttft": {"threshold": 1.0}}', "strict.json", None, "strict"),
    ],
)
def test_a_task_and_a_section_are_read_alike(
    tmp_path: Path, text: str, name: str, given: str | None, expected: str
) -> None:
    task, data = load_task_or_slo(written(tmp_path, text, name), given)
    assert task.task_name == data["task_name"] == expected
    assert task.slo is not None
    assert [sli.id for sli, _ in task.slo.limits()] == ["ttft"]
    assert data["slo"] == {"warmup": "30s", "ttft": {"threshold": 1.0}}
    assert TaskSpec.model_validate(data) == task


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SECTION.replace("1.0", "fast"), ":3: ttft.threshold: "),
        (TASK.replace("1.0", "fast"), ":6: slo.ttft.threshold: "),
        ("latncy: {p90: {threshold: 5.0}}\n", ":1: latncy: is not a known key; did you mean"),
        (TASK.replace("task_name: chat", ""), ":3: task_name: "),
        ("warmup: 30s\n", ":1: holds no SLO"),
        ("- ttft\n", ":1: must be a mapping at its top"),
        ("ttft: {threshold: 1}\nttft: {threshold: 2}\n", ":2: "),
    ],
)
def test_a_mistake_has_the_line_that_it_is_in(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SpecError) as caught:
        load_task_or_slo(path)
    assert caught.value.problems[0].startswith(f"{path}{sentence}")


def test_no_key_belongs_to_both_a_task_and_a_section() -> None:
    assert not TaskSpec.model_fields.keys() & SloSpec.model_fields.keys()
