"""A file that holds a task, or its ``slo`` section alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sloscore.spec.document import read_document, report
from sloscore.spec.loader import read_file, validate_document
from sloscore.spec.model import TaskSpec
from sloscore.spec.slo import SloSpec


def load_task_or_slo(path: str | Path, name: str | None = None) -> tuple[TaskSpec, dict[str, Any]]:
    """The task in a YAML or JSON file, checked and as it is written there.

    A file without any key of a task is its ``slo`` section. ``name`` replaces the task's; a section
    without one is named for its file. Raises SpecError with a sentence for each mistake:
    ``slo.yaml:12: ttft.threshold: ...``.
    """
    document = read_document(read_file(path), str(path))
    data = document.data
    if not isinstance(data, dict):
        report([f"{path}:{document.line_of(())}: must be a mapping at its top"])
    if not TaskSpec.model_fields.keys() & data.keys():
        validate_document(SloSpec, document)
        data = {"task_name": Path(path).stem, "slo": data}
    if name is not None:
        data = {**data, "task_name": name}
    return validate_document(TaskSpec, replace(document, data=data)), data
