"""Files of OpenSLO or Keptn as one task."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sloscore.errors import SpecError
from sloscore.interop.fields import Fields, LeftOut
from sloscore.interop.keptn import read_keptn
from sloscore.interop.openslo import read_openslo
from sloscore.interop.task import Draft
from sloscore.spec.document import Document, read_documents
from sloscore.spec.loader import read_file


@dataclass(frozen=True, slots=True)
class Imported:
    """A task as plain data, and the fields that it has no place for, by line."""

    task: dict[str, Any]
    left_out: list[LeftOut]


def import_files(
    files: Sequence[str], name: str | None = None, unit: str | None = None
) -> Imported:
    """The task that the files describe together; ``unit`` is that of Keptn's criteria.

    Raises SpecError, with file and line, for what cannot be read, and where nothing is left to
    judge.
    """
    documents = [one for file in files for one in read_documents(read_file(file), file)]
    draft = Draft()
    fields = _read(documents, draft, unit)
    draft.name = name or draft.name or Path(files[0]).stem
    draft.leave_out_labels()
    left_out = [left for one in fields for left in one.left_out()]
    if not draft.limits:
        reasons = [str(one) for one in left_out]
        raise SpecError([*reasons, f"{', '.join(files)}: holds no objective that a task could"])
    return Imported(draft.document(), sorted(set(left_out)))


def _read(documents: Sequence[Document], draft: Draft, unit: str | None) -> list[Fields]:
    for document in documents:
        if not isinstance(document.data, dict):
            raise Fields(document, {}).error((), "must be a mapping at its top")
    are_keptn = ["spec_version" in _keys(document) for document in documents]
    are_openslo = ["apiVersion" in _keys(document) for document in documents]
    if documents and all(are_keptn):
        return read_keptn(documents, draft, unit)
    if documents and all(are_openslo):
        return read_openslo(documents, draft)
    for document, keptn, openslo in zip(documents, are_keptn, are_openslo, strict=True):
        if not (keptn or openslo):
            raise Fields(document, {}).error(
                (), "must have apiVersion (OpenSLO) or spec_version (Keptn)"
            )
    raise SpecError(["files of OpenSLO and of Keptn cannot be one task: import them by themselves"])


def _keys(document: Document) -> set[str]:
    return set(document.data) if isinstance(document.data, dict) else set()
