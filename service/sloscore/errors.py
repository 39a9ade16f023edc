"""Errors a user can cause or must know of; every message names what was wrong and what is right."""

from collections.abc import Sequence


class SloscoreError(Exception):
    """Base of every error that sloscore raises on purpose."""


class SpecError(SloscoreError):
    """A task file, preset or request body that cannot be used.

    ``problems`` holds one sentence for each mistake, each with its place (``file:line: field: ...``).
    ``fields`` holds those whose place in the document is known: the keys and indices that lead
    there, and the sentence without them.
    """

    def __init__(
        self, problems: list[str], fields: Sequence[tuple[tuple[str | int, ...], str]] = ()
    ) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.fields = tuple(fields)


def field_error(*sentences: str, file: str = "") -> SpecError:
    """The error of sentences that begin with their field: ``window.end: lies in the future``.

    The name of a ``file``, if any, goes before them.
    """
    parts = [sentence.partition(": ") for sentence in sentences]
    return SpecError(
        [f"{file}: {sentence}" if file else sentence for sentence in sentences],
        [(tuple(path.split(".")), rest) for path, _, rest in parts],
    )


class SettingsError(SloscoreError):
    """Settings that do not make sense together, or that would be unsafe."""


class SourceError(SloscoreError):
    """The metric source could not answer; ``kind`` is a short, bounded word for metrics."""

    def __init__(self, message: str, kind: str = "error") -> None:
        super().__init__(message)
        self.kind = kind


class SourceDownError(SourceError):
    """The metric source as a whole does not answer: whoever asks it for less fails alike."""


class ExperimentNotFoundError(SloscoreError):
    """No experiment of this id is registered."""


class MisdirectedError(SloscoreError):
    """The experiment belongs to another service."""


class ConflictError(SloscoreError):
    """The request contradicts what is already recorded."""


class LimitError(SloscoreError):
    """The request would pass a configured limit."""


class StoreError(SloscoreError):
    """The database of experiments cannot be opened, read or written."""
