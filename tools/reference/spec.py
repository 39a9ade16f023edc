"""docs/reference/spec.md: the fields of a task."""

from sloscore.api.openapi import openapi_document
from tools.reference.markdown import page
from tools.reference.schemas import Schemas

ROOT = "TaskSpec"


def models() -> list[str]:
    """The models of a task, from the outermost on."""
    return _schemas().reached([ROOT])


def make() -> str:
    """The page."""
    return page(
        "Fields of a task",
        "A task file, in YAML or JSON, is a [TaskSpec](#taskspec); a registration and other calls of the "
        "[HTTP API](api.md) hold it as `task`. Unknown keys are refused with file and line, but in `optimization`. "
        "Durations are seconds, or text such as `90s` or `1h30m`. "
        "[SLIs](../slis.md), [scoring](../scoring.md) and [penalty functions](../penalties.md) explain what they do.",
        *_schemas().sections([ROOT]),
    )


def _schemas() -> Schemas:
    return Schemas(openapi_document()["components"]["schemas"], {})
