"""What the operators' own kinds hold, as far as the repository uses them.

Each schema has the fields that are used, as the kind's definition states them (Prometheus operator 0.93,
Argo Rollouts 1.9, Flagger 1.43), and refuses all others: a misspelled or misplaced field fails.
"""

from collections.abc import Mapping
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]  # it has no types
import yaml

Json = Any

_TEXT: Final = {"type": "string", "minLength": 1}
_DURATION: Final = {"type": "string", "pattern": r"^(([0-9]+)(ms|s|m|h|d|w|y))+$"}
_LABELS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_PORT: Final = {"type": "integer", "minimum": 1, "maximum": 65535}
_COUNT: Final = {"type": "integer", "minimum": 0}


def fields(needed: Mapping[str, Json], others: Mapping[str, Json] | None = None) -> Json:
    """An object that has some fields, may have others, and no more."""
    return {
        "type": "object",
        "required": list(needed),
        "properties": {**needed, **(others or {})},
        "additionalProperties": False,
    }


def many(item: Json) -> Json:
    """A list of one or more."""
    return {"type": "array", "items": item, "minItems": 1}


_METADATA: Final = fields({"name": _TEXT}, {"namespace": _TEXT, "labels": _LABELS})
_SELECTOR: Final = fields({"matchLabels": _LABELS})
_SECRET_KEY: Final = fields({"name": _TEXT, "key": _TEXT})
_ENDPOINT: Final = fields(
    {"port": _TEXT},
    {
        "path": _TEXT,
        "interval": _DURATION,
        "scrapeTimeout": _DURATION,
        "authorization": fields({"credentials": _SECRET_KEY}, {"type": _TEXT}),
    },
)
_ALERT: Final = fields(
    {"alert": _TEXT, "expr": _TEXT, "labels": _LABELS, "annotations": _LABELS},
    {"for": _DURATION, "keep_firing_for": _DURATION},
)
_ARGUMENT: Final = fields(
    {"name": _TEXT}, {"value": _TEXT, "valueFrom": fields({"secretKeyRef": _SECRET_KEY})}
)
_WEB: Final = fields(
    {"url": _TEXT},
    {
        "method": {"enum": ["GET", "POST", "PUT"]},
        "jsonBody": {"type": "object"},
        "timeoutSeconds": _COUNT,
        "headers": many(fields({"key": _TEXT, "value": _TEXT})),
        "jsonPath": _TEXT,
    },
)
_MEASURED: Final = fields(
    {"name": _TEXT, "provider": fields({"web": _WEB})},
    {"successCondition": _TEXT, "failureCondition": _TEXT},
)
_TEMPLATES: Final = fields(
    {"templates": many(fields({"templateName": _TEXT}))},
    {
        "args": many(
            fields(
                {"name": _TEXT},
                {
                    "value": _TEXT,
                    "valueFrom": fields({"podTemplateHashValue": {"enum": ["Stable", "Latest"]}}),
                },
            )
        )
    },
)
_STEP: Final = {
    **fields(
        {},
        {
            "setWeight": {**_COUNT, "maximum": 100},
            "analysis": _TEMPLATES,
            "pause": fields({}, {"duration": _DURATION}),
        },
    ),
    "minProperties": 1,
    "maxProperties": 1,
}
_CHECKED: Final = fields(
    {"name": _TEXT, "interval": _DURATION, "templateRef": fields({"name": _TEXT})},
    {
        "templateVariables": _LABELS,
        "thresholdRange": fields({}, {"min": {"type": "number"}, "max": {"type": "number"}}),
    },
)
SPECS: Final[Mapping[tuple[str, str], Json]] = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): fields(
        {"selector": _SELECTOR, "endpoints": many(_ENDPOINT)}, {"jobLabel": _TEXT}
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): fields(
        {"groups": many(fields({"name": _TEXT, "rules": many(_ALERT)}))}
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): fields(
        {"selector": _SELECTOR, "podMetricsEndpoints": many(_ENDPOINT)},
        {"podTargetLabels": many(_TEXT)},
    ),
    ("argoproj.io/v1alpha1", "Rollout"): fields(
        {
            "selector": _SELECTOR,
            # That of a Deployment, which the schemas of Kubernetes hold.
            "template": {"type": "object"},
            "strategy": fields({"canary": fields({"steps": many(_STEP)})}),
        },
        {"replicas": _COUNT},
    ),
    ("argoproj.io/v1alpha1", "AnalysisTemplate"): fields(
        {"args": many(_ARGUMENT), "metrics": many(_MEASURED)}
    ),
    ("flagger.app/v1beta1", "MetricTemplate"): fields(
        {"provider": fields({"type": _TEXT, "address": _TEXT}), "query": _TEXT}
    ),
    ("flagger.app/v1beta1", "Canary"): fields(
        {
            "targetRef": fields({"apiVersion": _TEXT, "kind": _TEXT, "name": _TEXT}),
            "service": fields({"port": _PORT}),
            "analysis": fields(
                {"interval": _DURATION, "threshold": _COUNT, "metrics": many(_CHECKED)},
                {"iterations": _COUNT},
            ),
        }
    ),
}


def check(resource: Json) -> None:
    """Hold an object against its kind; raises KeyError for another kind, ValidationError for mistakes."""
    kind = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    spec = SPECS[resource["apiVersion"], resource["kind"]]
    jsonschema.validate(resource, fields({**kind, "metadata": _METADATA, "spec": spec}))


def documents(text: str) -> list[Json]:
    """The objects of a file."""
    return list(yaml.safe_load_all(text))
