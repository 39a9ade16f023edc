"""What is told of a task that has mistakes."""

import pytest

from sloscore.errors import SpecError
from sloscore.spec.loader import parse_task


def problems_in(text: str, name: str = "task.yaml") -> list[str]:
    with pytest.raises(SpecError) as raised:
        parse_task(text, name)
    return raised.value.problems
