"""Files and request bodies as models; whatever is wrong becomes one sentence a mistake."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sloscore.spec.document import (
    MAX_BYTES,
    Document,
    Place,
    dotted,
    read_document,
    report,
    spec_error,
)
from sloscore.spec.mistakes import mistakes_of
from sloscore.spec.model import TaskSpec

Model = TypeVar("Model", bound=BaseModel)


def load_task(path: str | Path) -> TaskSpec:
    """The task in a YAML or JSON file.

    Raises SpecError with a sentence for each mistake: ``task.yaml:12: slo.ttft.threshold: ...``.
    """
    return load_model(TaskSpec, path)


def parse_task(text: str, name: str) -> TaskSpec:
    """The task in ``text``; ``name`` stands for the file in errors, its ending tells the format.

    Raises SpecError with a sentence for each mistake.
    """
    return parse_model(TaskSpec, text, name)


def load_model(model: type[Model], path: str | Path) -> Model:
    """Any model from a YAML or JSON file (JSON where its name ends in ``.json``).

    Raises SpecError with a sentence for each mistake.
    """
    return parse_model(model, read_file(path), str(path))


def parse_model(model: type[Model], text: str, name: str) -> Model:
    """Any model from text, as ``parse_task`` reads a task.

    Raises SpecError with a sentence for each mistake.
    """
    return validate_document(model, read_document(text, name))


def validate_document(model: type[Model], document: Document) -> Model:
    """Any model from a document that was read.

    Raises SpecError with a sentence for each mistake: ``task.yaml:12: slo.ttft.threshold: ...``.
    """

    def order(place: Place) -> int:
        return document.line_of(place)

    def prefix(place: Place) -> str:
        return f"{document.name}:{document.line_of(place)}"

    if not isinstance(document.data, dict):
        report([f"{prefix(())}: must be a mapping at its top"])
    return _validated(model, document.data, prefix, order)


def validate(model: type[Model], data: object, name: str = "body") -> Model:
    """A model from plain data, such as a request body; ``name`` begins every sentence.

    Raises SpecError with a sentence for each mistake: ``body: slo.ttft.threshold: ...``.
    """
    return _validated(model, data, lambda _: name, lambda _: 0)


def _validated(
    model: type[Model],
    data: object,
    prefix: Callable[[Place], str],
    order: Callable[[Place], int],
) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        mistakes, more = mistakes_of(error, model, order)
        sentences = [
            ": ".join(filter(None, (prefix(one.place), dotted(one.place), one.sentence)))
            for one in mistakes
        ]
        # The cause would show values that a model with secrets hides.
        fields = [(one.place, one.sentence) for one in mistakes]
        raise spec_error(sentences, more, fields) from None


def read_file(path: str | Path) -> str:
    """The text of a file of bounded size; raises SpecError where it cannot be read or is not UTF-8."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        report([f"{path}: must be a file, not a directory"])
    except FileNotFoundError:
        report([f"{path}: there is no such file"])
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        report([f"{path}: cannot be read: {reason}"])
    if len(raw) > MAX_BYTES:
        report([f"{path}: must be at most 1 MiB"])
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        report([f"{path}:{line}: must be UTF-8 text"])
