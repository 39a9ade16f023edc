"""What Argo Rollouts makes of an AnalysisTemplate with the web provider, and Flagger of a MetricTemplate.

Conditions are of expr-lang; the part of it that is understood here: comparisons, ``&&``, ``||``, ``len``, and
``all`` and ``any`` with a predicate in braces, in which ``.name`` is a field of the element.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

Json = Any
Predicate = Callable[[object], bool]


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its ``{{ names }}`` filled in; raises KeyError for one that has no value."""
    return re.sub(r"{{\s*([\w.-]+)\s*}}", lambda found: values[found[1]], template)


def phase(metric: Json, answer: str) -> str:
    """How a measurement of the metric ends that gets this answer."""
    result = json.loads(answer, object_hook=lambda fields: SimpleNamespace(**fields))
    succeeds = _holds(metric["successCondition"], result)
    # Without a condition of failure all that is no success is one.
    if _holds(metric["failureCondition"], result) if "failureCondition" in metric else not succeeds:
        return "Failed"
    return "Successful" if succeeds else "Inconclusive"


def _holds(condition: str, result: object) -> bool:
    text = re.sub(r"\{(.*?)\}", lambda found: _predicate(found[1]), condition)
    text = text.replace("&&", " and ").replace("||", " or ")
    known = {"len": len, "all": _all, "any": _any, "result": result, "__builtins__": {}}
    holds = eval(text, known)  # noqa: S307  the conditions are the repository's own
    assert isinstance(holds, bool), condition
    return holds


def _predicate(body: str) -> str:
    return "lambda one: " + re.sub(r"(?<![\w.])\.(\w+)", r"one.\1", body)


def _all(rows: Iterable[object], holds: Predicate) -> bool:
    return all(map(holds, rows))


def _any(rows: Iterable[object], holds: Predicate) -> bool:
    return any(map(holds, rows))
